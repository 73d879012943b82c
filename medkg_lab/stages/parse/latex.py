"""LaTeX formulas as a line of text: `$1 0 ^ { 6 }$` is `10^6`, `$\\mathrm { C O } _ { 2 }$` is `CO2`.

Converters that recognise formulas put spaces between all tokens, so that spaces in mathematics mean nothing; those that count are
written (`~`, `\\,`, `\\quad`, or within `\\text`). What is not known keeps its name without the backslash.
"""

import re
import unicodedata
from collections.abc import Iterator

from medkg_lab.stages.parse.scripts import subscript, superscript, with_brackets
from medkg_lab.stages.parse.text import words

_MAX_DEPTH = 12
_LONGEST = 20_000
"""Characters of a formula that are read; a longer one stays as it is."""
_TOKEN = re.compile(r"\\[A-Za-z]+\*?|\\.|\s+|.", re.DOTALL)
_SYMBOLS = {
    "times": "×", "cdot": "·", "pm": "±", "mp": "∓", "div": "÷", "leq": "≤", "le": "≤", "leqslant": "≤", "geq": "≥", "ge": "≥",
    "geqslant": "≥", "neq": "≠", "ne": "≠", "approx": "≈", "sim": "~", "simeq": "≃", "equiv": "≡", "cong": "≅", "propto": "∝",
    "ll": "≪", "gg": "≫", "lt": "<", "gt": ">", "rightarrow": "→", "to": "→", "leftarrow": "←", "leftrightarrow": "↔",
    "Rightarrow": "⇒", "Leftrightarrow": "⇔", "uparrow": "↑", "downarrow": "↓", "infty": "∞", "partial": "∂", "nabla": "∇",
    "sum": "∑", "prod": "∏", "int": "∫", "in": "∈", "notin": "∉", "subset": "⊂", "cup": "∪", "cap": "∩", "forall": "∀",
    "exists": "∃", "circ": "°", "degree": "°", "prime": "′", "dagger": "†", "ddagger": "‡", "ast": "*", "star": "⋆",
    "bullet": "•", "ldots": "…", "dots": "…", "cdots": "⋯", "mid": "|", "vert": "|", "Vert": "‖", "parallel": "‖", "langle": "⟨",
    "rangle": "⟩", "lbrace": "{", "rbrace": "}", "backslash": "\\", "AA": "Å", "ell": "ℓ", "hbar": "ℏ", "varepsilon": "ε",
    "vartheta": "ϑ", "varphi": "φ", "varrho": "ρ", "varsigma": "ς", "lambda": "λ", "Lambda": "Λ", "textdegree": "°",
    "textmu": "μ", "textregistered": "®", "texttrademark": "™", "copyright": "©", "S": "§", "P": "¶", "emptyset": "∅",
    "triangle": "△", "perp": "⊥", "wedge": "∧", "vee": "∨", "neg": "¬", "lfloor": "⌊", "rfloor": "⌋", "lceil": "⌈", "rceil": "⌉",
    "max": "max", "min": "min",
}  # fmt: skip
_SPACES = {
    "quad": " ",
    "qquad": " ",
    ",": " ",
    ";": " ",
    ":": " ",
    " ": " ",
    "\\": " ",
    "newline": " ",
    "!": "",
    "hspace": " ",
}
_ACCENTS = {
    "hat": "\u0302",
    "widehat": "\u0302",
    "bar": "\u0304",
    "overline": "\u0304",
    "tilde": "\u0303",
    "vec": "\u20d7",
    "dot": "\u0307",
    "ddot": "\u0308",
}
_WITHOUT_TEXT = words(
    """left right big Big bigg Bigg bigl bigr displaystyle textstyle scriptstyle scriptscriptstyle limits nolimits boldmath rm bf
    it sf tt nonumber"""
)
_WITH_A_NAME = frozenset({"begin", "end", "label", "tag", "vspace", "color"})
_TEXTS = frozenset({"text", "textrm", "textbf", "textit", "textsf", "mbox", "hbox"})
_RELATIONS = re.compile(r"\s*([<>=≤≥≈≠≃≡±×÷→←∝≪≫]|(?<=\w)~(?=\s*\d))\s*")
_LONE_LETTERS = re.compile(r"\S(?: \S)+")
_UNIT_GAP = re.compile(r"(?<=\d)%")


def latex_text(source: str) -> str:
    """The text of a formula."""
    return " ".join(with_brackets(latex_piece(source, "")).split())


def latex_piece(source: str, before: str) -> str:
    """The formula's text within a line that so far ends with `before`; the line is to be settled at its end."""
    if len(source) > _LONGEST:
        return source
    made = _Reader([found[0] for found in _TOKEN.finditer(source)]).group(before, 0)
    return _UNIT_GAP.sub(" %", _RELATIONS.sub(r" \1 ", made)).strip()


class _Reader:
    """Reads tokens from the left; `place` is the next."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._place = 0

    def group(self, before: str, depth: int) -> str:
        """The text up to the brace that closes this group."""
        made = ""
        while self._place < len(self._tokens):
            token = self._tokens[self._place]
            self._place += 1
            if token == "}":
                break
            made += self._one(token, before + made, depth)
        return made

    def _one(self, token: str, before: str, depth: int) -> str:
        if token in "^_" and token:
            script = with_brackets(self._argument(depth))
            return superscript(before, script) if token == "^" else subscript(before, script)
        if token == "{":
            return self.group(before, depth + 1) if depth < _MAX_DEPTH else ""
        if token.isspace() or token == "$":
            return ""
        if token in ("~", "&"):
            return " "
        return self._command(token[1:], depth) if token[0] == "\\" and len(token) > 1 else token

    def _command(self, name: str, depth: int) -> str:
        name = name.rstrip("*")
        if name in _SPACES:
            return _SPACES[name]
        if name in _WITHOUT_TEXT:
            return ""
        if name in _WITH_A_NAME:
            self._argument(depth)
            return ""
        if name in _TEXTS:
            return self._words()
        if name in ("frac", "dfrac", "tfrac"):
            return f"{_bracketed(self._argument(depth))}/{_bracketed(self._argument(depth))}"
        if name == "sqrt":
            return f"√{_bracketed(self._argument(depth))}"
        if name in _ACCENTS:
            return unicodedata.normalize("NFC", self._argument(depth) + _ACCENTS[name])
        return _SYMBOLS.get(name) or _greek(name) or (name if not _is_styling(name) else self._argument(depth))

    def _argument(self, depth: int) -> str:
        """The next group or token."""
        while self._place < len(self._tokens) and self._tokens[self._place].isspace():
            self._place += 1
        if self._place == len(self._tokens) or depth >= _MAX_DEPTH:
            return ""
        token = self._tokens[self._place]
        self._place += 1
        return self.group("", depth + 1) if token == "{" else self._one(token, "", depth + 1)

    def _words(self) -> str:
        """The next group as running text, where spaces count; letters one by one are a word."""
        pieces = list(self._raw_group())
        text = "".join(pieces)
        return text.replace(" ", "") if _LONE_LETTERS.fullmatch(text.strip()) else text

    def _raw_group(self) -> Iterator[str]:
        while self._place < len(self._tokens) and self._tokens[self._place].isspace():
            self._place += 1
        if self._place < len(self._tokens) and self._tokens[self._place] == "{":
            self._place += 1
            while self._place < len(self._tokens) and self._tokens[self._place] != "}":
                token = self._tokens[self._place]
                yield token[1:] if token[0] == "\\" and len(token) == 2 else " " if token.isspace() else token
                self._place += 1
            self._place += 1


def _is_styling(name: str) -> bool:
    return name.startswith(
        ("math", "text", "operatorname", "boldsymbol", "bm", "pmb", "underline", "underset", "phantom")
    )


def _greek(name: str) -> str:
    size = "CAPITAL" if name[:1].isupper() else "SMALL"
    try:
        return unicodedata.lookup(f"GREEK {size} LETTER {name.upper()}")
    except KeyError:
        return ""


def _bracketed(text: str) -> str:
    text = with_brackets(text).strip()
    return text if len(text) <= 1 or text.isalnum() else f"({text})"


_INLINE = re.compile(r"[ ]?(?:\$([^$\n]{1,2000})\$|\\\((.{1,2000}?)\\\)|\\\[(.{1,2000}?)\\\])")
_RAISED = re.compile(r"\s*(?:\{\s*\})?\s*\^\s*(?:\{[^{}]*\}|\S)\s*")
"""A formula that is a superscript of the word before it."""
_MATHEMATICAL = re.compile(r"[\\^_{}]|^\s*\S(?:\s\S)*\s*$")
_WORD = re.compile(r"[A-Za-z]{3,}")


def with_formulas(text: str) -> str:
    """Running text with its inline formulas (`$…$`, `\\(…\\)`) as text; a dollar sign before a price stays."""
    if "$" not in text and "\\(" not in text and "\\[" not in text:
        return text
    made = ""
    place = 0
    for found in _INLINE.finditer(text):
        source = next(one for one in found.groups() if one is not None)
        if not _MATHEMATICAL.search(source) or (_WORD.search(source) and "\\" not in source and "^" not in source):
            continue
        made += text[place : found.start()]
        # A number that leads a word, as in `$^{99m}$Tc`, belongs to the word behind it.
        raised = bool(_RAISED.fullmatch(source)) and not text[found.end() : found.end() + 1].isalpha()
        gap = " " if found[0][0] == " " and not raised else ""
        made += gap + latex_piece(source, made[-80:] if not gap else "")
        place = found.end()
        rest = text[place:]
        if re.match(r" [,.;:)\]]| -[A-Za-z]", rest):
            place += 1
    return with_brackets(made + text[place:])
