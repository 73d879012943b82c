"""Completion scripts and the manual page: made from the parser, and understood by the programs that read them."""

import shutil
import subprocess
from pathlib import Path

import pytest

from medkg_lab.cli.completion import script, subcommands
from medkg_lab.cli.main import build_parser, main

CHECKS = {"bash": ["bash", "-n"], "zsh": ["zsh", "-n"], "fish": ["fish", "--no-execute"]}


@pytest.mark.parametrize("shell", CHECKS)
def test_each_shell_reads_its_script(shell: str, tmp_path: Path) -> None:
    text = script(build_parser(), shell)
    for name in subcommands(build_parser()):
        assert name in text
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not here")
    path = tmp_path / "script"
    path.write_text(text)
    done = subprocess.run([*CHECKS[shell], path], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_bash_completes_commands_and_choices(tmp_path: Path) -> None:
    path = tmp_path / "script"
    path.write_text(script(build_parser(), "bash"))
    program = (
        f". {path}; COMP_WORDS=(medkg-lab gate list --state re); COMP_CWORD=4;"
        "_shtab_medkg_lab medkg-lab re --state; echo ${COMPREPLY[@]}; "
        "COMP_WORDS=(medkg-lab sta); COMP_CWORD=1; _shtab_medkg_lab medkg-lab sta medkg-lab; echo ${COMPREPLY[@]}"
    )
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["released", "rejected", "status"]


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not here")
def test_fish_completes_commands_and_choices(tmp_path: Path) -> None:
    path = tmp_path / "script.fish"
    path.write_text(script(build_parser(), "fish"))

    def completed(line: str) -> set[str]:
        command = ["fish", "-c", f"source {path}; complete -C '{line}'"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        return {one.split("\t")[0] for one in done.stdout.splitlines()}

    assert completed("medkg-lab sta") == {"status"}
    assert completed("medkg-lab gate op") == {"open"}
    assert "released" in completed("medkg-lab gate list --state ")


def test_the_manual_has_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["man"]) == 0
    page = capsys.readouterr().out
    for name, (inner, _) in subcommands(build_parser()).items():
        assert name in page
        assert all(f"{name} {below}" in page for below in subcommands(inner))
    if shutil.which("groff"):
        done = subprocess.run(
            ["groff", "-man", "-Tascii", "-P-cbou", "-ww"],
            input=page,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert done.stderr == ""
        assert "EXIT STATUS" in done.stdout
