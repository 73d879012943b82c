"""9 Graph: a walk from node to node, every edge with the sentences that say so."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Input

from medkg_lab.errors import LabError
from medkg_lab.lab import graph
from medkg_lab.lab.facade import Lab
from medkg_lab.lab.graph import Around, Edge, Statement
from medkg_lab.lab.lookup import find_node
from medkg_lab.tui import keys
from medkg_lab.tui.formatting import number
from medkg_lab.tui.messages import Snapshot, Subject
from medkg_lab.tui.screens.base import ModeScreen
from medkg_lab.tui.screens.frame_screen import Session
from medkg_lab.tui.screens.graph import render
from medkg_lab.tui.theme import Line
from medkg_lab.tui.widgets.panel import Lines, Panel
from medkg_lab.tui.widgets.table import Table

REST_S = 0.12
"""Seconds that the cursor rests on an edge before its sentences are asked for."""


@dataclass(frozen=True)
class Place:
    """Where the walk is: a node with what is said about it, which edges are shown, and the row of the cursor."""

    around: Around
    shown: str = render.ALL
    text: str = ""
    row: int = 0


class GraphScreen(ModeScreen):
    """The way so far over the edges of a node and the sentences of one."""

    word = "graph"
    about = (
        "The knowledge graph, walked node by node. Each line is a statement: → of this node, ← about it. SAID is how the "
        "text says it: stated, denied, possible, of a relative, excluded; recorded is a field of a registry record. ≠ "
        "marks what other documents, or the same one, contradict. Enter walks to the node, esc goes back; [ and ] choose "
        "the relation. Type the name of a node in the line above, or press A on a hit or a job."
    )
    twins = "medkg-lab graph node NAME · graph why A B · graph path A B · graph export"
    AUTO_FOCUS = "#node"
    BINDINGS = keys.bindings(
        "narrow", open="walk there", earlier="relation before", later="next relation", again="ask again"
    )
    footer = ("open", "later", "narrow", "back", "raw", "copy")

    DEFAULT_CSS = """
    GraphScreen #where { height: auto; border: round $lab-line; padding: 0 1; border-title-color: $lab-muted; }
    GraphScreen #where:focus-within { border: round $lab-accent; border-title-color: $lab-accent; }
    GraphScreen #node { border: none; height: 1; padding: 0; background: $lab-bg; }
    GraphScreen #trail, GraphScreen #is, GraphScreen #relations { height: 1; }
    GraphScreen #walk { height: 1fr; }
    GraphScreen #edges { width: 3fr; }
    GraphScreen #beside { width: 2fr; scrollbar-size-vertical: 1; }
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._way: list[Place] = []
        self._said: tuple[str, Sequence[Statement]] = ("", ())
        self._asked = ""

    def compose_mode(self) -> ComposeResult:
        """The regions."""
        with Vertical(id="where") as box:
            box.border_title = "Node"
            yield Input(placeholder="a node's name or id, such as metformin, NCT90000001 or a document", id="node")
            yield Lines(id="trail")
            yield Lines(id="is")
            yield Lines(id="relations")
        with Horizontal(id="walk"):
            yield Table(render.EDGES, id="edges")
            with VerticalScroll(id="beside", can_focus=False):
                yield Panel("Sentences", id="sentences")

    @property
    def _list(self) -> Table:
        return self.query_one("#edges", Table)

    @property
    def _here(self) -> Place | None:
        return self._way[-1] if self._way else None

    def shown(self) -> None:
        """The walk goes on where it was."""
        self._paint()

    # Walking

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """A name was typed: a new walk begins there."""
        event.stop()
        if event.value.strip():
            self._begin(event.value.strip())

    def _begin(self, name: str) -> None:
        self._walk(name, lambda lab: graph.around(lab, find_node(lab, name)), [])

    def _walk_to(self, node_id: str, way: list[Place]) -> None:
        self._walk(node_id, lambda lab: graph.around(lab, node_id), way)

    def _walk(self, name: str, look: Callable[[Lab], Around], way: list[Place]) -> None:
        """Go to a node, over the nodes of `way`."""
        self._asked = name

        def take(found: Around) -> None:
            self._asked = ""
            self._way = [*way, Place(found)]
            self._show_place()
            self.set_focus(self._list)
            self.repaint_frame()

        self._paint()
        self.query_lab("walk", look, take, self._not_found)

    def _not_found(self, error: LabError) -> None:
        self._asked = ""
        self._list.empty = [[("  ", "text"), (str(error), "text")]]
        if self._way:
            self._paint()
            self.show_error(error)
        else:
            self._list.show([])

    def _show_place(self) -> None:
        """Show where the walk is, with the cursor where it was."""
        self._paint()
        here = self._here
        self._list.set_cursor(here.row if here else 0)
        self._refresh_sentences()

    def _edges(self) -> list[Edge]:
        here = self._here
        if here is None:
            return []
        return render.chosen(here.around.edges, here.shown, graph.contradicting(here.around.edges), here.text)

    def _choices(self) -> list[str]:
        here = self._here
        if here is None:
            return []
        edges = here.around.edges
        special = [render.CONTRADICTING] if graph.contradicting(edges) else []
        return [render.ALL, *special, *graph.relations(edges)]

    def _paint(self) -> None:
        here, table = self._here, self._list
        reading: Line = [("Reading ", "muted"), (self._asked, "text"), (" …", "muted")]
        lines = [self.query_one(f"#{each}", Lines) for each in ("trail", "is", "relations")]
        for each in lines:
            each.display = here is not None
        if here is None:
            hint: Line = [("  Type a name above, or press A on a hit or a job. ", "text")]
            table.empty = [[("  ", "text"), *reading]] if self._asked else [hint]
            table.show([])
            table.head("Edges")
            self._paint_sentences()
            return
        contradicted = graph.contradicting(here.around.edges)
        trail = render.trail_line([place.around.node.name for place in self._way])
        for widget, line in zip(
            lines,
            (reading if self._asked else trail, render.about(here.around, contradicted),
             render.chips(self._choices(), here.shown)),
            strict=True,
        ):  # fmt: skip
            widget.show([line])
        edges = self._edges()
        table.empty = [[("  No edge is left by this filter.", "text")]]
        table.show(render.edge_rows(edges, contradicted))
        more = "" if here.around.is_whole else ", more are not read"
        table.head(
            f"Edges · {number(len(edges))} of {number(len(here.around.edges))}{more}", here.text and f"/{here.text}"
        )

    # The sentences of an edge

    def on_table_moved(self) -> None:
        """Another edge is under the cursor."""
        if self._way:
            self._way[-1] = replace(self._way[-1], row=self._list.cursor)
        self.after_rest(REST_S, self._refresh_sentences)

    def _edge(self) -> Edge | None:
        row = self._list.row
        return next((edge for edge in self._edges() if row is not None and edge.key == row.key), None)

    def _refresh_sentences(self) -> None:
        here, edge = self._here, self._edge()
        if here is None or edge is None:
            self._paint_sentences()
            return
        node_id, of = here.around.node.node_id, _of(here, edge)
        if self._said[0] == of:
            self._paint_sentences()
            return

        def take(said: list[Statement]) -> None:
            self._said = (of, said)
            self._paint_sentences()

        self.query_lab("said", lambda lab: graph.statements(lab, node_id, edge), take, lambda _: None)

    def _paint_sentences(self) -> None:
        here, edge, panel = self._here, self._edge(), self.query_one("#sentences", Panel)
        panel.display = edge is not None
        if here is None or edge is None:
            return
        panel.head("Sentences", edge.node_id)
        if self._said[0] != _of(here, edge):
            panel.show([[("Reading …", "muted")]])
            return
        width = max(20, panel.size.width or 40)
        panel.show(render.sentences(here.around.node.name, edge, self._said[1], width))

    def on_lines_rewidened(self) -> None:
        """Text is as wide as there is room."""
        self._paint_sentences()

    # Hooks

    def now(self, snapshot: Snapshot) -> Line | None:
        """Which node it is, and how much is said about it."""
        here = self._here
        if here is None:
            return None
        return [("● ", "ok"), (f"{here.around.node.name} · {number(len(here.around.edges))} edges", "text bold")]

    def subject(self) -> Subject | None:
        """The node that the edge under the cursor leads to."""
        edge = self._edge()
        if edge is None:
            return None
        raw = {"relation": edge.relation, "direction": edge.direction, "node_id": edge.node_id, "name": edge.name,
               "documents": edge.documents, "said": graph.how_sure(edge.relation)}  # fmt: skip
        return Subject("node", edge.node_id, edge.name, "knowledge", raw)

    def words(self) -> dict[str, str]:
        """Where the sentences are hidden, they come before the node."""
        return {"open": "sentences"} if self._hides_sentences else {}

    @property
    def _hides_sentences(self) -> bool:
        return self.has_class("-narrow") and not self.has_class("deep")

    def can(self, action: str) -> bool:
        """A node has no job of its own, and thus no why, no events and no run."""
        if action in ("why", "events", "dagster"):
            return False
        if action in ("earlier", "later", "narrow", "again"):
            return self._here is not None
        return self._edge() is not None if action == "open" else super().can(action)

    def narrow(self, text: str) -> None:
        """Show only the edges with these words."""
        if self._way and text != self._way[-1].text:
            self._way[-1] = replace(self._way[-1], text=text, row=0)
            self._show_place()

    def narrowed(self) -> str:
        """The words."""
        return self._way[-1].text if self._way else ""

    def step_back(self) -> bool:
        """From the sentences to the edges; clear the filters; then the node before."""
        if self.has_class("deep"):
            self.remove_class("deep")
            self._list.focus()
            return True
        if self.query_one("#node", Input).has_focus and self._way:
            self._list.focus()
            return True
        if self.narrowed() or not self._way:
            return False
        if self._way[-1].shown != render.ALL:
            self._show_relation(render.ALL)
        elif len(self._way) > 1:
            self._way.pop()
            self._show_place()
        else:
            return False
        return True

    def command(self, words: Sequence[str]) -> bool:
        """`:graph NAME` begins a walk there."""
        if words:
            self._begin(" ".join(words))
        return True

    # Actions

    def action_open(self) -> None:
        """Walk to the node of the edge; where the sentences are hidden, they come first."""
        edge = self._edge()
        if edge is None:
            return
        if self._hides_sentences:
            self.add_class("deep")
            self.query_one("#sentences").focus()
            self.call_after_refresh(self._paint_sentences)
            return
        self.remove_class("deep")
        self._walk_to(edge.node_id, self._way)

    def action_again(self) -> None:
        """Ask for the node again."""
        if self._way:
            self._walk_to(self._way[-1].around.node.node_id, self._way[:-1])

    def action_part(self, step: int) -> None:
        """Show the next relation alone, or the one before."""
        choices = self._choices()
        if choices:
            at = choices.index(self._way[-1].shown) if self._way[-1].shown in choices else 0
            self._show_relation(choices[(at + step) % len(choices)])

    def _show_relation(self, shown: str) -> None:
        self._way[-1] = replace(self._way[-1], shown=shown, row=0)
        self._show_place()


def _of(place: Place, edge: Edge) -> str:
    """An edge of a node."""
    return f"{place.around.node.node_id} {edge.key}"
