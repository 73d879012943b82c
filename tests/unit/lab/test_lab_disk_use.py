"""What the lab takes on disk, and what is deleted to be rid of it."""

from pathlib import Path

import pytest

from medkg_lab.lab import disk_use
from medkg_lab.locations import CACHE_VARIABLE, locate


def test_every_folder_is_told_with_its_size(tmp_path: Path) -> None:
    locations = locate(tmp_path / "lab")
    locations.data.mkdir(parents=True)
    (locations.data / "ledger.duckdb").write_bytes(b"x" * 100_000)
    sizes = {one.name: one.bytes for one in disk_use.places(locations)}
    assert 100_000 <= sizes["data"] < 120_000
    assert (sizes["config"], sizes["cache"]) == (0, 0)


def test_removal_deletes_each_folder_once_and_quotes_it(tmp_path: Path) -> None:
    locations = locate(tmp_path / "my lab")
    locations.config.mkdir(parents=True)
    stop, *deleted = disk_use.removal(locations)
    assert stop == f"medkg-lab down --home '{locations.home}'"
    assert deleted == [f"rm -r '{locations.home}'"]


def test_a_cache_that_others_share_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "shared"))
    locations = locate(tmp_path / "lab")
    for folder in (locations.data, locations.cache):
        folder.mkdir(parents=True)
    assert f"rm -r {locations.cache}" not in disk_use.removal(locations)


@pytest.mark.parametrize(
    ("receipt", "command"),
    [("uv-receipt.toml", "uv tool uninstall medkg-lab"), ("pipx_metadata.json", "pipx uninstall medkg-lab")],
)
def test_the_program_is_removed_by_what_installed_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, receipt: str, command: str
) -> None:
    (tmp_path / receipt).touch()
    monkeypatch.setattr("sys.prefix", str(tmp_path))
    assert disk_use.removal(locate(tmp_path / "lab"))[-1] == command
