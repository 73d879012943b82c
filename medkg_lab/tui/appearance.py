"""How the screen is to look: the command line first, then the environment, then the settings, then the terminal itself."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, cast, get_args

import msgspec

from medkg_lab.lab.facade import Lab
from medkg_lab.locations import SETTINGS
from medkg_lab.tui import ascii_filter, background

THEME_VARIABLE = "MEDKG_LAB_THEME"
Theme = Literal["auto", "dark", "light", "contrast"]


@dataclass(frozen=True)
class Appearance:
    """The section `screen` of the settings, as `settings.ScreenSettings` checks it. It is read apart from the rest: to make the
    model of all settings takes longer than the first frame may."""

    theme: Theme = "auto"
    ascii: bool = False
    reduced_motion: bool = False


USUAL = Appearance()


def chosen_appearance(lab: Lab, given: str | None) -> Appearance:
    """How the screen of `lab` is to look; `given` is the theme of the command line. `auto` is resolved by the terminal."""
    configured = _configured(lab)
    wanted = given or os.environ.get(THEME_VARIABLE, "").removeprefix("lab-")
    theme = cast("Theme", wanted) if wanted in get_args(Theme) else configured.theme
    if theme == "auto":
        colour = background.query_background()
        theme = "light" if colour is not None and background.is_light(colour) else "dark"
    return replace(configured, theme=theme, ascii=configured.ascii or ascii_filter.wanted())


def _configured(lab: Lab) -> Appearance:
    """What the settings say; the usual where they are wrong: the screen opens all the same, and its first question to the lab
    says what is wrong with the file."""
    path = lab.locations.config / SETTINGS
    if not path.exists():
        return USUAL
    # Here, so that a lab without settings does not wait for what reads YAML.
    from medkg_lab import yaml_source

    value = yaml_source.read(path).value
    section = value.get("screen") if isinstance(value, Mapping) else None
    try:
        return msgspec.convert(section or {}, Appearance)
    except msgspec.ValidationError:
        return USUAL
