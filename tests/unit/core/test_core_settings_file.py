"""A settings file of any content: settings, or one sentence with the place of what is wrong."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medkg_lab.locations import locate
from medkg_lab.settings import Settings, SettingsInvalid, load


def loaded(home: Path, content: bytes) -> Settings:
    places = locate(home)
    places.config.mkdir(parents=True, exist_ok=True)
    (places.config / "settings.yaml").write_bytes(content)
    return load(places)


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"batch_limit: 1:1:1:1\n", "line 1"),
        (b"profile: cpu\nbatch_limit: " + b"9" * 5000, "line 2"),
        (b"profile: cpu\nsources:\n  pmc:\n    base_url: .inf\n", "line 4"),
        (b"stage_deadline_seconds: 1.0e+300\n", "line 1"),
        (b"recording:\n  max_days: 1.0e+300\n", "line 2"),
        (b"pdf:\n  memory_mib: 99999999999\n", "line 2"),
        (b"a: &a [x]\nb: *a\n", "line 1, column 4"),
        (b"profile: cpu\nprofile: gpu\n", "line 2, column 1"),
        (b"\xff\xfep\x00r\x00", "is not UTF-8"),
        (b"profile: a\x00b\n", "line 1, column 11"),
        (b"profile:\tcpu\n\tx: 1", "line 2"),
        (b"- 1\n- 2\n", "line 1"),
        (b"[" * 5000, "line 1"),
        (b"nonsense: 1\n", "line 1, column 1: nonsense"),
    ],
)
def test_what_is_wrong_has_a_place(tmp_path: Path, content: bytes, place: str) -> None:
    with pytest.raises(SettingsInvalid) as raised:
        loaded(tmp_path, content)
    assert place in str(raised.value)


def test_a_folder_in_its_place_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "config" / "settings.yaml").mkdir(parents=True)
    with pytest.raises(SettingsInvalid, match="cannot be read: not a regular file"):
        load(locate(tmp_path))


@pytest.mark.parametrize("content", [b"", b"# nothing\n", b"\xef\xbb\xbfprofile: cpu\n", b"---\n"])
def test_an_empty_file_and_a_mark_of_the_byte_order_are_no_fault(tmp_path: Path, content: bytes) -> None:
    assert loaded(tmp_path, content) == Settings()


@given(content=st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes_are_settings_or_a_sentence(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    try:
        loaded(tmp_path_factory.getbasetemp() / "any", content)
    except SettingsInvalid as error:
        assert "settings.yaml" in str(error)
