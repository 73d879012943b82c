"""Forty queries as professionals ask them, with what they expect first among the developers' studies and articles.

`search_queries.tsv` has a query a line, with the documents of which any may be the first. In the ordinary run the expected
documents lie among a part of the others and are searched by words alone; with --full all lie there, with their vectors.
"""

import statistics
from pathlib import Path

import pytest

from medkg_lab.knowledge.question import Question
from medkg_lab.knowledge.service import Knowledge
from medkg_lab.locations import locate
from medkg_lab.stages.embed.minilm import MiniLM
from tests.real.search_store import files, filled

SUCCESS_AT_5 = 0.97
RECIPROCAL_RANK = 0.90
OTHERS = 8
"""In the ordinary run one document in so many is there beside those that are expected."""
LINES = (Path(__file__).parent / "search_queries.tsv").read_text().splitlines()
QUERIES = {query: expected.split() for query, expected in (line.split("\t") for line in LINES)}
NONSENSE = ("qwertyuiop asdfgh", "flurble wug dax", "NCT99999999")


def judge(knowledge: Knowledge) -> None:
    """Ask every query, and print where what is expected stands unless it is the first."""
    ranks: dict[str, int] = {}
    for query, expected in QUERIES.items():
        hits = knowledge.searcher.search(Question(query=query, per_document=1)).hits
        found = [hit.doc_id.partition(":")[2] for hit in hits]
        ranks[query] = next((rank for rank, doc_id in enumerate(found, 1) if doc_id in expected), 0)
        if ranks[query] != 1:
            print(f"{ranks[query] or '-'}  {query}: {', '.join(found[:3])}")
    success = statistics.mean(1 <= rank <= 5 for rank in ranks.values())
    reciprocal = statistics.mean(1 / rank if rank else 0.0 for rank in ranks.values())
    print(f"{len(ranks)} queries: success@5 {success:.3f}, MRR {reciprocal:.3f}")
    assert len(ranks) >= 40
    assert success >= SUCCESS_AT_5
    assert reciprocal >= RECIPROCAL_RANK
    for query in NONSENSE:
        assert knowledge.searcher.search(Question(query=query)).hits == [], query


def test_what_is_expected_comes_first_by_words_alone(shared_data: Path, tmp_path: Path) -> None:
    documents = files(shared_data)
    expected = {doc_id for one in QUERIES.values() for doc_id in one}
    chosen = [
        doc_id for place, doc_id in enumerate(documents) if place % OTHERS == 0 or doc_id.partition(":")[2] in expected
    ]
    knowledge = filled(tmp_path, {doc_id: documents[doc_id] for doc_id in chosen}, None)
    judge(knowledge)
    knowledge.close()


@pytest.mark.full
@pytest.mark.timeout(3600)
def test_what_is_expected_comes_first_among_all(shared_data: Path, tmp_path: Path) -> None:
    knowledge = filled(tmp_path, files(shared_data), MiniLM(locate().cache, precision="int8"))
    judge(knowledge)
    knowledge.close()
