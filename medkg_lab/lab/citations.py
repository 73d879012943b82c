"""Documents as reference managers read them: RIS and BibTeX. All of it is pure."""

import re
import unicodedata
from collections.abc import Iterable, Sequence

from medkg_lab.knowledge.answers import PublishedDocument

_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "%": r"\%",
    "&": r"\&",
    "#": r"\#",
    "_": r"\_",
    "$": r"\$",
    "~": r"\~{}",
    "^": r"\^{}",
}
_ADDRESSES = {
    "doi": "https://doi.org/{}",
    "pmc": "https://pmc.ncbi.nlm.nih.gov/articles/{}/",
    "pmid": "https://pubmed.ncbi.nlm.nih.gov/{}/",
    "nct": "https://clinicaltrials.gov/study/{}",
}


def ris(documents: Iterable[PublishedDocument]) -> str:
    """RIS records (https://en.wikipedia.org/wiki/RIS_(file_format)), one for each document."""
    return "".join(_ris(one) for one in documents)


def _ris(document: PublishedDocument) -> str:
    known = _Known(document)
    fields: list[tuple[str, str]] = [("TY", "JOUR" if known.is_article else "GEN"), ("ID", document.doc_id)]
    fields += [("TI", known.title), *(("AU", name) for name in known.authors)]
    fields += [
        (tag, known.text(key)) for tag, key in (("JO", "journal"), ("VL", "volume"), ("IS", "issue"), ("SN", "issn"))
    ]
    fields += [("SP", known.text("first_page")), ("EP", known.text("last_page")), ("PY", known.year)]
    fields += [("DO", known.text("doi")), ("AN", known.text("pmid") or known.text("nct")), ("C2", known.text("pmc"))]
    fields += [("UR", known.address), ("PB", known.text("publisher") or known.text("sponsor"))]
    if known.is_retracted:
        fields.append(("N1", "RETRACTED"))
    return "".join(f"{tag}  - {_line(value)}\r\n" for tag, value in fields if value) + "ER  - \r\n\r\n"


def bibtex(documents: Iterable[PublishedDocument]) -> str:
    """BibTeX entries in UTF-8, one for each document, with keys of author, year and a word of the title."""
    seen: dict[str, int] = {}
    entries = []
    for document in documents:
        known = _Known(document)
        key = known.key
        seen[key] = seen.get(key, 0) + 1
        if seen[key] > 1:
            key += f"-{seen[key]}"
        entries.append(_entry(known, key))
    return "\n".join(entries)


def _entry(known: "_Known", key: str) -> str:
    pages = "--".join(filter(None, (known.text("first_page"), known.text("last_page"))))
    fields = {
        "title": known.title,
        "author": " and ".join(f"{{{name}}}" if " " not in name else name for name in map(_latex, known.authors)),
        "journal": known.text("journal"),
        "year": known.year,
        "volume": known.text("volume"),
        "number": known.text("issue"),
        "pages": pages,
        "issn": known.text("issn"),
        "doi": known.text("doi"),
        "pmid": known.text("pmid"),
        "pmcid": known.text("pmc"),
        "url": known.address,
        "note": "Retracted" if known.is_retracted else known.text("nct"),
    }
    plain = ("author", "doi", "url")
    lines = [f"  {name} = {{{value if name in plain else _latex(value)}}}," for name, value in fields.items() if value]
    return "\n".join([f"@{'article' if known.is_article else 'misc'}{{{key},", *lines, "}", ""])


class _Known:
    """What a document says of itself, as texts."""

    def __init__(self, document: PublishedDocument) -> None:
        self._metadata = document.metadata
        self.doc_id = document.doc_id
        self.title = _line(document.title or self.doc_id)
        authors = self._metadata.get("authors")
        self.authors: Sequence[str] = (
            [_inverted(_line(str(name))) for name in authors] if isinstance(authors, list) else []
        )

    def text(self, key: str) -> str:
        value = self._metadata.get(key)
        return _line(str(value)) if isinstance(value, str | int) and not isinstance(value, bool) else ""

    @property
    def is_article(self) -> bool:
        return bool(self.text("journal"))

    @property
    def is_retracted(self) -> bool:
        return self._metadata.get("retracted") is True

    @property
    def year(self) -> str:
        return self.text("year") or self.text("start_date")[:4]

    @property
    def address(self) -> str:
        return next((form.format(self.text(key)) for key, form in _ADDRESSES.items() if self.text(key)), "")

    @property
    def key(self) -> str:
        family = self.authors[0].partition(",")[0] if self.authors else self.doc_id.rpartition(":")[2]
        word = next((one for one in re.findall(r"[A-Za-z]{4,}", _ascii(self.title))), "")
        return re.sub(r"[^A-Za-z0-9]", "", _ascii(family))[:40] + self.year + word.lower()


def _inverted(name: str) -> str:
    """`Anna B Müller` as `Müller, Anna B`; names of groups and names of one word stay as they are."""
    given, _, family = name.rpartition(" ")
    is_group = re.search(
        r"\b(?:the|group|consortium|study|team|committee|network|collaborat\w+|investigators)\b", name, re.IGNORECASE
    )
    return name if "," in name or not given or is_group else f"{family}, {given}"


def _ascii(text: str) -> str:
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()


def _line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _latex(text: str) -> str:
    return "".join(_LATEX.get(c, c) for c in text)


FORMATS = {"ris": ris, "bibtex": bibtex}
