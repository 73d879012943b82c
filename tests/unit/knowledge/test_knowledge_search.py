"""Searching a small store: what a query finds, in which order, and what is said beside it."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest
import tantivy

from medkg_lab.knowledge import analysis, relevance
from medkg_lab.knowledge.answers import Hit, SearchAnswer
from medkg_lab.knowledge.effects import Action, Effect
from medkg_lab.knowledge.encoders import Encoders
from medkg_lab.knowledge.errors import BrokenReranker, QueryBlank, QueryInvalid, QueryTooLong, UnknownReranker
from medkg_lab.knowledge.question import Filters, Question
from medkg_lab.knowledge.rerank import Proximity, judge
from medkg_lab.knowledge.service import Knowledge
from medkg_lab.knowledge.word_index import WordIndex
from tests.integration.knowledge.harness import MODEL, Letters, graph_document, text_document

ENCODERS = Encoders({MODEL: Letters})
INVENTED = {"journal": "Journal of Invented Medicine"}
SYMBOLS = "TNF-α and IL-6 rose; 5 µg of antibody; ﬁbrosis in Sjögren’s syndrome."
ARTICLES: Sequence[tuple[str, list[str], dict[str, Any]]] = (
    (
        "Colchicine in gout",
        ["Colchicine eased acute gout.", "Doses were low."],
        {"year": 2015, "authors": ["Anna B Zzmueller"]},
    ),
    ("Colchicine after infarction", ["Colchicine lowered infarction."], {"year": 2021, "doi": "10.9999/invented.2"}),
    ("Cytokines", [SYMBOLS], INVENTED),
    ("Hypertension", ["Hypertension and metformin in studies of the kidney."], {"pmid": "99999981"}),
)


def publish(knowledge: Knowledge, *documents: dict[str, Any]) -> None:
    knowledge.stage_text("b", documents)
    knowledge.apply([Effect(Action.PUBLISH, one["job_id"]) for one in documents], 1)


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Knowledge]:
    found = Knowledge(tmp_path, ENCODERS, "cpu")
    yield found
    found.close()


@pytest.fixture(scope="module")
def knowledge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Knowledge]:
    found = Knowledge(tmp_path_factory.mktemp("store"), ENCODERS, "cpu")
    publish(
        found,
        *(text_document(f"pmc:PMC{n}", texts, title=t, metadata=m) for n, (t, texts, m) in enumerate(ARTICLES, 1)),
    )
    study = {
        "phases": ["PHASE3"],
        "status": "RECRUITING",
        "countries": ["Germany"],
        "has_results": True,
        "start_date": "2019-05",
    }
    publish(
        found,
        text_document(
            "clinicaltrials:NCT99100021",
            ["Adults with sciatica.", "Pregnant women and gout are excluded."],
            title="A trial of sciatica",
            metadata=study | {"nct": "NCT99100021", "org_study_id": "ZZ-17/4"},
            sections=[["Brief summary"], ["Eligibility", "Criteria", "Exclusion Criteria"]],
        ),
    )
    found.stage_graph("b", [graph_document("pmc:PMC4", [("Metformin", "TREATS", "Diabetes")])])
    found.apply([Effect(Action.PUBLISH, "job-pmc:PMC4")], 2)
    yield found
    found.close()


def asked(knowledge: Knowledge, query: str, **how: Any) -> SearchAnswer:
    return knowledge.searcher.search(Question(query=query, **how))


def found(knowledge: Knowledge, query: str, **how: Any) -> list[str]:
    """The documents found by words, each once."""
    hits = asked(knowledge, query, **how).hits
    return list(dict.fromkeys(hit.doc_id for hit in hits if hit.ranks["bm25"] or hit.matched))


@pytest.mark.parametrize(
    "query", ["IL6", "IL-6", "IL 6", "TNFα", "TNF alpha", "TNFalpha", "5 μg", "5 µg", "fibrosis", "Sjogren", "Sjoegren"]
)
def test_words_are_found_however_they_are_written(knowledge: Knowledge, query: str) -> None:
    assert found(knowledge, query)[:1] == ["pmc:PMC3"]


@pytest.mark.parametrize(
    ("query", "documents"),
    [
        ("colchicine AND NOT gout", {"pmc:PMC2"}),
        ("colchicine AND gout", {"pmc:PMC1"}),
        ("sciatica OR infarction", {"clinicaltrials:NCT99100021", "pmc:PMC2"}),
        ('"acute gout"', {"pmc:PMC1"}),
        ('"gout acute"', set()),
        ("colch*", {"pmc:PMC1", "pmc:PMC2"}),
        ("hypertensio*", {"pmc:PMC4"}),
        ("title:gout", {"pmc:PMC1"}),
        ("title:infarct*", {"pmc:PMC2"}),
        ("gout AND NOT (infarction OR colchicine)", {"clinicaltrials:NCT99100021"}),
        ("author:zzmueller", {"pmc:PMC1"}),
        ("author:Zz* gout", {"pmc:PMC1"}),
        ('journal:"invented medicine"', {"pmc:PMC3"}),
        ("year:2021", {"pmc:PMC2"}),
        ("year:2014-2016 colchicine", {"pmc:PMC1"}),
        ("phase:3", {"clinicaltrials:NCT99100021"}),
        ("country:germany AND status:recruiting", {"clinicaltrials:NCT99100021"}),
        ("results:yes", {"clinicaltrials:NCT99100021"}),
        ("section:exclusion", {"clinicaltrials:NCT99100021"}),
        ("relation:treats", {"pmc:PMC4"}),
        ("doi:10.9999/invented.2", {"pmc:PMC2"}),
        ("pmid:99999981", {"pmc:PMC4"}),
        ("source:pmc AND title:hypertension", {"pmc:PMC4"}),
    ],
)
def test_conditions_hold_for_every_hit_of_every_retriever(
    knowledge: Knowledge, query: str, documents: set[str]
) -> None:
    assert {hit.doc_id for hit in asked(knowledge, query).hits} == documents


@pytest.mark.parametrize(
    ("filters", "documents"),
    [
        ({"year": ">=2016", "section": ("results",)}, {"pmc:PMC2"}),
        ({"phase": ("1", "3")}, {"clinicaltrials:NCT99100021"}),
        ({"status": ("recruiting",), "country": ("Germany", "France")}, {"clinicaltrials:NCT99100021"}),
        ({"has_results": False}, set()),
        ({"relation": ("TREATS",)}, {"pmc:PMC4"}),
        ({"section": ("exclusion criteria",)}, {"clinicaltrials:NCT99100021"}),
    ],
)
def test_filters_hold_as_options_too(knowledge: Knowledge, filters: dict[str, Any], documents: set[str]) -> None:
    hits = asked(knowledge, "colchicine gout", filters=Filters(**filters)).hits
    assert {hit.doc_id for hit in hits} == documents
    if "section" in filters:
        assert all(filters["section"][0].split()[0] in " ".join(hit.section).lower() for hit in hits)


def test_what_is_not_wanted_is_left_out_while_plain_words_rank(knowledge: Knowledge) -> None:
    hits = asked(knowledge, "colchicine NOT gout").hits
    assert hits[0].doc_id == "pmc:PMC2"
    assert {hit.doc_id for hit in hits}.isdisjoint({"pmc:PMC1", "clinicaltrials:NCT99100021"})


def test_a_filter_of_sources_holds_beside_conditions(knowledge: Knowledge) -> None:
    hits = asked(knowledge, "gout OR sciatica", sources=("pmc",)).hits
    assert {hit.doc_id for hit in hits} == {"pmc:PMC1"}
    assert asked(knowledge, "NCT99100021", sources=("pmc",)).hits == []


@pytest.mark.parametrize(
    ("query", "document", "matched"),
    [
        ("PMC1", "pmc:PMC1", "identifier"),
        ("pmc 2", "pmc:PMC2", None),
        ("PMC2.3", "pmc:PMC2", None),
        ("pmc:PMC3", "pmc:PMC3", "condition"),
        ("10.9999/invented.2", "pmc:PMC2", "identifier"),
        ("https://doi.org/10.9999/Invented.2", "pmc:PMC2", "identifier"),
        ("doi:10.9999/invented.2", "pmc:PMC2", "condition"),
        ("99999981", "pmc:PMC4", "identifier"),
        ("PMID: 99999981", "pmc:PMC4", "identifier"),
        ("nct99100021", "clinicaltrials:NCT99100021", "identifier"),
        ("sciatica NCT99100021", "clinicaltrials:NCT99100021", "identifier"),
        ("ZZ-17/4", "clinicaltrials:NCT99100021", "identifier"),
        ("Zzmueller", "pmc:PMC1", "author"),
        ("Zzmueller AB", "pmc:PMC1", "author"),
        ("Journal of Invented Medicine", "pmc:PMC3", "journal"),
    ],
)
def test_a_document_that_is_named_comes_first(
    knowledge: Knowledge, query: str, document: str, matched: str | None
) -> None:
    first = asked(knowledge, query).hits[0]
    assert first.doc_id == document
    assert first.score == 1.0
    assert matched in (first.matched, None)


def test_an_identifier_that_is_not_here_finds_nothing_alike(knowledge: Knowledge) -> None:
    answer = asked(knowledge, "NCT99100022")
    assert answer.hits == []
    assert answer.legs["dense"] == "off: the query is an identifier"


def test_what_is_excluded_ranks_below_unless_it_is_asked_for(empty: Knowledge) -> None:
    excluding = text_document("a:1", ["gout gout gout"], title="gout", sections=[["Criteria", "Exclusion criteria"]])
    publish(empty, excluding, text_document("b:1", ["gout was treated in adults"], title="Trial"))
    assert found(empty, "gout") == ["b:1", "a:1"]
    assert found(empty, "gout exclusion") == ["a:1", "b:1"]


PREPRINT = {
    "article_type": "preprint",
    "doi": "10.9999/2020.26",
    "related_articles": ["article-version 10.9999/invented.27"],
}


def test_one_document_of_a_work_is_shown_and_says_so(empty: Knowledge) -> None:
    preprint = text_document("pmc:26", ["colchicine colchicine"], title="Colchicine", metadata=PREPRINT)
    article = text_document(
        "pmc:27", ["colchicine lowered it"], title="Colchicine", metadata={"doi": "10.9999/invented.27"}
    )
    publish(empty, preprint, article)
    hits = asked(empty, "colchicine").hits
    assert [hit.doc_id for hit in hits] == ["pmc:27"]
    assert [(one.doc_id, one.what) for one in hits[0].same_work] == [("pmc:26", "preprint")]
    named = asked(empty, "10.9999/2020.26").hits[0]
    assert (named.doc_id, named.notes) == ("pmc:26", ("preprint",))
    assert [(one.doc_id, one.what) for one in named.same_work] == [("pmc:27", "article")]
    only = asked(empty, "doi:10.9999/2020.26 AND colchicine").hits
    assert [hit.doc_id for hit in only] == ["pmc:26"], "a condition that only the preprint meets shows it"


def test_a_retracted_article_is_marked_by_what_it_says_or_its_notice_says(empty: Knowledge) -> None:
    notice = {"article_type": "retraction", "related_articles": ["retracted-article 10.9999/8"]}
    publish(
        empty,
        text_document("pmc:8", ["fibrovastin cures"], metadata={"doi": "10.9999/8"}),
        text_document("pmc:9", ["fibrovastin retracted"], metadata=notice),
        text_document(
            "pmc:10", ["fibrovastin alone"], metadata={"related_articles": ["retraction-forward 10.9999/retr.8"]}
        ),
        text_document("pmc:11", ["fibrovastin in a title"], title="RETRACTED: Fibrovastin"),
        text_document("pmc:12", ["fibrovastin is sound"]),
    )
    notes = {hit.doc_id: hit.notes for hit in asked(empty, "fibrovastin").hits}
    assert notes == {
        "pmc:8": ("retracted (notice: pmc:9)",),
        "pmc:9": ("retraction notice of doi:10.9999/8",),
        "pmc:10": ("retracted (notice: doi:10.9999/retr.8)",),
        "pmc:11": ("retracted",),
        "pmc:12": (),
    }


def test_facts_follow_the_documents(empty: Knowledge) -> None:
    publish(empty, text_document("pmc:1", ["one"], metadata={"doi": "10.9999/1"}, job="j1"))
    publish(empty, text_document("pmc:1", ["one", "two"], metadata={"doi": "10.9999/2"}, job="j2"))
    assert asked(empty, "doi:10.9999/1").hits == []
    assert [hit.chunk_id for hit in asked(empty, "doi:10.9999/2").hits] == ["pmc:1#0"]


def test_passages_that_another_job_carries_over_are_that_jobs(empty: Knowledge) -> None:
    publish(empty, text_document("pmc:1", ["one"], metadata={"doi": "10.9999/1"}, job="j1"))
    empty.stage_graph("b", [graph_document("pmc:1", [("One", "is", "Number")], job="j2")])
    empty.apply([Effect(Action.PUBLISH, "j2")], 2)
    assert [hit.provenance.job_id for hit in asked(empty, "doi:10.9999/1").hits] == ["j2"]


@pytest.mark.parametrize("fusion", ["calibrated", "weighted", "rrf"])
def test_scores_go_from_0_to_1_best_first(knowledge: Knowledge, fusion: str) -> None:
    scores = [hit.score for hit in asked(knowledge, "colchicine in gout", fusion=fusion).hits]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)


def test_calibrated_scores_mean_the_same_for_every_query(knowledge: Knowledge) -> None:
    full = asked(knowledge, "colchicine eased acute gout", weights={"dense": 0}).hits[0].score
    half = asked(knowledge, "colchicine unheard nowhere", weights={"dense": 0}).hits[0].score
    assert full > 0.7 > 0.5 > half


def test_below_the_floor_nothing_is_shown(tmp_path: Path) -> None:
    assert relevance.evidence({"bm25": {1: 0.2}, "dense": {1: 0.1}}, 1) == pytest.approx(0.28)
    store = Knowledge(tmp_path, Encoders({}), "cpu")
    publish(store, text_document("a:1", ["aspirin in adults", "of the"]))
    assert asked(store, "qwertyuiop asdfgh").hits == []
    assert [hit.chunk_id for hit in asked(store, "aspirin").hits] == ["a:1#0"]
    store.close()


def test_a_misspelt_word_is_read_as_the_one_that_was_meant(knowledge: Knowledge) -> None:
    answer = asked(knowledge, "colhcicine infarktion")
    assert answer.hits[0].doc_id == "pmc:PMC2"
    assert answer.notes == [
        "colhcicine is not in any document; colchicine was looked for",
        "infarktion is not in any document; infarction was looked for",
    ]


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("", QueryBlank),
        (" ", QueryBlank),
        ("x" * 17_000, QueryTooLong),
        ('"gout', QueryInvalid),
        ("year:x", QueryInvalid),
    ],
)
def test_queries_that_cannot_be_asked_are_told(knowledge: Knowledge, query: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        asked(knowledge, query)


def test_more_words_than_are_looked_for_are_told(knowledge: Knowledge) -> None:
    assert asked(knowledge, "gout " * 300).notes == ["only the first 256 words were looked for"]


def test_an_index_of_another_analysis_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(analysis, "VERSION", analysis.VERSION - 1)
        patch.setattr(analysis, "indexed", str.lower)
        older = Knowledge(tmp_path, ENCODERS, "cpu")
        publish(older, text_document("a:1", ["TNFα rose"]))
        assert not found(older, "TNF-alpha")
        older.close()
    newer = Knowledge(tmp_path, ENCODERS, "cpu")
    assert found(newer, "TNF-alpha") == ["a:1"]
    assert newer._texts.is_of_this_analysis
    newer.close()


def test_an_index_with_other_fields_is_made_again(tmp_path: Path) -> None:
    first = Knowledge(tmp_path, ENCODERS, "cpu")
    publish(first, text_document("a:1", ["TNFα rose"]))
    first.close()
    shutil.rmtree(tmp_path / "bm25")
    (tmp_path / "bm25").mkdir()
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("body", tokenizer_name="en_stem", index_option="freq")
    tantivy.Index(builder.build(), path=str(tmp_path / "bm25"))
    again = Knowledge(tmp_path, ENCODERS, "cpu")
    assert isinstance(again._texts, WordIndex)
    assert found(again, "TNF-alpha") == ["a:1"]
    again.close()


def test_proximity_prefers_words_that_stand_together() -> None:
    passages = ["heart and much later in the text failure", "heart failure", "kidney", "heart alone"]
    scores = list(Proximity().score("heart failure", passages))
    assert sorted(scores, reverse=True) == [scores[1], scores[0], scores[3], scores[2]]
    assert scores[2] == 0


def test_a_reranker_orders_the_best_and_is_off_by_default(empty: Knowledge) -> None:
    scattered = text_document(
        "a:1", ["heart heart heart failure failure with a great deal of text in between them heart"]
    )
    publish(empty, scattered, text_document("b:1", ["words " * 30 + "heart failure"]))
    assert found(empty, "heart failure", weights={"dense": 0})[0] == "a:1"
    assert found(empty, "heart failure", weights={"dense": 0}, reranker="proximity")[0] in ("a:1", "b:1")
    answer = asked(empty, "heart failure", reranker="proximity", explain=True)
    assert answer.how is not None
    assert answer.how.reranker == "proximity"
    with pytest.raises(UnknownReranker, match="proximity"):
        asked(empty, "heart failure", reranker="nothing")


@pytest.mark.parametrize("scores", [[0.5], [0.5, 2.0], [0.5, float("nan")], "no"])
def test_a_reranker_that_breaks_its_contract_is_named(monkeypatch: pytest.MonkeyPatch, scores: Any) -> None:
    class Broken:
        def score(self, query: str, passages: Sequence[str]) -> Any:
            return scores

    monkeypatch.setattr("medkg_lab.knowledge.rerank.load", lambda name: Broken())
    with pytest.raises(BrokenReranker, match="odd"):
        judge("odd", "q", ["a", "b"])


def test_answers_travel_as_json(knowledge: Knowledge) -> None:
    answer = asked(knowledge, "colchicine in gout", explain=True)
    same = msgspec.convert(orjson.loads(orjson.dumps(answer)), SearchAnswer)
    assert orjson.dumps(same) == orjson.dumps(answer)
    assert isinstance(same.hits[0], Hit)
