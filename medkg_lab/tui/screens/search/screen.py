"""6 Search: hybrid search with the rank of each leg, the passage in its document, the graph around it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from msgspec import to_builtins
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Input

from medkg_lab.errors import LabError
from medkg_lab.knowledge.answers import Hit, SearchAnswer
from medkg_lab.knowledge.errors import PassageNotFound
from medkg_lab.lab import graph
from medkg_lab.lab.facade import Lab
from medkg_lab.lab.graph import Around
from medkg_lab.tui import keys
from medkg_lab.tui.dialogs import Answer, Choice, Question
from medkg_lab.tui.formatting import number, plural
from medkg_lab.tui.messages import GoTo, Snapshot, Subject
from medkg_lab.tui.screens.base import ModeScreen
from medkg_lab.tui.screens.frame_screen import Session
from medkg_lab.tui.screens.search import render
from medkg_lab.tui.theme import Line
from medkg_lab.tui.widgets.panel import Lines, Panel
from medkg_lab.tui.widgets.table import Table

LIMIT = 50
REST_S = 0.25
"""Seconds after the last key before the query is asked."""
NEIGHBOURS = 100


@dataclass(frozen=True)
class Read:
    """A passage with its surroundings: the ends of its neighbours, and the nodes that it mentions."""

    before: str = ""
    after: str = ""
    nodes: Sequence[str] = field(default_factory=tuple)


class SearchScreen(ModeScreen):
    """A query over hits, a passage and its graph."""

    word = "search"
    about = (
        "Passages found by words (BM25) and by meaning (vectors), fused. The rank by each retriever stands beside the score; – "
        "means that it did not find it. Type in the line above, ↵ goes to the hits; m chooses the fusion, a shows the "
        "graph around the concepts of the passage, one after the other, A walks it from there."
    )
    twins = 'medkg-lab search "…" · graph node NAME · graph path A B'
    AUTO_FOCUS = "#query"
    BINDINGS = keys.bindings(
        "mix", "around", "graph", "next", "previous", narrow="query", open="passage", again="ask again"
    )
    footer = ("open", "narrow", "mix", "around", "graph", "raw")

    DEFAULT_CSS = """
    SearchScreen #asked { height: auto; border: round $lab-line; padding: 0 1; border-title-color: $lab-muted;
        border-subtitle-color: $lab-muted; }
    SearchScreen #asked:focus-within { border: round $lab-accent; border-title-color: $lab-accent; }
    SearchScreen #query { border: none; height: 1; padding: 0; background: $lab-bg; }
    SearchScreen #legs { height: 1; }
    SearchScreen #found { height: 1fr; }
    SearchScreen #hits { width: 1fr; }
    SearchScreen #reading { width: 1fr; scrollbar-size-vertical: 1; }
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._mix = render.MIXES[0]
        self._hits: Sequence[Hit] = ()
        self._sought = ""
        self._asked = ""
        self._read = Read()
        self._node = -1
        self._looked_at: str | None = None

    def compose_mode(self) -> ComposeResult:
        """The regions."""
        with Vertical(id="asked") as box:
            box.border_title = "Search"
            yield Input(placeholder="what to look for, in words", id="query")
            yield Lines(id="legs")
        with Horizontal(id="found"):
            yield Table(render.HITS, id="hits")
            with VerticalScroll(id="reading", can_focus=False):
                yield Panel("Passage", id="passage")
                yield Panel("Around", id="around")

    @property
    def _list(self) -> Table:
        return self.query_one("#hits", Table)

    @property
    def _query(self) -> Input:
        return self.query_one("#query", Input)

    def shown(self) -> None:
        """The query has the focus until there are hits."""
        self._paint()

    # Asking

    def on_input_changed(self, event: Input.Changed) -> None:
        """Ask a moment after the last key."""
        event.stop()
        self.stop_resting()
        # The list's cursor is already somewhere in the answer: asking again would take it back to the first hit.
        if self._query.value.strip() != self._sought:
            self.after_rest(REST_S, self._search)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Ask at once and go to the hits."""
        event.stop()
        self._search()
        self.set_focus(self._list)

    def _search(self) -> None:
        self.stop_resting()
        query, mix = self._query.value.strip(), self._mix
        self._sought = query
        if not query:
            self._hits, self._asked = (), ""
            self._paint()
            return

        def work(lab: Lab) -> SearchAnswer:
            return lab.knowledge.search(query, limit=LIMIT, fusion=mix.fusion, weights=mix.weights)

        self.query_lab("search", work, self._show_answer, self._failed)

    def _show_answer(self, answer: SearchAnswer) -> None:
        self._hits, self._asked = answer.hits, answer.query
        self.query_one("#asked", Vertical).border_subtitle = f"{plural(len(self._hits), 'hit')} · {answer.ms:.0f} ms"
        legs = [("fusion ", "muted"), (self._mix.name, "text"), *render.retriever_spans(answer.legs)]
        self.query_one("#legs", Lines).show([legs])
        self._list.set_cursor(0)
        self._paint()
        self._refresh_detail()

    def _failed(self, error: LabError) -> None:
        self.query_one("#legs", Lines).show([[("▲ ", "warn"), (str(error), "text")]])

    def _paint(self) -> None:
        table = self._list
        indexed = self.snapshot.jobs.get("completed", 0)
        on_the_way = sum(self.snapshot.jobs.get(state, 0) for state in ("queued", "running"))
        empty = "Type what to look for." if not self._asked else f"No passage matches {self._asked!r}."
        if not indexed:
            empty = f"Nothing is indexed yet: {plural(on_the_way, 'document is', 'documents are')} on their way."
        table.empty = [[(f"  {empty}", "text")]]
        table.show(render.hit_rows(self._hits))
        table.head(f"Hits · {number(len(self._hits))}")

    # The passage

    def on_table_moved(self) -> None:
        """Another hit is under the cursor."""
        self._refresh_detail()

    def _hit(self) -> Hit | None:
        row = self._list.row
        return next((hit for hit in self._hits if row is not None and hit.chunk_id == row.key), None)

    def _refresh_detail(self) -> None:
        hit = self._hit()
        chunk_id = None if hit is None else hit.chunk_id
        # The list tells of its row more often than the row changes; what was asked about it by hand would start again.
        if chunk_id is not None and chunk_id == self._looked_at:
            self._paint_passage()
            return
        self._looked_at = chunk_id
        self._read, self._node = Read(), -1
        self._paint_passage()
        if chunk_id is None:
            return

        def show(read: Read) -> None:
            now = self._hit()
            if now is not None and now.chunk_id == chunk_id:
                self._read = read
                self._paint_passage()
                if read.nodes:
                    self.action_around()

        self.query_lab("passage", lambda lab: _read(lab, chunk_id), show, lambda _: None)

    def _paint_passage(self) -> None:
        hit, panel = self._hit(), self.query_one("#passage", Panel)
        panel.display = hit is not None
        self.query_one("#around", Panel).display = hit is not None and bool(self._read.nodes)
        if hit is None:
            return
        width = max(20, panel.size.width or 50)
        panel.show(render.passage(hit, self._read.before, self._read.after, width))
        panel.head(hit.doc_id)

    def on_lines_rewidened(self) -> None:
        """Text is as wide as there is room."""
        self._paint_passage()

    # Hooks

    def now(self, snapshot: Snapshot) -> Line | None:
        """What was asked and found."""
        if not self._asked:
            return None
        return [("● ", "ok"), (f"{plural(len(self._hits), 'passage')} for {self._asked}", "text bold")]

    def subject(self) -> Subject | None:
        """The document of the hit under the cursor, by the job that indexed it."""
        hit = self._hit()
        if hit is None:
            return None
        job_id = hit.provenance.job_id
        return Subject("job", job_id, hit.doc_id, "knowledge", to_builtins(hit)) if job_id else None

    def step_back(self) -> bool:
        """From the passage to the hits, from the hits to the query."""
        if self.has_class("deep"):
            self.remove_class("deep")
            self._list.focus()
            return True
        if self._query.has_focus and self._hits:
            self._list.focus()
            return True
        return False

    def can(self, action: str) -> bool:
        """Most needs a hit."""
        if action == "again":
            return bool(self._asked)
        if action in ("around", "graph"):
            return bool(self._read.nodes)
        return self._hit() is not None if action in ("open", "next", "previous") else super().can(action)

    def command(self, words: Sequence[str]) -> bool:
        """`:search WORDS` asks."""
        if words:
            self._query.value = " ".join(words)
            self._search()
            self._list.focus()
        return True

    # Actions

    def action_narrow(self) -> None:
        """To the query."""
        self.remove_class("deep")
        self._query.focus()

    def action_open(self) -> None:
        """To the passage."""
        self.add_class("deep")
        self.query_one("#passage").focus()
        self.call_after_refresh(self._paint_passage)

    def action_again(self) -> None:
        """Ask again."""
        self._search()

    def action_match(self, step: int) -> None:
        """The next hit, or the one before."""
        self._list.step(step)

    def action_mix(self) -> None:
        """Choose how legs are fused; asks again at once."""
        question = Question(
            "How the retrievers are fused",
            ["Words (BM25) and meaning (vectors) each rank all passages; the ranks or the scores are added."],
            (Choice("m", "Use it", "mix"), Choice("", "Cancel", "")),
            "search.fusion and search.weights in settings.yaml hold for everybody",
            options=[(str(at), mix.name) for at, mix in enumerate(render.MIXES)],
        )

        def then(answer: Answer) -> None:
            self._mix = render.MIXES[int(answer.option)]
            self._search()

        self.choose(question, then)

    def action_around(self) -> None:
        """The graph around the next concept of the passage."""
        nodes = self._read.nodes
        self._node = (self._node + 1) % len(nodes)
        node_id, of = nodes[self._node], f"{self._node + 1} of {len(nodes)}"

        def show(found: Around) -> None:
            title, lines = render.around(found)
            panel = self.query_one("#around", Panel)
            panel.display = True
            panel.head(f"Around {of} · {title}", "a next")
            panel.show(lines)

        self.query_lab("around", lambda lab: graph.around(lab, node_id, NEIGHBOURS), show, lambda _: None)

    def action_graph(self) -> None:
        """Walk the graph from the concept that is shown."""
        self.post_message(GoTo("graph", [self._read.nodes[max(0, self._node)]]))


def _read(lab: Lab, chunk_id: str) -> Read:
    document, _, place = chunk_id.rpartition("#")
    nodes = [mention.node_id for mention in lab.knowledge.passage(chunk_id).mentions]
    at = int(place) if place.isdigit() else 0
    before = _text(lab, f"{document}#{at - 1}") if at else ""
    return Read(before, _text(lab, f"{document}#{at + 1}"), tuple(dict.fromkeys(nodes)))


def _text(lab: Lab, chunk_id: str) -> str:
    try:
        return lab.knowledge.passage(chunk_id).text
    except PassageNotFound:
        return ""
