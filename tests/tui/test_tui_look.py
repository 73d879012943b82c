"""How the screen looks by choice: ASCII alone, the theme by the terminal's background, nothing that moves by itself."""

import os
import pty
import threading
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.widgets import Input

from medkg_lab.lab.facade import Lab
from medkg_lab.settings import ScreenSettings
from medkg_lab.tui import background, glyphs, keys, theme
from medkg_lab.tui.app import LabApp
from medkg_lab.tui.appearance import THEME_VARIABLE, Appearance, chosen_appearance
from medkg_lab.tui.ascii_filter import VARIABLE, plain
from medkg_lab.tui.modes import MODES
from tests.labs import TestLab
from tests.tui.screens import SIZES, Screen


@given(st.text(st.one_of(st.characters(exclude_categories=["Cs", "Cc"]), st.sampled_from("╭─╮│┼━═╌▌▪✓◐↵…"))))
def test_ascii_is_as_wide_as_what_it_stands_for(text: str) -> None:
    written = plain(text)
    assert written.isascii()
    assert len(written) == sum(map(cell_len, text))


def test_signs_are_the_ones_of_the_states() -> None:
    for state in glyphs.ALL:
        assert plain(state.glyph) == state.plain
    assert plain("╭─ Café ─╮│━━╌┊") == "+- Cafe -+|==.:"


@pytest.mark.asyncio
@pytest.mark.parametrize("size", SIZES)
async def test_every_mode_is_drawn_in_ascii(demo_lab: TestLab, size: tuple[int, int]) -> None:
    app = LabApp(Lab.at(demo_lab.home), start=False, look=Appearance(ascii=True))
    async with app.run_test(size=size) as pilot:
        screen = Screen(app, pilot)
        await screen.sees("8 up", "Needs you")
        for mode in MODES:
            await app.switch_mode(mode.word)
            await screen.sees(f"{mode.number} {mode.short if size[0] < 100 else mode.title}")
            await pilot.pause()
            assert screen.text.isascii(), [each for each in screen.text if not each.isascii()]
            assert all(cell_len(line) == size[0] for line in screen.text.splitlines())
        await app.switch_mode("lab")
        await screen.sees("Enter open")
        await screen.press("question_mark")
        await screen.sees("Help")
        assert screen.text.isascii()


@pytest.mark.asyncio
async def test_reduced_motion_moves_nothing(short_tmp: Path) -> None:
    app = LabApp(Lab.at(short_tmp), start=False, look=Appearance(reduced_motion=True))
    async with app.run_test(size=(80, 24)) as pilot:
        assert app.animation_level == "none"
        await pilot.press("colon")
        await pilot.pause()
        assert isinstance(app.focused, Input)
        assert not app.focused.cursor_blink


class Terminal:
    """A terminal that answers what it is asked by `answer`."""

    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        self._master, self._slave = pty.openpty()
        self.device = os.ttyname(self._slave)
        self._answer = answer
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        asked = b""
        while not asked.endswith(b"\x1b[c"):
            asked += os.read(self._master, 64)
        os.write(self._master, self._answer(asked))

    def close(self) -> None:
        """End it."""
        os.close(self._slave)
        os.close(self._master)


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    made: list[Terminal] = []
    yield made
    for each in made:
        each.close()


DA1 = b"\x1b[?62;22c"


@pytest.mark.parametrize(
    ("answer", "colour"),
    [
        (b"\x1b]11;rgb:fbfb/fafa/f6f6\x1b\\" + DA1, "#fbfaf6"),
        (b"\x1b]11;rgb:0/0/0\x07" + DA1, "#000000"),
        (b"\x1b]11;rgb:ff/80/00\x1b\\" + DA1, "#ff8000"),
        (DA1, None),
        (b"\x1b]11;rgb:zz/zz/zz\x1b\\" + DA1, None),
        (b"", None),
    ],
)
def test_the_terminal_tells_its_background(terminals: list[Terminal], answer: bytes, colour: str | None) -> None:
    terminals.append(Terminal(lambda _: answer))
    assert background.query_background(terminals[0].device) == colour


def test_no_terminal_tells_nothing(tmp_path: Path) -> None:
    assert background.query_background(str(tmp_path / "none")) is None
    assert background.query_background("/dev/null") is None


def test_each_theme_suits_its_own_background() -> None:
    for one in theme.PALETTES.values():
        assert background.is_light(one.colour("bg")) is not one.dark


def test_the_command_line_comes_before_the_environment_and_that_before_the_settings(
    short_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    for name in (THEME_VARIABLE, VARIABLE):
        monkeypatch.delenv(name, raising=False)
    (short_tmp / "config").mkdir()
    settings = short_tmp / "config" / "settings.yaml"
    settings.write_text("screen: {theme: contrast, reduced_motion: true}\n")
    assert chosen_appearance(Lab.at(short_tmp), None).theme == "contrast"
    assert chosen_appearance(Lab.at(short_tmp), None).reduced_motion
    monkeypatch.setenv(THEME_VARIABLE, "lab-light")
    assert chosen_appearance(Lab.at(short_tmp), None).theme == "light"
    assert chosen_appearance(Lab.at(short_tmp), "dark").theme == "dark"
    monkeypatch.setenv(THEME_VARIABLE, "pink")
    assert chosen_appearance(Lab.at(short_tmp), None).theme == "contrast", "a theme that there is not is no theme"
    monkeypatch.setenv(VARIABLE, "1")
    assert chosen_appearance(Lab.at(short_tmp), None).ascii
    settings.write_text("screen: {theme: pink}\n")
    assert chosen_appearance(Lab.at(short_tmp), "light").theme == "light", "a wrong file does not keep the screen shut"


def test_the_look_is_the_section_of_the_settings() -> None:
    settings = {name: (field.annotation, field.default) for name, field in ScreenSettings.model_fields.items()}
    assert {one.name: (one.type, one.default) for one in fields(Appearance)} == settings


def test_the_return_key_has_a_label_that_can_be_written_out() -> None:
    assert keys.BY_ID["open"].shown == "↵"
