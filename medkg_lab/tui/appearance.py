"""How the screen is to look: the command line first, then the environment, then the settings, then the terminal itself."""

import os

from medkg_lab.lab.facade import Lab
from medkg_lab.settings import ScreenSettings, SettingsInvalid
from medkg_lab.tui import ascii_filter, background

THEME_VARIABLE = "MEDKG_LAB_THEME"
USUAL = ScreenSettings()


def chosen_appearance(lab: Lab, given: str | None) -> ScreenSettings:
    """How the screen of `lab` is to look; `given` is the theme of the command line. `auto` is resolved by the terminal."""
    try:
        kept = lab.settings.screen
    except SettingsInvalid:
        kept = (
            USUAL  # the screen opens all the same, and its first question to the lab says what is wrong with the file
        )
    theme = given or os.environ.get(THEME_VARIABLE, "").removeprefix("lab-") or kept.theme
    if theme == "auto":
        colour = background.query_background()
        theme = "light" if colour is not None and background.is_light(colour) else "dark"
    return kept.model_copy(update={"theme": theme, "ascii": kept.ascii or ascii_filter.wanted()})
