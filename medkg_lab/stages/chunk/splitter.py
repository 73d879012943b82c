"""The chunk stage: runs of text split by haystack, tables by rows, every passage traced back to its blocks."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from tokenizers import Tokenizer

from medkg_lab.models.documents import Block, Chunk, ChunkSpan, Document
from medkg_lab.stages.chunk.errors import NothingToChunk
from medkg_lab.stages.chunk.options import SplitterOptions
from medkg_lab.stages.chunk.runs import BLOCK_JOIN, ROW_JOIN, Run, TableRun, group_blocks
from medkg_lab.stages.chunk.splitters import Splitter
from medkg_lab.stages.chunk.tokens import SPECIAL_TOKENS, Range, TokenMap
from medkg_lab.stages.chunk.windows import gather
from medkg_lab.stages.contracts import StageContext
from medkg_lab.stages.limits import check_size

# Tables cut into passages by rows, the header before each.
_LARGEST_HEADER = 0.5
"""A header that takes more than this share of a passage is not repeated."""
LONGEST_HEAD = 4000
"""Characters of a header or caption that is repeated at most: a word of any length is one token."""


def table_parts(tokens: TokenMap, header_rows: int, limit: int) -> list[tuple[Range, ...]]:
    """The ranges of each passage of a table: header first, where there is one, then as many rows as fit in `limit` tokens."""
    rows = [match.span() for match in re.finditer(r"[^\n]+", tokens.text)]
    header: tuple[Range, ...] = ()
    if 0 < header_rows < len(rows):
        top = (rows[0][0], rows[header_rows - 1][1])
        if tokens.count(*top) <= limit * _LARGEST_HEADER and top[1] - top[0] <= LONGEST_HEAD:
            header, rows = (top,), rows[header_rows:]
    left = limit - (tokens.count(*header[0]) if header else 0)
    windows = gather(rows, tokens.count, length=len(rows), overlap=0, threshold=0, limit=left)
    stretches = [(rows[first][0], rows[last - 1][1]) for first, last in windows]
    return [(*header, part) for start, end in stretches for part in tokens.cut(start, end, left)]


@dataclass(frozen=True)
class Passage:
    """What a chunk will be, before chunks are numbered."""

    spans: tuple[ChunkSpan, ...]
    section: tuple[str, ...]
    is_table: bool


class HaystackSplitter:
    """Cuts documents into passages of `max_tokens` tokens at most."""

    def __init__(self, options: SplitterOptions, splitter: Splitter, tokenizer: Tokenizer) -> None:
        self._options = options
        self._split = splitter
        self._tokenizer = tokenizer
        self._limit = options.max_tokens - SPECIAL_TOKENS

    def execute(self, context: StageContext, item: Document) -> tuple[Chunk, ...]:
        """Chunk one document. Raises NothingToChunk, TooManyBlocks and TooMuchText."""
        return self.chunk(item)

    def chunk(self, document: Document) -> tuple[Chunk, ...]:
        """The document's passages in reading order. Raises NothingToChunk, TooManyBlocks and TooMuchText."""
        check_size(document.blocks)
        passages: list[Passage] = []
        for run in group_blocks(document.blocks, self._options.within_sections, self._options.include_references):
            passages += self._table(document, run) if isinstance(run, TableRun) else self._text(document, run)
        if not passages:
            raise NothingToChunk(
                doc_id=document.doc_id, detail=f"none of its {len(document.blocks)} blocks is prose or a table"
            )
        passages.sort(key=lambda passage: (passage.spans[0].block, passage.is_table))
        return tuple(_chunk(document, number, passage) for number, passage in enumerate(passages))

    def _text(self, document: Document, run: Run) -> Iterator[Passage]:
        joined = Joined(run.blocks, [document.blocks[number].text for number in run.blocks])
        tokens = TokenMap(joined.text, self._tokenizer)
        for start, end in self._ranges(tokens):
            if spans := joined.spans(start, end):
                yield Passage(spans, run.section, is_table=False)

    def _ranges(self, tokens: TokenMap) -> list[Range]:
        ranges = self._split(tokens.text)
        if self._options.split_by in ("sentence", "section"):
            windows = gather(
                ranges,
                tokens.count,
                length=self._options.split_length if self._options.split_by == "sentence" else len(ranges),
                overlap=self._options.split_overlap,
                threshold=self._options.split_threshold,
                limit=self._limit,
            )
            ranges = [(ranges[first][0], ranges[last - 1][1]) for first, last in windows]
        return [part for start, end in ranges for part in tokens.cut(start, end, self._limit)]

    def _table(self, document: Document, run: TableRun) -> Iterator[Passage]:
        block = document.blocks[run.table]
        caption = document.blocks[run.caption] if run.caption is not None else None
        tokens = TokenMap(block.text, self._tokenizer)
        before = TokenMap(caption.text, self._tokenizer).count(0, len(caption.text)) if caption else 0
        fits = caption is not None and before <= self._limit // 2 and len(caption.text) <= LONGEST_HEAD
        head = _whole(run.caption, caption) if fits else ()
        if caption and not head:
            yield from self._text(document, Run((run.table - 1,), run.section))
        header_rows = block.table.header_rows if block.table else 0
        joined = Joined((run.table,), (block.text,))
        for ranges in table_parts(tokens, header_rows, self._limit - (before if head else 0)):
            spans = tuple(span for each in ranges for span in joined.spans(*each))
            if spans:
                yield Passage((*head, *spans), run.section, is_table=True)


def text_of(document: Document, spans: Sequence[ChunkSpan], is_table: bool) -> str:
    """The text that `spans` stand for: this is every chunk's `text`."""
    parts = (document.blocks[span.block].text[span.start : span.end] for span in spans)
    return (ROW_JOIN if is_table else BLOCK_JOIN).join(parts)


def _chunk(document: Document, number: int, passage: Passage) -> Chunk:
    return Chunk(
        chunk_id=f"{document.doc_id}#{number}",
        doc_id=document.doc_id,
        number=number,
        text=text_of(document, passage.spans, passage.is_table),
        section=passage.section,
        spans=passage.spans,
        page=document.blocks[passage.spans[0].block].place.page,
        kind="table" if passage.is_table else "text",
    )


class Joined:
    """The texts of some blocks as one text, which knows what of each block a stretch of it covers."""

    def __init__(self, numbers: Sequence[int], texts: Sequence[str]) -> None:
        self.text = BLOCK_JOIN.join(texts)
        self._numbers, self._texts = numbers, texts
        self._starts = list(accumulate((len(text) + len(BLOCK_JOIN) for text in texts[:-1]), initial=0))

    def spans(self, start: int, end: int) -> tuple[ChunkSpan, ...]:
        """The parts of the blocks that `start:end` covers, without white space at their ends."""
        found = []
        for place in range(max(bisect_right(self._starts, start) - 1, 0), bisect_left(self._starts, end)):
            text, offset = self._texts[place], self._starts[place]
            a, b = max(start - offset, 0), min(end - offset, len(text))
            piece = text[a:b] if a < b else ""
            if kept := piece.strip():
                a += len(piece) - len(piece.lstrip())
                found.append(ChunkSpan(block=self._numbers[place], start=a, end=a + len(kept)))
        return tuple(found)


def _whole(number: int | None, block: Block | None) -> tuple[ChunkSpan, ...]:
    if number is None or block is None:
        return ()
    return Joined((number,), (block.text,)).spans(0, len(block.text))
