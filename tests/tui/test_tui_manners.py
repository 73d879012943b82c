"""The screen's manners without a lab: keys, palette, help, jump, themes, sizes, leaving, crashes."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from rich.cells import cell_len
from textual.widgets import Input

from medkg_lab.lab.facade import Lab
from medkg_lab.tui import glyphs, keys, theme
from medkg_lab.tui.app import LabApp
from medkg_lab.tui.modes import MODES
from medkg_lab.tui.theme import PALETTES, STATES, contrast
from tests.tui.screens import Screen, opened

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def screen(short_tmp: Path) -> AsyncIterator[Screen]:
    """The screen of a folder in which no lab runs."""
    async with opened(short_tmp) as found:
        yield found


async def test_without_a_lab_every_mode_opens_and_says_so(screen: Screen) -> None:
    await screen.sees("no lab is running here", ":start")
    for mode in MODES:
        await screen.press(str(mode.number))
        await screen.until(lambda mode=mode: screen.app.mode.word == mode.word, mode.word)  # type: ignore[misc]
        await screen.sees("no lab")
        if isinstance(screen.app.focused, Input):
            await screen.press("tab")


async def test_dash_and_escape_go_back_and_never_leave(screen: Screen) -> None:
    await screen.press("2", "7", "minus")
    assert screen.app.mode.word == "jobs"
    await screen.press("escape", "escape", "escape", "escape")
    assert screen.app.is_running


async def test_help_says_what_the_mode_shows_and_its_keys(screen: Screen) -> None:
    for key in ("question_mark", "f1"):
        await screen.press("2", key)
        await screen.sees("Help · Jobs", "Same from the shell", "medkg-lab jobs list")
        await screen.press(key)
        await screen.misses("Help · Jobs")


async def test_the_palette_finds_actions_modes_and_commands(screen: Screen) -> None:
    await screen.press("ctrl+p")
    await screen.type("go to logs")
    await screen.sees("Go to Logs  7")
    await screen.press("enter")
    await screen.until(lambda: screen.app.mode.word == "logs", "the Logs mode")


async def test_commands_complete_by_tab_and_come_back_by_up(screen: Screen) -> None:
    await screen.press("colon")
    await screen.type("theme li")
    await screen.press("tab", "enter")
    assert screen.app.theme == "lab-light"
    await screen.press("colon", "up")
    assert screen.app.mode.query_one("#typeline").value == "theme light"  # type: ignore[attr-defined]
    await screen.press("escape", "colon")
    await screen.type("nonsense")
    await screen.press("enter")
    await screen.sees("There is no command")
    await screen.press("colon")
    await screen.type("messages")
    await screen.press("enter")
    await screen.sees("Messages", "There is no command")


async def test_jump_puts_letters_on_regions_and_focuses(screen: Screen) -> None:
    await screen.press("ctrl+o")
    await screen.sees(" a ", " s ", "a letter takes the focus")
    await screen.press("a")
    await screen.misses("a letter takes the focus")
    assert screen.app.focused is not None
    assert screen.app.focused.id == "needs"


async def test_zoom_shows_one_region_alone(screen: Screen) -> None:
    await screen.press("z")
    await screen.misses("Machine")
    await screen.press("z")
    await screen.sees("Machine")


async def test_every_theme_is_reached_by_its_key(screen: Screen) -> None:
    seen = set()
    for _ in PALETTES:
        await screen.press("T")
        seen.add(screen.app.theme)
    assert seen == set(PALETTES)


async def test_too_small_a_terminal_says_so_and_a_storm_of_sizes_is_survived(screen: Screen) -> None:
    for width, height in ((50, 10), (200, 60), (61, 17), (80, 24), (10, 5), (300, 90), (120, 40)) * 6:
        await screen.pilot.resize_terminal(width, height)
    await screen.sees("Processes")
    await screen.pilot.resize_terminal(52, 14)
    await screen.sees("medkg-lab needs 60×16, this is 52×14")


async def test_ctrl_c_twice_leaves(screen: Screen) -> None:
    await screen.press("ctrl+c")
    await screen.sees("Ctrl+C again leaves the screen")
    await screen.press("ctrl+c")
    await screen.until(lambda: not screen.app.is_running, "the screen being left")


async def test_quit_without_a_lab_leaves_at_once(screen: Screen) -> None:
    await screen.press("q")
    await screen.until(lambda: not screen.app.is_running, "the screen being left")


async def test_clicks_change_the_mode_and_act(screen: Screen) -> None:
    bar = screen.text.splitlines()[0]
    await screen.pilot.click("#bar", offset=(bar.index("2 Jobs") + 1, 0))
    assert screen.app.mode.word == "jobs"
    await screen.sees("? help")
    footer = screen.text.splitlines()[-1]
    await screen.pilot.click("#footer", offset=(footer.index("? help"), 0))
    await screen.sees("Help · Jobs")


async def test_a_fault_of_the_screen_ends_in_a_sentence_and_a_report(short_tmp: Path) -> None:
    app = LabApp(Lab.at(short_tmp), start=False)
    secret = "a patient's name"

    def fault() -> None:
        hidden = secret
        raise ZeroDivisionError(f"{len(hidden)} by nothing")

    with pytest.raises(ZeroDivisionError):
        async with app.run_test() as pilot:
            app.call_later(fault)
            await pilot.pause()
    shown = " ".join(str(each) for each in app._exit_renderables)
    report = app.lab.locations.state / "screen-stopped.txt"
    assert "by nothing" in report.read_text()
    assert secret not in shown
    assert "Traceback" not in shown


async def test_keys_are_rebound_by_id_and_clashes_are_refused(short_tmp: Path) -> None:
    lab = Lab.at(short_tmp)
    lab.locations.config.mkdir(parents=True)
    file = lab.locations.config / "keys.toml"
    file.write_text('help = "f2"\n')
    async with opened(short_tmp) as screen:
        await screen.press("f2")
        await screen.sees("Help · Lab")
        await screen.sees("f2")
    for text, words in (
        ('why = "q"', "claimed by"),
        ('why = "3"', "claimed by a mode"),
        ('why = "j"', "moves the cursor"),
        ('nosuch = "f5"', "no action called 'nosuch'"),
        ("why = 5", "must be a text"),
        ("why = ", "keys.toml"),
        ("why = " + "9" * 5000, "keys.toml"),
        ("why = " + "[" * 5000, "keys.toml"),
        ("why = '\0'", "keys.toml"),
    ):
        file.write_text(text)
        with pytest.raises(keys.KeysInvalid, match=words):
            LabApp(lab)


async def test_no_two_actions_share_a_key_and_every_footer_fits_80_columns() -> None:
    assert keys.clashes(keys.ACTIONS) == []
    known = keys.BY_ID
    for mode in MODES:
        screen: Any = mode.load()
        footer = screen.footer
        ids = [*footer[: keys.FOOTER_LIMIT - 1], "help"]
        assert len(footer) <= keys.FOOTER_LIMIT, mode.title
        text = " " + "".join(f"{known[each].shown} {known[each].word}  " for each in ids)
        assert cell_len(text.rstrip()) <= 80, (mode.title, text)


async def test_modes_have_numbers_words_and_help_of_their_own() -> None:
    numbered = [(at + 1) % 10 if at < 10 else None for at in range(len(MODES))]
    assert [mode.number for mode in MODES] == numbered, "as the keys stand in their row"
    assert len({mode.word for mode in MODES}) == len(MODES)
    for mode in MODES:
        screen: Any = mode.load()
        assert screen.word == mode.word
        assert screen.about
        assert screen.twins


@pytest.mark.parametrize("name", PALETTES)
async def test_text_has_contrast_on_every_ground(name: str) -> None:
    palette = PALETTES[name]
    least = 7.0 if name == "lab-contrast" else 4.5
    for token in STATES:
        for ground in ("bg", "panel", "cursor"):
            found = contrast(palette.colour(token), palette.colour(ground))
            assert found >= least, f"{token} on {ground}: {found:.2f}"


async def test_every_state_is_one_cell_a_word_and_has_a_plain_sign() -> None:
    for state in glyphs.ALL:
        assert cell_len(state.glyph) == 1
        assert len(state.plain) == 1
        assert state.plain.isascii()
        assert state.word
        assert state.token in theme.TOKENS
