"""Editing definitions without a lab running: checked, saved as versions, compared, brought back; and the same by command."""

import os
import sys
from pathlib import Path

import pytest

from medkg_lab.lab import definitions
from medkg_lab.lab.definitions import (
    Definition,
    DefinitionChanged,
    Kind,
    NoSuchVersion,
    VersionAmbiguous,
)
from medkg_lab.lab.facade import Lab
from medkg_lab.topology.errors import DefinitionInvalid
from tests.labs import TestLab

AUTO = Definition(Kind.PIPELINE, "auto")
POLICIES = Definition(Kind.POLICIES)
CPU = Definition(Kind.PROFILE, "cpu")


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """A lab that was never started."""
    return Lab.at(tmp_path / "home")


def edited(lab: Lab, old: str, new: str, which: Definition = AUTO) -> tuple[str, str]:
    """The definition's text with a change in it, and the digest of the file."""
    start = definitions.opened(lab, which)
    assert old in start.text
    return start.text.replace(old, new, 1), start.digest


def test_everything_can_be_edited_and_is_valid_as_bundled(lab: Lab) -> None:
    known = definitions.everything(lab)
    assert {AUTO, POLICIES, CPU} <= set(known)
    for each in known:
        assert not definitions.check(lab, each, definitions.opened(lab, each).text).problems


def test_a_saved_version_is_used_at_once_and_the_bundled_file_stays(lab: Lab) -> None:
    bundled = definitions.opened(lab, AUTO)
    text, digest = edited(lab, "policy: local", "policy: local-io")
    saved = definitions.save(lab, AUTO, text, digest)
    assert saved.changes == ["stage parse: policy 'local' -> 'local-io'"]
    assert saved.path.stat().st_mode & 0o777 == 0o600
    assert lab.catalog.topology("auto").stage("parse").policy == "local-io"
    assert bundled.path.read_text() == bundled.text
    assert [one.version for one in definitions.history(lab, AUTO)] == [saved.version, saved.before]
    assert not list(saved.path.parent.glob("*.part"))


def test_what_is_wrong_is_said_with_its_line_and_nothing_is_written(lab: Lab) -> None:
    text, digest = edited(lab, "policy: local", "policy: locla")
    with pytest.raises(DefinitionInvalid) as refused:
        definitions.save(lab, AUTO, text, digest)
    problem = refused.value.problems[0]
    assert problem.line == text.splitlines().index("    policy: locla") + 1
    assert "local" in problem.suggestion
    assert not lab.locations.config.exists()


def test_a_file_that_was_changed_meanwhile_is_only_replaced_on_purpose(lab: Lab) -> None:
    mine, digest = edited(lab, "policy: local", "policy: local-io")
    theirs, _ = edited(lab, "policy: local", "policy: polite-api")
    definitions.save(lab, AUTO, theirs, digest)
    with pytest.raises(DefinitionChanged):
        definitions.save(lab, AUTO, mine, digest)
    assert lab.catalog.topology("auto").stage("parse").policy == "polite-api"
    definitions.save(lab, AUTO, mine, None)
    assert lab.catalog.topology("auto").stage("parse").policy == "local-io"
    assert len(definitions.history(lab, AUTO)) == 3


def test_an_old_version_comes_back_as_it_was_written(lab: Lab) -> None:
    original = definitions.opened(lab, AUTO).text
    first = definitions.save(lab, AUTO, *edited(lab, "policy: local", "policy: local-io"))
    content = first.before.partition("+")[2]
    assert definitions.text_of(lab, AUTO, content[:6]) == original
    definitions.save(lab, AUTO, definitions.text_of(lab, AUTO, first.before), None)
    assert definitions.opened(lab, AUTO).text == original
    newest, *older = definitions.history(lab, AUTO)
    assert (newest.version, newest.current) == (first.before, True)
    assert [one.version for one in older] == [first.version]
    with pytest.raises(NoSuchVersion):
        definitions.text_of(lab, AUTO, "zzz")
    with pytest.raises(VersionAmbiguous):
        definitions.text_of(lab, AUTO, "1.0")


def test_a_version_keeps_the_time_at_which_it_was_first_saved(lab: Lab) -> None:
    first = definitions.save(lab, AUTO, *edited(lab, "policy: local", "policy: local-io"))
    files = (lab.locations.config / definitions.KEPT_FOLDER).rglob("*.yaml")
    for at, path in enumerate(sorted(files, key=lambda each: each.stem == first.version), 1):
        os.utime(path, (1000.0 * at, 1000.0 * at))
    times = {one.version: one.ts for one in definitions.history(lab, AUTO)}
    assert times == {first.before: 1000.0, first.version: 2000.0}
    definitions.save(lab, AUTO, definitions.text_of(lab, AUTO, first.before), None)
    assert {one.version: one.ts for one in definitions.history(lab, AUTO)} == times, (
        "what is restored is as old as it was"
    )


def test_a_pipeline_of_another_name_is_refused(lab: Lab) -> None:
    problems = definitions.check(lab, Definition(Kind.PIPELINE, "other"), definitions.opened(lab, AUTO).text).problems
    assert [problem.rule for problem in problems] == ["name"]


def test_a_policy_that_a_pipeline_needs_is_not_taken_away(lab: Lab) -> None:
    own = definitions.opened(lab, POLICIES).text.replace("name: polite-api", "name: mine")
    definitions.save(lab, POLICIES, own, None)
    definitions.save(lab, AUTO, *edited(lab, "policy: local", "policy: mine"))
    problems = definitions.check(lab, POLICIES, own.replace("name: mine", "name: yours")).problems
    assert "auto" in problems[0].message
    assert "mine" in problems[0].message


def test_profiles_are_checked_down_to_their_implementations(lab: Lab) -> None:
    text, digest = edited(lab, "minilm.onnx", "minilm.onxx", CPU)
    with pytest.raises(DefinitionInvalid) as refused:
        definitions.save(lab, CPU, text, digest)
    assert refused.value.problems[0].line == text.splitlines().index("    implementation: minilm.onxx") + 1
    text, digest = edited(lab, "Runs on any laptop", "Runs on this laptop", CPU)
    assert definitions.save(lab, CPU, text, digest).changes == ["description changed"]


def editor(folder: Path, old: str, new: str) -> str:
    """A program that edits a file as a person's editor would."""
    script = folder / "editor.py"
    script.write_text(
        f"import pathlib, sys\npath = pathlib.Path(sys.argv[1])\npath.write_text(path.read_text().replace({old!r}, {new!r}))\n"
    )
    return f"{sys.executable} {script}"


def test_the_command_line_edits_applies_restores_and_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    lab = TestLab(home, tmp_path / "cache")
    for name in ("VISUAL", "EDITOR"):
        monkeypatch.delenv(name, raising=False)
    drafts = tmp_path / "drafts"
    drafts.mkdir()
    first = editor(tmp_path, "policy: local\n", "policy: local-io\n")
    environment = lab.environment | {"EDITOR": first, "TMPDIR": str(drafts)}
    monkeypatch.setattr(TestLab, "environment", property(lambda self: environment))
    saved = lab.ok("pipeline", "edit", "auto")
    assert saved["changes"] == ["stage parse: policy 'local' -> 'local-io'"]
    assert lab.run("pipeline", "edit", "auto").code == 0
    assert list(drafts.iterdir()) == [], "a draft that was saved, or that changes nothing, is not kept"
    environment["EDITOR"] = editor(tmp_path, "policy: polite-api", "policy: polite-apy")
    refused = lab.run("pipeline", "edit", "auto")
    assert refused.code == 1
    assert "unknown-policy" in refused.out
    assert "pipeline apply auto" in refused.err
    assert [draft.name for draft in drafts.glob("*/*")] == ["auto.yaml"]
    environment["EDITOR"] = "/nonexistent/editor"
    assert "could not be used" in lab.run("pipeline", "edit", "auto").err
    restored = lab.ok("pipeline", "restore", "auto", saved["before"])
    assert restored["version"] == saved["before"]
    assert [one["current"] for one in lab.ok("pipeline", "history", "auto")] == [True, False]
    file = tmp_path / "new.yaml"
    file.write_text(definitions.opened(Lab.at(home), AUTO).text.replace("policy: local", "policy: local-io"))
    assert lab.ok("pipeline", "apply", "auto", str(file))["version"] == saved["version"]
    assert os.stat(home / "config" / "pipelines" / "auto.yaml").st_mode & 0o777 == 0o600
