"""Counting the embedding model's tokens, and cutting text that has too many."""

from bisect import bisect_left

from tokenizers import Tokenizer

Range = tuple[int, int]

SPECIAL_TOKENS = 2
"""[CLS] and [SEP], which stand around every text."""


class TokenMap:
    """Where the tokens of one text start, so that any stretch of it is counted without tokenizing again.

    WordPiece never joins characters across white space or punctuation, so a stretch that is cut there has as many tokens alone
    as within the text.
    """

    def __init__(self, text: str, tokenizer: Tokenizer) -> None:
        self.text = text
        self._starts: list[int] = [start for start, _ in tokenizer.encode(text, add_special_tokens=False).offsets]

    def count(self, start: int, end: int) -> int:
        """The number of tokens that start in `text[start:end]`."""
        return bisect_left(self._starts, end) - bisect_left(self._starts, start)

    def cut(self, start: int, end: int, limit: int) -> list[Range]:
        """Cut a stretch into parts of about the same size, `limit` tokens at most, at white space where there is some."""
        parts: list[Range] = []
        while (count := self.count(start, end)) > limit:
            size = -(-count // -(-count // limit))
            stop = self._starts[bisect_left(self._starts, start) + size]
            space = max(self.text.rfind(" ", start + 1, stop), self.text.rfind("\n", start + 1, stop))
            stop = space + 1 if space > start else stop
            parts.append((start, stop))
            start = stop
        return [*parts, (start, end)]
