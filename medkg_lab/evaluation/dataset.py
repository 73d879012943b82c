"""Test collections for search: documents, queries and judgements, as BEIR publishes them and as SciFact's own tables hold them.

BEIR (Thakur et al., NeurIPS Datasets 2021): `corpus.jsonl` with `_id`, `title`, `text`; `queries.jsonl` with `_id`, `text`;
`qrels/<split>.tsv` with a header line. TREC and Anserini write judgements as `query 0 document grade`.
"""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from medkg_lab.evaluation.errors import DatasetAmbiguous, DatasetMissing, DatasetUnreadable, NothingJudged
from medkg_lab.evaluation.lines import csv_rows, json_lines, text_lines

_CORPUS = ("corpus.jsonl", "corpus.jsonl.gz", "corpus*.csv", "corpus*.jsonl")
_QUERIES = ("queries.jsonl", "queries.jsonl.gz", "claims*.csv", "claims*.jsonl", "queries*.tsv", "topics*.tsv*")
_QRELS = ("qrels/test.tsv", "qrels/*.tsv", "*qrels*.tsv", "*qrels*.txt", "qrels/*.txt")
_LITERAL = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""", re.DOTALL)

Judgements = Mapping[str, Mapping[str, int]]
"""Grades by document, by query; a grade above 0 is relevant."""


@dataclass(frozen=True)
class Item:
    """A document of the collection."""

    doc_id: str
    title: str
    text: str


@dataclass(frozen=True)
class Dataset:
    """A test collection; `queries` are those with at least one relevant document."""

    name: str
    items: tuple[Item, ...]
    queries: Mapping[str, str]
    judgements: Judgements
    unknown_queries: int
    """Judged queries without a text."""


def load(folder: Path, corpus: Path | None = None, queries: Path | None = None, qrels: Path | None = None) -> Dataset:
    """Read the collection in `folder`; the other arguments name files to use instead of those found there.

    Raises DatasetMissing, DatasetAmbiguous, DatasetUnreadable and NothingJudged.
    """
    corpus_path = corpus or _the_one(folder, "corpus", _CORPUS, "--corpus")
    queries_path = queries or _the_one(folder, "queries", _QUERIES, "--queries")
    qrels_path = qrels or _the_one(folder, "judgements", _QRELS, "--qrels")
    judgements = {
        query: grades for query, grades in read_judgements(qrels_path).items() if any(g > 0 for g in grades.values())
    }
    texts = read_queries(queries_path)
    judged = {query: texts[query] for query in judgements if query in texts}
    if not judged:
        raise NothingJudged(judged=len(judgements), qrels=qrels_path, queries=queries_path)
    items = tuple(read_corpus(corpus_path))
    return Dataset(folder.resolve().name, items, judged, judgements, len(judgements) - len(judged))


def _the_one(folder: Path, part: str, patterns: Sequence[str], option: str) -> Path:
    """The file of the first pattern that fits any. Raises DatasetMissing, or DatasetAmbiguous when it fits several."""
    for pattern in patterns:
        found = sorted(folder.glob(pattern))
        if len(found) == 1:
            return found[0]
        if found:
            raise DatasetAmbiguous(path=folder, part=part, found=", ".join(path.name for path in found), option=option)
    raise DatasetMissing(path=folder, part=part, looked_for=", ".join(patterns))


def read_corpus(path: Path) -> Iterator[Item]:
    """The documents of a corpus: BEIR's JSON lines, SciFact's JSON lines, or SciFact's table. Raises DatasetUnreadable."""
    is_table = path.suffix == ".csv"
    for row in csv_rows(path, "corpus") if is_table else json_lines(path, "corpus"):
        doc_id, text = row.get("_id", row.get("doc_id")), row.get("text", row.get("abstract"))
        if doc_id is None or text is None:
            raise DatasetUnreadable(path=path, part="corpus", detail="a document lacks its id or its text")
        sentences = text if isinstance(text, list) else printed_array(str(text)) if is_table else [text]
        yield Item(str(doc_id), str(row.get("title") or ""), " ".join(map(str, sentences)))


def printed_array(text: str) -> list[str]:
    """The strings of a printed array, `['one' 'two']`; a text that is not one is its only string.

    There are no commas between the strings, so Python itself would read them as one.
    """
    if not (text.startswith("[") and text.rstrip().endswith("]")):
        return [text]
    return [str(ast.literal_eval(match.group())) for match in _LITERAL.finditer(text.replace("\n", " "))]


def read_queries(path: Path) -> dict[str, str]:
    """The texts of queries by id: BEIR's JSON lines, SciFact's claims (JSON lines or table), or lines of id, tab and text.

    Raises DatasetUnreadable.
    """
    if ".tsv" in path.suffixes or path.suffix == ".txt":
        pairs = (line.partition("\t") for line in text_lines(path, "queries") if line.strip())
        return {query.strip(): text.strip() for query, _, text in pairs}
    found = {}
    for row in csv_rows(path, "queries") if path.suffix == ".csv" else json_lines(path, "queries"):
        query, text = row.get("_id", row.get("id")), row.get("text", row.get("claim"))
        if query is None or text is None:
            raise DatasetUnreadable(path=path, part="queries", detail="a query lacks its id or its text")
        found[str(query)] = str(text)
    return found


def read_judgements(path: Path) -> dict[str, dict[str, int]]:
    """Grades by query and document: three columns, or four as TREC writes them; a header line is skipped.

    Raises DatasetUnreadable.
    """
    found: dict[str, dict[str, int]] = {}
    for number, line in enumerate(text_lines(path, "judgements"), start=1):
        fields = line.split()
        if not fields:
            continue
        if len(fields) not in (3, 4) or not fields[-1].lstrip("-").isdigit():
            if number == 1:
                continue
            raise DatasetUnreadable(path=path, part="judgements", detail=f"line {number} is not a judgement")
        found.setdefault(fields[0], {})[fields[-2]] = int(fields[-1])
    return found
