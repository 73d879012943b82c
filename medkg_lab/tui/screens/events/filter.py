"""What `/` narrows the stream to: `stage:embed -kind:timeout tocili` and the like. Pure."""

from dataclasses import dataclass

from medkg_lab.tui.screens.events.rows import EventRow

FIELDS = ("type", "stage", "job", "doc")


@dataclass(frozen=True)
class Term:
    """One word of a filter: `text` must occur in `field` (anywhere when that is empty), or must not when `inverse`."""

    field: str
    text: str
    inverse: bool

    def fits(self, row: EventRow) -> bool:
        """Whether the row has what the term asks for."""
        return (self.text in self._value(row)) is not self.inverse

    def _value(self, row: EventRow) -> str:
        match self.field:
            case "type":
                return f"{row.type} {row.state.word}".lower()
            case "stage":
                return row.stage.lower()
            case "job":
                return row.job.lower()
            case "doc":
                return row.document.lower()
        return f"{row.type} {row.state.word} {row.stage} {row.document} {row.job} {row.note}".lower()


@dataclass(frozen=True)
class EventFilter:
    """All terms must fit. Upper and lower case are the same; `-` or `!` before a term turns it round."""

    terms: tuple[Term, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "EventFilter":
        """Read a filter as it is typed; a field that is not known is part of the text."""
        return cls(tuple(term for word in text.lower().split() if (term := _term(word)) is not None))

    def __bool__(self) -> bool:
        return bool(self.terms)

    def fits(self, row: EventRow) -> bool:
        """Whether the row stays; the screen's own remarks always do."""
        return not row.seq or all(term.fits(row) for term in self.terms)

    def text_of(self, field: str) -> str:
        """What is asked of a field (of the text, when that is empty), for the head of the stream."""
        terms = [f"{'not ' if term.inverse else ''}{term.text}" for term in self.terms if term.field == field]
        return " ".join(terms) or ("all" if field else "none")


def _term(word: str) -> Term | None:
    inverse = word[0] in "-!"
    body = word[1:] if inverse else word
    field, colon, text = body.partition(":")
    if colon and field in FIELDS:
        return Term(field, text, inverse) if text else None
    return Term("", body, inverse) if body else None
