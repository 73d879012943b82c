"""4 Pipelines: the graph with the jobs in it, its text beside it, checked as it is typed, and its versions."""

from collections.abc import Sequence
from dataclasses import replace

from medkg_lab.errors import LabError
from medkg_lab.lab import definitions
from medkg_lab.lab.definitions import Definition, DefinitionChanged, Kind, Saved, Version
from medkg_lab.lab.facade import Lab
from medkg_lab.topology.models import Topology
from medkg_lab.tui import keys
from medkg_lab.tui.dialogs import Answer, Choice, Question, Sheet
from medkg_lab.tui.formatting import clock, plural
from medkg_lab.tui.messages import GoTo, Subject
from medkg_lab.tui.screens.pipelines import render
from medkg_lab.tui.screens.pipelines.drafts import Draft
from medkg_lab.tui.screens.pipelines.render import short_version
from medkg_lab.tui.screens.pipelines.text import PipelineText


class PipelinesScreen(PipelineText):
    """The graph at the left, the text at the right."""

    word = "pipelines"
    about = (
        "What documents go through, drawn with the jobs that stand there, and the text that says so. e edits it: names are "
        "completed as you type or with ctrl+space, mistakes are marked at their line, tab puts a suggested name in. ctrl+s "
        "saves a new version, which new jobs use at once. [ and ] change the pipeline, P shows policies and profiles."
    )
    twins = (
        "medkg-lab pipeline graph NAME · pipeline edit NAME · pipeline validate FILE · pipeline apply NAME FILE · "
        "pipeline diff NAME VERSION · pipeline history NAME · pipeline restore NAME VERSION · policies edit"
    )
    AUTO_FOCUS = "#dag"
    BINDINGS = keys.bindings(
        "edit", "save", "diff", "effects", "versions", "policies",
        open="its jobs", put="new pipeline", earlier="the pipeline before", later="the next pipeline",
        next="next error", previous="error before",
    )  # fmt: skip
    footer = ("edit", "save", "diff", "effects", "versions", "why")

    DEFAULT_CSS = """
    PipelinesScreen #left { width: 58%; }
    PipelinesScreen #right { width: 1fr; }
    PipelinesScreen Dag { height: 1fr; }
    PipelinesScreen #stage { height: 5; }
    PipelinesScreen #findings { height: auto; max-height: 10; }
    PipelinesScreen #versions { height: 6; }
    PipelinesScreen.flat #left { display: none; }
    """

    # Saving

    def action_save(self) -> None:
        """Save the draft as a new version, unless something is wrong with it."""
        draft = self.draft
        if draft is None:
            return
        if not draft.changed:
            self.notify("There is nothing to save: the text is the version in use.")
        elif draft.text == self.editor.text:
            self._save(draft.base.digest)

    def _save(self, base: str | None) -> None:
        which, draft = self._which, self.draft
        if which is None or draft is None:
            return
        text, before = draft.text, draft

        def then(saved: Saved) -> None:
            self._notify_saved(which, saved)
            self._drafts.pop(which, None)
            self._read(which, fresh=True)
            self.query_lab("list", definitions.everything, self._listed)

        def failed(error: LabError) -> None:
            if isinstance(error, DefinitionChanged):
                self._drafts[which] = replace(before, stale=True)
                self._confirm_conflict(which)
            else:
                self._notify_refused(error)

        self.act(lambda lab: definitions.save(lab, which, text, base), then, failed=failed)

    def _notify_saved(self, which: Definition, saved: Saved) -> None:
        running = sum(one.get("running", 0) for one in self.snapshot.flow.get(which.name, {}).values())
        rest = f"; {plural(running, 'running job')} finish on {short_version(saved.before)}" if running else ""
        users = "New jobs use it" if which.kind is Kind.PIPELINE else "Engines take it up with their next batch"
        what = f" {saved.changes[0]}." if saved.changes else ""
        self.notify(f"Saved {which} {short_version(saved.version)}. {users}{rest}.{what}")

    def _notify_refused(self, error: LabError) -> None:
        problems = getattr(error, "problems", ())
        if problems:
            first = problems[0]
            hint = f" ({first.suggestion})" if first.suggestion else ""
            self.notify(f"✗ Not saved: line {first.line}: {first.message}{hint}. n goes there.", severity="error")
        else:
            self.show_error(error)

    def _confirm_conflict(self, which: Definition) -> None:
        question = Question(
            f"{which} was changed since you opened it",
            ["Someone else, or another program, saved this file. Nothing of yours is lost."],
            (
                Choice("", "esc Stay with the draft", ""),
                Choice("o", "Save mine over it", "over"),
                Choice("r", "Read theirs, drop mine", "read"),
            ),
            f"medkg-lab pipeline apply {which} FILE",
        )

        def then(answer: Answer) -> None:
            if answer.value == "over":
                self._save(None)
            else:
                self._drafts.pop(which, None)
                self._read(which, fresh=True)

        self.choose(question, then)

    # Comparing and going back

    def action_diff(self) -> None:
        """Show what differs between the draft and the version in use."""
        draft, which = self.draft, self._which
        if draft is None or which is None:
            return
        model = draft.checked.model
        new = model if isinstance(model, Topology) else None
        lines = render.differences(draft.base.text, draft.text, draft.used, new)
        self.app.push_screen(Sheet(f"{which} · what differs from the version in use", lines))

    def action_effects(self) -> None:
        """Show what the draft would make of the last documents."""
        draft, which = self.draft, self._which
        if draft is None or which is None or draft.checked.problems:
            return
        # Here, so that the first frame does not wait for what runs stages.
        from medkg_lab.tui.screens.pipelines.effects import Effects

        self.app.push_screen(Effects(self.lab, which.name, draft.text))

    def action_versions(self) -> None:
        """List the versions, and go back to one."""
        draft, which = self.draft, self._which
        if draft is None or which is None or not draft.versions:
            return
        options = [(one.version, _option(one)) for one in draft.versions]
        question = Question(
            f"Versions of {which}",
            ["The newest first. Going back makes an old one the newest again; nothing is forgotten."],
            (Choice("", "Restore it", "back"), Choice("", "esc Stay", "")),
            f"medkg-lab pipeline restore {which} VERSION",
            options=options,
        )

        def then(answer: Answer) -> None:
            self._go_back(which, answer.option)

        self.choose(question, then)

    def _go_back(self, which: Definition, version: str) -> None:
        base = None if self.draft is None else self.draft.base.digest

        def restore(lab: Lab) -> Saved:
            return definitions.save(lab, which, definitions.text_of(lab, which, version), base)

        def then(saved: Saved) -> None:
            self._notify_saved(which, saved)
            self._drafts.pop(which, None)
            self._read(which, fresh=True)

        self.act(restore, then, failed=self._notify_refused)

    # Choosing

    def action_policies(self) -> None:
        """Choose what to edit: a pipeline, the policies, a profile."""
        options = [(each.file, f"{each.kind.value:<10} {each.name}") for each in self._known]
        question = Question("Edit", [], (Choice("", "Edit it", "edit"), Choice("", "esc Stay", "")), options=options)

        def then(answer: Answer) -> None:
            self.show_definition(next(each for each in self._known if each.file == answer.option))

        self.choose(question, then)

    def action_part(self, step: int) -> None:
        """The next pipeline, or the one before."""
        pipelines = [each for each in self._known if each.kind is Kind.PIPELINE]
        if pipelines and self._which is not None:
            at = pipelines.index(self._which) if self._which in pipelines else -1
            self.show_definition(pipelines[(at + step) % len(pipelines)])

    def action_put(self) -> None:
        """Ask for a name and begin a new pipeline from a template."""
        question = Question(
            "New pipeline",
            ["Its name: small letters and hyphens, such as case-reports."],
            (Choice("", "Begin it", "new"), Choice("", "Cancel", "")),
            "medkg-lab pipeline edit NAME",
            asks="name",
            required="type a name first",
        )

        def then(answer: Answer) -> None:
            self._begin(Definition(Kind.PIPELINE, answer.text))

        self.choose(question, then)

    def _begin(self, which: Definition) -> None:
        if which in self._known:
            self.show_definition(which)
            return
        text = render.TEMPLATE.format(name=which.name)

        def read(lab: Lab) -> Draft:
            checked = definitions.check(lab, which, text)
            drawn = checked.model if isinstance(checked.model, Topology) else None
            return Draft(definitions.opened(lab, which), text, checked, None, drawn, policies=lab.catalog.policies())

        def show(draft: Draft) -> None:
            self._known = [which, *self._known]
            self._drafts[which] = draft
            self.show_definition(which)
            self.action_edit()

        self.query_lab("begin", read, show)

    # The thing under the cursor

    def subject(self) -> Subject | None:
        """The stage under the cursor."""
        draft = self.draft
        if draft is None or draft.drawn is None or self.has_class("flat") or not self.dag.chosen:
            return None
        stage = next((one for one in draft.drawn.stages if one.name == self.dag.chosen), None)
        raw = stage.model_dump(mode="json", by_alias=True) if stage is not None else {}
        return Subject("stage", self.dag.chosen, self.dag.chosen, raw=raw)

    def can(self, action: str) -> bool:
        """What needs a stage, a draft or an error works where there is one."""
        draft = self.draft
        if action == "put":
            return True
        if action == "open":
            return self.subject() is not None
        if action in ("next", "previous"):
            return draft is not None and bool(draft.checked.problems)
        if action == "effects":
            is_pipeline = self._which is not None and self._which.kind is Kind.PIPELINE
            return is_pipeline and draft is not None and draft.changed and not draft.checked.problems
        return draft is not None if action in ("edit", "save", "diff", "versions") else super().can(action)

    def action_open(self) -> None:
        """The jobs that stand at the stage."""
        if self._which is not None:
            self.post_message(GoTo("jobs", [f"pipeline:{self._which.name}", f"stage:{self.dag.chosen}"]))

    def action_events(self) -> None:
        """The events of the stage."""
        self.post_message(GoTo("events", [f"stage:{self.dag.chosen}"]))

    def action_why(self) -> None:
        """Say why jobs stand at the stage."""
        draft, subject = self.draft, self.subject()
        if draft is not None and draft.drawn is not None and subject is not None:
            sentence = render.why_stage(draft.drawn, subject.id, self._draft_state(), self.snapshot)
            self.show_why(subject, sentence)

    def step_back(self) -> bool:
        """Out of policies and profiles to the pipelines."""
        if self.has_class("flat") and self._known:
            self.show_definition(self._known[0])
            return True
        return False

    def completions(self) -> list[str]:
        """Everything that can be edited, by name."""
        return [str(each) for each in self._known]

    def command(self, words: Sequence[str]) -> bool:
        """Show one by name."""
        found = next((each for each in self._known if words and str(each) == words[0]), None)
        if found is not None:
            self.show_definition(found)
        return not words or found is not None


def _option(one: Version) -> str:
    when = clock(one.ts) if one.ts else "bundled"
    return f"{'▸' if one.current else ' '} {short_version(one.version)}  {when:<13} {one.summary}"
