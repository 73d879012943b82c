"""Texts to measure with: the bundled documents, and as many abstracts as are asked for, made of their sentences."""

import random
from collections.abc import Sequence
from functools import cache

from medkg_lab.models.documents import Block, BlockKind, Chunk, ChunkSpan, Document, Place
from medkg_lab.sources.files import expand
from medkg_lab.stages.chunk.sentences import split
from medkg_lab.stages.parse.auto import parse
from medkg_lab.topology import bundled

SENTENCES = 9
"""Sentences in an abstract: with the bundled documents' about as many words as an abstract in MEDLINE has, 200."""
_FEWEST_WORDS = 8


@cache
def files() -> tuple[tuple[str, bytes], ...]:
    """The bundled trials and articles, one document each, with their names."""
    folder = bundled.folder() / "demo"
    return tuple((one.name, one.data) for part in ("trials", "articles") for one in expand(folder / part))


@cache
def documents() -> tuple[Document, ...]:
    """The bundled trials and articles, parsed."""
    return tuple(parse(data, f"bench:{number}", "bench") for number, (_, data) in enumerate(files()))


@cache
def sentences() -> tuple[str, ...]:
    """The sentences of the bundled documents that are neither headings nor fragments."""
    texts = (
        block.text for document in documents() for block in document.blocks if block.kind is not BlockKind.REFERENCE
    )
    found = (sentence.strip() for text in texts for sentence in split(text))
    return tuple(dict.fromkeys(sentence for sentence in found if len(sentence.split()) >= _FEWEST_WORDS))


def abstracts(count: int, seed: int = 0) -> list[str]:
    """Texts of SENTENCES sentences each, drawn at random; the same seed gives the same texts."""
    draw = random.Random(seed)
    return [" ".join(draw.sample(sentences(), SENTENCES)) for _ in range(count)]


def passages(count: int, seed: int = 2) -> list[str]:
    """Texts of 1 to 2 * SENTENCES - 1 sentences each, as chunks of documents have them; the same seed gives the same texts."""
    draw = random.Random(seed)
    return [" ".join(draw.sample(sentences(), draw.randrange(1, 2 * SENTENCES))) for _ in range(count)]


def questions(count: int, seed: int = 1) -> list[str]:
    """Queries of 3 to 10 successive words of a sentence."""
    draw = random.Random(seed)
    found = []
    for sentence in draw.choices(sentences(), k=count):
        words = sentence.split()
        length = min(len(words), draw.randint(3, 10))
        start = draw.randint(0, len(words) - length)
        found.append(" ".join(words[start : start + length]))
    return found


def as_documents(texts: Sequence[str]) -> list[tuple[Document, tuple[Chunk, ...]]]:
    """Each text as a document of one abstract, with its one chunk."""
    found: list[tuple[Document, tuple[Chunk, ...]]] = []
    for number, text in enumerate(texts):
        doc_id = f"bench:{number}"
        block = Block(kind=BlockKind.ABSTRACT, text=text, place=Place(element="abstract"))
        document = Document(doc_id=doc_id, source="bench", title=text[:60], blocks=(block,))
        spans = (ChunkSpan(block=0, start=0, end=len(text)),)
        found.append((document, (Chunk(chunk_id=f"{doc_id}#0", doc_id=doc_id, number=0, text=text, spans=spans),)))
    return found
