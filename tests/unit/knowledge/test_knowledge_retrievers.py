"""Retrievers of packages: what they are given, what is believed of what they find, and what happens when they fail."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from medkg_lab import plugins
from medkg_lab.knowledge.answers import SearchAnswer
from medkg_lab.knowledge.effects import Action, Effect
from medkg_lab.knowledge.encoders import Encoders
from medkg_lab.knowledge.question import Question
from medkg_lab.knowledge.retrievers import IndexedPassage, UnknownRetriever
from medkg_lab.knowledge.service import Knowledge
from medkg_lab.settings import SearchSettings
from tests.integration.knowledge.harness import MODEL, Letters, text_document


class Initials:
    """Finds passages whose title begins as the query does, whatever it is allowed."""

    made: list["Initials"] = []

    def __init__(self) -> None:
        self.kept: dict[int, str] = {}
        self.score = 0.9
        Initials.made.append(self)

    def add(self, passages: Sequence[IndexedPassage]) -> None:
        assert not self.kept.keys() & {one.key for one in passages}
        self.kept |= {one.key: one.title for one in passages}

    def remove(self, keys: Sequence[int]) -> None:
        for key in keys:
            del self.kept[key]

    def search(self, query: str, limit: int, is_allowed: Callable[[int], bool]) -> Sequence[tuple[int, float]]:
        if query == "fail":
            raise RuntimeError("out of order")
        return [(key, self.score) for key, title in self.kept.items() if title[:1] == query[:1]]


def opened(folder: Path) -> Knowledge:
    settings = SearchSettings(retrievers={"initials": 1.0}, floor=0.0)
    return Knowledge(folder, Encoders({MODEL: Letters}), "test", settings)


def publish(knowledge: Knowledge, number: int, *documents: dict[str, Any]) -> None:
    batch = f"batch-{number}"
    knowledge.stage_text(batch, documents)
    knowledge.apply([Effect(Action.PUBLISH, one["job_id"]) for one in documents], number)


@pytest.fixture(autouse=True)
def _published(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "names", lambda group: ("initials",))
    monkeypatch.setattr(plugins, "load", lambda group, name: Initials)
    Initials.made.clear()


@pytest.fixture
def knowledge(tmp_path: Path) -> Iterator[Knowledge]:
    with contextlib.closing(opened(tmp_path)) as made:
        yield made


def ask(knowledge: Knowledge, query: str, **how: Any) -> SearchAnswer:
    return knowledge.searcher.search(Question(query=query, **how))


def test_it_takes_part_with_a_rank_a_score_and_its_share(knowledge: Knowledge) -> None:
    publish(
        knowledge,
        1,
        text_document("a", ["zinc and copper"], title="quartz"),
        text_document("b", ["iron"], title="opal"),
    )
    answer = ask(knowledge, "quiet", explain=True)
    hit = next(one for one in answer.hits if one.doc_id == "a")
    assert answer.legs["initials"] == "on"
    assert (hit.ranks["initials"], hit.scores["initials"], hit.ranks["bm25"]) == (1, 0.9, None)
    assert hit.explanation is not None
    assert hit.explanation.parts["initials"]
    assert all(one.ranks["initials"] is None for one in answer.hits if one.doc_id != "a")


def test_what_may_not_be_shown_is_not_believed(knowledge: Knowledge) -> None:
    publish(
        knowledge,
        1,
        text_document("a", ["zinc"], title="quartz", tenant="theirs"),
        text_document("b", ["tin"], title="quartz"),
    )
    assert {one.doc_id for one in ask(knowledge, "quiet").hits if one.ranks["initials"]} == {"b"}
    assert not ask(knowledge, "quiet", sources=("pmc",)).hits
    assert {one.doc_id for one in ask(knowledge, "quiet", tenant="theirs").hits} == {"a"}


def test_it_follows_what_is_replaced_and_gets_everything_at_a_start(tmp_path: Path) -> None:
    with contextlib.closing(opened(tmp_path)) as knowledge:
        publish(knowledge, 1, text_document("a", ["zinc"], title="quartz", job="one"))
        publish(knowledge, 2, text_document("a", ["zinc"], title="opal", job="two"))
    assert list(Initials.made[0].kept.values()) == ["opal"]
    with contextlib.closing(opened(tmp_path)):
        assert Initials.made[-1].kept == Initials.made[0].kept


def test_one_that_fails_says_so_and_the_others_go_on(knowledge: Knowledge) -> None:
    publish(knowledge, 1, text_document("a", ["to fail is human"], title="quartz"))
    answer = ask(knowledge, "fail")
    assert answer.legs["initials"] == "off: RuntimeError: out of order"
    assert answer.hits
    Initials.made[0].score = 1.5
    assert "from 0 to 1" in ask(knowledge, "quartz").legs["initials"]


def test_a_name_that_no_package_brings_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnknownRetriever, match="nobody"):
        Knowledge(tmp_path, Encoders({}), "test", SearchSettings(retrievers={"nobody": 1.0}))
