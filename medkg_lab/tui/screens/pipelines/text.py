"""The graph of a pipeline and its text beside it, kept alike and checked as it is typed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import TextArea

from medkg_lab.lab import definitions
from medkg_lab.lab.definitions import Checked, Definition, Kind
from medkg_lab.lab.facade import Lab
from medkg_lab.lab.stages import Done, stages_done
from medkg_lab.topology.models import Topology
from medkg_lab.tui.formatting import plural
from medkg_lab.tui.messages import Snapshot
from medkg_lab.tui.screens.base import ModeScreen
from medkg_lab.tui.screens.frame_screen import Session
from medkg_lab.tui.screens.pipelines import render, vocabulary, yaml_help
from medkg_lab.tui.screens.pipelines.drafts import Draft, opened_draft
from medkg_lab.tui.screens.pipelines.editor import YamlEditor
from medkg_lab.tui.screens.pipelines.render import DraftState, short_version
from medkg_lab.tui.screens.pipelines.yaml_help import Words
from medkg_lab.tui.theme import Line, Span
from medkg_lab.tui.widgets.dag import Dag
from medkg_lab.tui.widgets.panel import Panel, titled

CHECK_DELAY_S = 0.15
"""Seconds without a key after which the draft is checked."""
FINDINGS_SHOWN = 8
VERSIONS_SHOWN = 6


@dataclass
class Seen:
    """What the timer last saw of the lab."""

    done: Mapping[str, Done] = field(default_factory=dict)
    digest: str = ""


class PipelineText(ModeScreen):
    """What Pipelines shows and how it is edited; what is done with it stands in `pipelines`."""

    poll_every_s = 2.0

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._which: Definition | None = None
        self._known: Sequence[Definition] = ()
        self._drafts: dict[Definition, Draft] = {}
        self._names = Words()
        self._seen = Seen()
        self._completing = False
        self.dag = Dag(id="dag")
        self.editor = YamlEditor(lambda: self._names, id="text")
        self._stage_panel = Panel(id="stage")
        self._findings = Panel(id="findings")
        self._versions = Panel("Versions", id="versions")

    def compose_mode(self) -> ComposeResult:
        """The regions."""
        with Horizontal():
            with Vertical(id="left"):
                yield self.dag
                yield self._stage_panel
            with Vertical(id="right"):
                yield self.editor
                yield self._findings
                yield self._versions

    @property
    def draft(self) -> Draft | None:
        """What is edited now."""
        return self._drafts.get(self._which) if self._which is not None else None

    # Looking

    def shown(self) -> None:
        """Open the first pipeline, or go on with the one that was open."""
        if self._which is None:
            self.query_lab("list", definitions.everything, self._listed)
        self.query_lab("words", vocabulary.words_of, self._set_words)
        self.poll_lab()

    def _listed(self, known: Sequence[Definition]) -> None:
        self._known = known
        if self._which is None and known:
            self.show_definition(known[0])

    def _set_words(self, words: Words) -> None:
        self._names = words

    def poll_lab(self) -> None:
        """What came of the stages, and whether the file is still the one that was opened."""
        which = self._which
        if which is None:
            return

        def read(lab: Lab) -> Seen:
            digest = definitions.opened(lab, which).digest
            running = which.kind is Kind.PIPELINE and lab.supervisor.is_running()
            return Seen(stages_done(lab.ledger, which.name) if running else {}, digest)

        def show(seen: Seen) -> None:
            if which == self._which:
                self._seen = seen
                self._compare(which, seen.digest)
                self._paint()

        # The timer asks again; the now-line says when the ledger does not answer.
        self.poll("look", read, show)

    def _compare(self, which: Definition, digest: str) -> None:
        """The file may have been changed by someone else: an untouched text follows it, a draft is warned."""
        draft = self._drafts.get(which)
        if draft is None or digest == draft.base.digest:
            return
        if draft.changed:
            self._drafts[which] = replace(draft, stale=True)
        else:
            self._read(which)

    def on_snapshot(self, snapshot: Snapshot) -> None:
        """Repaint when seen."""
        self._paint()

    # Opening

    def show_definition(self, which: Definition) -> None:
        """Show and edit this one; a draft of it is still there."""
        self._which, self._seen = which, Seen()
        self.set_class(which.kind is not Kind.PIPELINE, "flat")
        self.set_class(which.kind is not Kind.PIPELINE, "editing")
        if which in self._drafts:
            self._load(self._drafts[which])
        else:
            self._read(which)
        self.set_focus(self.editor if self.has_class("flat") else self.dag)
        self.poll_lab()

    def _read(self, which: Definition, fresh: bool = False) -> None:
        """Read it and the draft of it that was kept; with `fresh` that is forgotten."""

        def read(lab: Lab) -> Draft:
            if fresh:
                definitions.save_draft(lab, which, None)
            return opened_draft(lab, which)

        def show(draft: Draft) -> None:
            self._drafts[which] = draft
            if which == self._which:
                self._load(draft)

        self.query_lab(f"read {which}", read, show)

    def _load(self, draft: Draft) -> None:
        place = self.editor.cursor_location
        self.editor.load_text(draft.text)
        self.editor.mark(draft.checked.problems)
        self.editor.move_cursor((min(place[0], self.editor.document.line_count - 1), 0))
        self._paint()
        self.repaint_frame()

    # Painting

    def _draft_state(self) -> DraftState:
        name = self._which.name if self._which is not None else ""
        return DraftState.of(self.snapshot, name, self._seen.done)

    def _paint(self) -> None:
        draft, which = self.draft, self._which
        if draft is None or which is None:
            titled(self.dag, "No pipeline yet · i makes one")
            return
        self._paint_graph(which, draft)
        new = "new" if not draft.base.text else "draft" if draft.changed else "in use"
        titled(self.editor, f"{which.file.rpartition('/')[2]} · {new}")
        if not self._completing:
            self._paint_findings(draft)
        versions = self._versions
        versions.show(render.version_lines(draft.versions, versions.size.width, VERSIONS_SHOWN))
        versions.head(f"Versions · {len(draft.versions)}", "v restore")

    def _paint_findings(self, draft: Draft) -> None:
        panel = self._findings
        problems = draft.checked.problems
        lines = render.findings(problems, self.editor.lines, draft.stale, panel.size.width or 40, FINDINGS_SHOWN)
        panel.head(plural(len(problems), "error") if problems else "Checked", "n next" if problems else "")
        panel.show(lines)

    def _paint_graph(self, which: Definition, draft: Draft) -> None:
        if draft.drawn is None:
            titled(self.dag, f"{which} · cannot be drawn yet: fix the text")
            return
        standing = self._draft_state()
        self.dag.show_graph(render.graph_of(draft.drawn), render.gates_of(draft.drawn))
        self.dag.show_looks(render.looks(draft.drawn, draft.used, standing))
        foot = f"[ ] other pipelines · {plural(len(draft.drawn.stages), 'stage')}"
        titled(self.dag, f"{which} · {plural(standing.total, 'job')}", foot)
        stage = self._stage_panel
        name = self.dag.chosen
        stage.head(name or "Stage")
        stage.show(render.stage_lines(draft.drawn, name, standing, draft.policies, max(20, stage.size.width)))

    def now(self, snapshot: Snapshot) -> Line | None:
        """The pipeline in a sentence, with what keeps the draft from being saved."""
        draft, which = self.draft, self._which
        if draft is None or which is None:
            return None
        version = next((one.version for one in draft.versions if one.current), "")
        line: list[Span] = [(str(which), "text bold"), (f" @ {short_version(version)}" if version else "", "muted")]
        at = snapshot.flow.get(which.name, {})
        running, waiting = (sum(one.get(state, 0) for one in at.values()) for state in ("running", "waiting_gate"))
        line += [(" · ◐ ", "run"), (f"running {plural(running, 'job')}", "text")] if running else []
        line += [(" · ◇ ", "wait"), (f"{waiting} at a gate", "text")] if waiting else []
        if problems := draft.checked.problems:
            line += [
                (" · ✗ ", "bad"),
                (f"the text has {plural(len(problems), 'error')}, line {problems[0].line}", "text"),
            ]
        elif draft.changed:
            line += [(" · ~ ", "wait"), ("a draft is not saved", "text")]
        if draft.stale:
            line += [(" · ▲ ", "warn"), ("the file was changed since", "text")]
        return line

    # Editing

    def on_text_area_changed(self, message: TextArea.Changed) -> None:
        """Check what was typed, once nothing was typed for a moment."""
        message.stop()
        which, draft = self._which, self.draft
        if which is None or draft is None or self.editor.text == draft.text:
            return
        self._drafts[which] = replace(draft, text=self.editor.text)
        self.after_rest(CHECK_DELAY_S, self._check)

    def _check(self) -> None:
        which, draft = self._which, self.draft
        if which is None or draft is None:
            return
        text = draft.text

        def check(lab: Lab) -> Checked:
            definitions.save_draft(lab, which, text if text != draft.base.text else None)
            return definitions.check(lab, which, text)

        def show(checked: Checked) -> None:
            now = self._drafts.get(which)
            if now is None or now.text != text:
                return
            drawn = checked.model if isinstance(checked.model, Topology) else now.drawn
            self._drafts[which] = replace(now, checked=checked, drawn=drawn)
            if which == self._which:
                self.editor.mark(checked.problems)
                self._paint()
                self.repaint_frame()

        self.query_lab("check", check, show)

    def on_yaml_editor_offered(self, message: YamlEditor.Offered) -> None:
        """Show what can be completed in the place of the findings."""
        self._completing = message.offer is not None
        panel = self._findings
        if message.offer is not None:
            panel.head(plural(len(message.offer.choices), "match", "matches"), "tab takes it · ↑ ↓ · esc")
            panel.show(render.offered(message.offer, message.at))
        elif self.draft is not None:
            self._paint_findings(self.draft)

    def on_editor_left(self) -> None:
        """Esc leaves the text for the graph."""
        if self.has_class("flat") and self._known:
            self.show_definition(self._known[0])
            return
        self.remove_class("editing")
        self.set_focus(self.dag)
        self.refresh_bindings()

    def on_text_area_selection_changed(self) -> None:
        """The graph's cursor follows the text's."""
        if self.editor.has_focus and (name := yaml_help.stage_at(self.editor.lines, self.editor.cursor_location[0])):
            self.dag.choose(name)

    def on_dag_chosen(self, message: Dag.Chosen) -> None:
        """The text's cursor follows the graph's."""
        row = yaml_help.line_of_stage(self.editor.lines, message.name)
        if row is not None and not self.editor.has_focus:
            self.editor.go_to(row + 1)
        self._paint()

    def action_edit(self) -> None:
        """Go to the text, at the stage that is chosen."""
        self.add_class("editing")
        self.set_focus(self.editor)
        row = yaml_help.line_of_stage(self.editor.lines, self.dag.chosen)
        if row is not None and yaml_help.stage_at(self.editor.lines, self.editor.cursor_location[0]) != self.dag.chosen:
            self.editor.go_to(row + 1)

    def action_match(self, step: int) -> None:
        """Go to the next thing that is wrong, or to the one before."""
        draft = self.draft
        if draft is None or not draft.checked.problems:
            return
        here = self.editor.cursor_location[0] + 1
        ordered = sorted(draft.checked.problems)[::step]
        beyond = (one for one in ordered if (one.line - here) * step > 0)
        found = next(beyond, ordered[0])
        self.add_class("editing")
        self.set_focus(self.editor)
        self.editor.go_to(found.line, found.column)
