"""What is not a regular file is refused at once, wherever a person may name one; nothing waits for a pipe or a device."""

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from medkg_lab.cli.main import main
from medkg_lab.files import NotReadable, open_regular, read_regular, read_text

ODD = ("pipe", "device", "socket", "folder", "endless", "nowhere")
Make = Callable[[str], Path]


@pytest.fixture
def odd(tmp_path: Path) -> Iterator[Make]:
    """Makes something odd at a path that ends as the given name does."""
    listener = socket.socket(socket.AF_UNIX)

    def make(kind: str, name: str = "x") -> Path:
        path = tmp_path / f"{kind}-{name}"
        match kind:
            case "pipe":
                os.mkfifo(path)
            case "device":
                path.symlink_to("/dev/zero")
            case "socket":
                here = os.getcwd()
                os.chdir(tmp_path)
                listener.bind(path.name)
                os.chdir(here)
            case "folder":
                path.mkdir()
            case "endless":
                with path.open("wb") as file:
                    file.truncate(5 * 1024**3)
            case _:
                path.symlink_to(tmp_path / "gone")
        return path

    yield make  # type: ignore[misc]
    listener.close()


@pytest.mark.parametrize("kind", ODD)
def test_the_helper_refuses_it(kind: str, odd: Make) -> None:
    with pytest.raises(OSError):
        read_regular(odd(kind), 1000)


def test_the_helper_reads_what_is_regular(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("ä")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert read_text(tmp_path / "link") == "ä"
    with open_regular(tmp_path / "a", 2) as file:
        assert file.read() == "ä".encode()
    with pytest.raises(NotReadable, match="larger than 1 bytes"):
        read_regular(tmp_path / "a", 1)
    with pytest.raises(NotReadable, match="not a regular file"):
        read_regular(tmp_path, 10)


COMMANDS = (
    ("repro", "import", "{}.mklab"),
    ("repro", "verify", "{}.mklab"),
    ("repro", "assemble", "--payload", "{}.pdf", "--out", "{}.out"),
    ("repro", "assemble", "--entry", "{}.json", "--out", "{}.out"),
    ("pipeline", "validate", "{}.yaml"),
    ("pipeline", "apply", "mine", "{}.yaml"),
    ("policies", "rehearse", "{}.mklab", "--policies", "{}.yaml"),
    ("mesh", "import", "{}.xml"),
    ("mesh", "import", "{}.nt.gz"),
    ("eval", "parsing", "{}.json"),
)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", ["pipe", "device", "nowhere"])
@pytest.mark.parametrize("command", COMMANDS, ids=lambda one: " ".join(one[:3]))
def test_no_command_waits_for_it(
    kind: str, command: tuple[str, ...], odd: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = []
    for part in command:
        if part.startswith("{}") and not part.endswith(".out"):
            given.append(str(odd(kind, part[2:])))  # type: ignore[call-arg]
        else:
            given.append(part.format(tmp_path / "made"))
    code = main([*given, "--home", str(tmp_path / "home")])
    assert code not in (0, None)
    told = capsys.readouterr()
    assert "Traceback" not in told.err + told.out
    assert told.err.strip() or told.out.strip()
