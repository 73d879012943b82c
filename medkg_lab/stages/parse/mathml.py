"""MathML as a line of text: `(a+b)/2`, `x_i^2`, `√(y)`."""

from medkg_lab.stages.parse.xml import Element, entity_text, local_name

_SCRIPTS = {
    "msub": ("_",),
    "munder": ("_",),
    "msup": ("^",),
    "mover": ("^",),
    "msubsup": ("_", "^"),
    "munderover": ("_", "^"),
}
_IGNORED = {"annotation", "annotation-xml"}
_FENCE = ("(", ")", ",")


def math_text(element: Element) -> str:
    """The formula under `element`, with the white space of its source."""
    name = local_name(element)
    if name == "&":
        return entity_text(element)
    if name in _IGNORED:
        return ""
    parts = [math_text(item) for item in element]
    if name in _SCRIPTS and len(parts) > len(_SCRIPTS[name]):
        return parts[0] + "".join(
            m + _group(part) for m, part in zip(_SCRIPTS[name], parts[1:], strict=False) if part.strip()
        )
    if name == "mfrac" and len(parts) == 2:
        return f"{_group(parts[0])}/{_group(parts[1])}"
    if name in ("msqrt", "mroot"):
        return f"√({''.join(parts[:1] if name == 'mroot' else parts)})" + "".join(
            f"^(1/{p})" for p in parts[1:] if name == "mroot"
        )
    if name == "mfenced":
        opening, closing = element.get("open", _FENCE[0]), element.get("close", _FENCE[1])
        return opening + element.get("separators", _FENCE[2])[:1].join(parts) + closing
    if name == "mtable":
        return "; ".join(parts)
    if name in ("mtr", "mlabeledtr"):
        return ", ".join(parts)
    if name in ("mspace", "maligngroup", "malignmark"):
        return " "
    return _with_tails(element, parts)


def _with_tails(element: Element, parts: list[str]) -> str:
    pieces = [_written(element.text)]
    for item, part in zip(element, parts, strict=True):
        pieces += [part, _written(item.tail)]
    return "".join(pieces)


def _written(text: str | None) -> str:
    """White space between elements is the layout of the file, not part of the formula."""
    return text if text and text.strip() else ""


def _group(text: str) -> str:
    stripped = text.strip()
    return stripped if len(stripped) <= 1 or stripped.isalnum() else f"({stripped})"
