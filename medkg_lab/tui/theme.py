"""The colours: tokens in three themes, and the only place that names a colour.

A widget paints spans of (text, token); a token is resolved when a line is painted, so that changing the theme repaints
everything. A span's token may carry `bold`, `reverse`, `underline` or `on cursor` behind its name: `"bad bold"`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from rich.style import Style
from textual.dom import DOMNode
from textual.theme import Theme

TOKENS = (
    "bg",
    "panel",
    "line",
    "cursor",
    "text",
    "muted",
    "accent",
    "run",
    "ok",
    "wait",
    "warn",
    "bad",
    "dead",
)
STATES = ("text", "muted", "accent", "run", "ok", "wait", "warn", "bad", "dead")
"""The tokens that text is written in."""
DEFAULT = "lab-dark"

Span = tuple[str, str]
"""A piece of text and the token it is written in."""
Line = Sequence[Span]


@dataclass(frozen=True)
class Palette:
    """One theme: its name, whether it is dark, and a colour for each of TOKENS."""

    name: str
    dark: bool
    colours: tuple[str, ...]

    def colour(self, token: str) -> str:
        """The colour of a token as #rrggbb."""
        return self.colours[TOKENS.index(token)]

    def style(self, token: str) -> Style:
        """The Rich style of a token with its attributes, such as `"bad bold on cursor"`."""
        return _style(self, token)


@cache
def _style(palette: Palette, token: str) -> Style:
    words = token.split()
    ground = words[words.index("on") + 1] if "on" in words else None
    return Style(
        color=palette.colour(words[0]),
        bgcolor=palette.colour(ground) if ground else None,
        bold="bold" in words or None,
        reverse="reverse" in words or None,
        underline="underline" in words or None,
    )


PALETTES = {
    palette.name: palette
    for palette in (
        Palette(
            "lab-dark",
            True,
            (
                "#0d1317", "#121a1f", "#33454e", "#1d3740", "#dbe5e9", "#91a3ac", "#4fd1c5",
                "#6cb6ff", "#7fd88f", "#f2cc60", "#ff9e5e", "#ff7b72", "#d2a8ff",
            ),
        ),
        Palette(
            "lab-light",
            False,
            (
                "#fbfaf6", "#f3f1ea", "#b9b4a6", "#d5e8e4", "#1c2529", "#55636a", "#00665c",
                "#0a559f", "#1d6630", "#7d4f00", "#97400a", "#aa2018", "#6f2da8",
            ),
        ),
        Palette(
            "lab-contrast",
            True,
            (
                "#000000", "#000000", "#ffffff", "#00326e", "#ffffff", "#d6d6d6", "#5ffff2",
                "#8fd0ff", "#6dff7c", "#ffe14d", "#ffc28a", "#ffb3ad", "#ecc7ff",
            ),
        ),
    )
}  # fmt: skip


def palette(name: str) -> Palette:
    """The palette of a theme; the default one for a theme that is not ours."""
    return PALETTES.get(name, PALETTES[DEFAULT])


def palette_of(node: DOMNode) -> Palette:
    """The colours of what is on the screen, now."""
    return palette(node.app.theme)


def textual_themes() -> list[Theme]:
    """The palettes as Textual themes; every token is a CSS variable of its own name, `$lab-ok` for `ok`."""
    return [_textual(one) for one in PALETTES.values()]


def variables(one: Palette) -> dict[str, str]:
    """A palette's tokens as CSS variables."""
    return {f"lab-{token}": one.colour(token) for token in TOKENS}


def _textual(one: Palette) -> Theme:
    colour = one.colour
    return Theme(
        name=one.name,
        dark=one.dark,
        primary=colour("accent"),
        secondary=colour("run"),
        accent=colour("accent"),
        foreground=colour("text"),
        background=colour("bg"),
        surface=colour("bg"),
        panel=colour("panel"),
        success=colour("ok"),
        warning=colour("warn"),
        error=colour("bad"),
        variables=variables(one)
        | {
            "scrollbar": colour("line"),
            "scrollbar-background": colour("bg"),
            "scrollbar-hover": colour("muted"),
            "scrollbar-active": colour("accent"),
            "scrollbar-corner-color": colour("bg"),
            "border": colour("accent"),
            "input-cursor-background": colour("accent"),
            "input-cursor-foreground": colour("bg"),
            "input-selection-background": colour("cursor"),
        },
    )


def contrast(first: str, second: str) -> float:
    """The contrast of two colours, 1 to 21, by WCAG 2's relative luminance."""
    lighter, darker = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
