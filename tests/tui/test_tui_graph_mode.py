"""The Graph mode on a real lab: a walk from node to node, sentences, relations, what contradicts."""

import pytest

from medkg_lab.lab import graph
from medkg_lab.lab.graph import Edge, contradicting, how_sure
from medkg_lab.rpc import PeerUnreachable
from medkg_lab.tui.screens.graph import render
from tests.labs import TestLab
from tests.tui.screens import SIZES, Screen, opened


def test_what_one_document_states_and_denies_contradicts_itself() -> None:
    states = Edge("MENTIONS", "out", "mesh:D1", "Bleeding", 1)
    denies = Edge("MENTIONS_ABSENCE_OF", "out", "mesh:D1", "Bleeding", 1)
    other = Edge("MENTIONS_ABSENCE_OF", "out", "mesh:D2", "Fever", 1)
    assert contradicting([states, denies, other]) == {states, denies}
    assert contradicting([states, other]) == frozenset()


def test_what_one_document_denies_and_another_states_is_contradicted() -> None:
    states = Edge("MENTIONS", "in", "doc:a", "A", 1)
    denies = Edge("MENTIONS_ABSENCE_OF", "in", "doc:b", "B", 1)
    possible = Edge("MENTIONS_POSSIBLE", "in", "doc:c", "C", 1)
    assert contradicting([states, denies, possible]) == {denies}
    assert contradicting([denies, possible]) == frozenset()


def test_filters_look_at_relation_name_and_how_sure() -> None:
    edges = [Edge("MENTIONS", "in", "doc:a", "A trial", 1), Edge("STUDIES", "in", "nct:b", "B trial", 1)]
    assert render.chosen(edges, render.ALL, (), "trial studies") == edges[1:]
    assert render.chosen(edges, "MENTIONS", (), "") == edges[:1]
    assert render.chosen(edges, render.ALL, (), "recorded") == edges[1:]
    assert how_sure("STUDIES") == "recorded"


async def walk_to(screen: Screen, name: str) -> None:
    """Begin a walk at a node."""
    await screen.press("9")
    await screen.sees("a node's name or id")
    await screen.type(name)
    await screen.press("enter")


@pytest.mark.asyncio
@pytest.mark.parametrize("size", SIZES)
async def test_a_walk_there_and_back(demo_lab: TestLab, size: tuple[int, int]) -> None:
    async with opened(demo_lab.home, size) as screen:
        await walk_to(screen, "metformin")
        await screen.sees("Edges · ", "← mentions", "stated", "Metformin · ")
        if size[0] < 100:
            await screen.sees("↵ sentences")
            await screen.press("enter")
            await screen.sees("a field of its record")
        await screen.press("enter")
        await screen.sees("Metformin › ", "← studied to treat")
        await screen.press("escape")
        await screen.misses("Metformin › ")
        await screen.sees("← mentions")


@pytest.mark.asyncio
async def test_an_edge_shows_its_sentence_in_its_document(demo_lab: TestLab) -> None:
    async with opened(demo_lab.home, (200, 60)) as screen:
        await walk_to(screen, "metformin")
        await screen.sees("→ studied to treat", "recorded in 1 document", "a field of its record")
        await screen.press("right_square_bracket")
        await screen.sees("stated in 1 document", "passage ")
        await screen.until(lambda: "[metformin]" in screen.text.lower(), "the mention in brackets")
        await screen.press("right_square_bracket")
        await screen.sees("← tests", "recorded in 1 document", "a field of its record")
        await screen.misses("← mentions")
        await screen.press("y")
        await screen.sees('"relation": "TESTS"')
        await screen.press("escape", "escape")
        await screen.sees("← mentions", "← tests")


@pytest.mark.asyncio
async def test_the_graph_says_what_contradicts(demo_lab: TestLab) -> None:
    denied = demo_lab.ok("graph", "export")
    relations: dict[str, set[str]] = {}
    for edge in denied["edges"]:
        relations.setdefault(edge["target"], set()).add(edge["relation"])
    target = next(each for each, found in relations.items() if {"MENTIONS", "MENTIONS_ABSENCE_OF"} <= found)
    async with opened(demo_lab.home, (200, 60)) as screen:
        await walk_to(screen, target)
        await screen.sees("≠", ", denied in ", " contradicting ")
        await screen.press("right_square_bracket")
        await screen.until(lambda: "← mentions absence of" in screen.text, "what denies it")
        assert "≠" in screen.text


@pytest.mark.asyncio
async def test_the_graph_opens_from_a_hit_and_from_a_job(demo_lab: TestLab) -> None:
    async with opened(demo_lab.home) as screen:
        await screen.press("colon")
        await screen.type("search metformin lactic acidosis")
        await screen.press("enter")
        await screen.sees("Around 1 of ")
        await screen.press("A")
        await screen.sees("Edges · ", "← ")
        await screen.press("2", "slash")
        await screen.type("state:completed doc:pmc:PMC9000002")
        await screen.press("enter")
        await screen.sees("pmc:PMC9000002", "Jobs · 1 of ")
        await screen.press("A")
        await screen.sees("doc:pmc:PMC9000002", "→ mentions")


@pytest.mark.asyncio
async def test_a_step_that_fails_leaves_the_walk_where_it_was(
    demo_lab: TestLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(demo_lab.home) as screen:
        await walk_to(screen, "metformin")
        await screen.sees("Edges · 17", "recorded in 1 document")

        def gone(*_: object, **__: object) -> None:
            raise PeerUnreachable(path="knowledge", op="neighbours", seconds="3", detail="it is gone")

        monkeypatch.setattr(graph, "around", gone)
        await screen.press("enter")
        await screen.until(lambda: any("it is gone" in text for _, text in screen.app.session.told), "the toast")
        await screen.misses("Reading ")
        await screen.sees("Metformin", "Edges · 17")


@pytest.mark.asyncio
async def test_an_unknown_node_is_told_where_it_was_typed(demo_lab: TestLab) -> None:
    async with opened(demo_lab.home) as screen:
        await walk_to(screen, "qqqzzz")
        await screen.sees("The graph has no node with the id or name 'qqqzzz'")
