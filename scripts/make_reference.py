"""Write docs/reference.md from the program itself: settings, commands, stages, errors, exit codes and topics.

python scripts/make_reference.py           writes docs/reference.md
python scripts/make_reference.py --check   exit code 1 when docs/reference.md is not current
Either names what has no description, and then the exit code is 1 too.
"""

import argparse
import ast
import importlib
import inspect
import json
import pkgutil
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel

import medkg_lab
from medkg_lab import exit_codes
from medkg_lab.broker import topics
from medkg_lab.cli.main import build_parser
from medkg_lab.errors import LabError
from medkg_lab.settings import Settings
from medkg_lab.stages import contracts, kinds, registry
from medkg_lab.stages.contracts import StageType
from medkg_lab.stages.registry import Implementation

TARGET = Path(__file__).resolve().parent.parent / "docs" / "reference.md"
HEAD = "# Reference\n\nWritten by `scripts/make_reference.py` from the program itself; a test keeps it current.\n"
GATE = "Nothing executes here: the job waits until the gate's condition holds or a person opens it."
COMMON = frozenset({"--home", "--json"})


@dataclass(frozen=True)
class Row:
    """A line of a table: what it describes, what stands beside it, and the description."""

    name: str
    description: str
    facts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Section:
    """A heading, its text, perhaps a usage line, and a table: `columns` are the headings of name, facts and description."""

    level: int
    title: str
    text: str
    usage: str = ""
    columns: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()


def one_line(text: str | None) -> str:
    """A docstring or help text without its line breaks; empty for None."""
    return " ".join(inspect.cleandoc(text or "").split())


def type_name(annotation: Any) -> str:
    """A type as a person reads it: without the names of modules."""
    if get_origin(annotation) is Literal:
        return " or ".join(json.dumps(each) for each in get_args(annotation))
    return annotation.__name__ if isinstance(annotation, type) else re.sub(r"\b(?:\w+\.)+(?=\w)", "", str(annotation))


def limit(constraint: Any) -> str:
    """A bound or pattern of a field; empty for what is neither."""
    match constraint:
        case Ge(bound):
            return f"≥ {bound}"
        case Gt(bound):
            return f"> {bound}"
        case Le(bound):
            return f"≤ {bound}"
        case Lt(bound):
            return f"< {bound}"
    pattern = getattr(constraint, "pattern", None)
    return f"matches `{pattern}`" if pattern else ""


def field_rows(model: type[BaseModel], prefix: str = "") -> Iterator[Row]:
    """The fields of a model; those of the models in it by dotted names."""
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from field_rows(inner, f"{prefix}{name}.")
            continue
        default = "" if field.is_required() else json.dumps(field.get_default(call_default_factory=True), default=str)
        limits = [text for text in map(limit, field.metadata) if text]
        facts = (", ".join([type_name(inner), *limits]), f"`{default}`" if default else "must be given")
        yield Row(f"`{prefix}{field.alias or name}`", one_line(field.description), facts)


FIELD_COLUMNS = ("type", "default", "meaning")


def settings_sections() -> Iterator[Section]:
    """Everything that can be set."""
    text = "Keys of `settings.yaml` in the lab's config folder (`medkg-lab paths`); a dot is a level of indentation."
    yield Section(2, "Settings", text, columns=("setting", *FIELD_COLUMNS), rows=tuple(field_rows(Settings)))


# argparse offers no public way to walk a parser. What is used of it here has kept its names since Python 2.7.
def parts(parser: argparse.ArgumentParser) -> Mapping[str, tuple[argparse.ArgumentParser, str]]:
    """The commands directly below a parser, with their help."""
    found: dict[str, tuple[argparse.ArgumentParser, str]] = {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            helps = {choice.dest: choice.help for choice in action._choices_actions}
            found |= {name: (each, one_line(helps.get(name))) for name, each in action.choices.items()}
    return found


def option_rows(parser: argparse.ArgumentParser) -> Iterator[Row]:
    """The arguments of one command, without those that every command has."""
    for action in parser._actions:
        if isinstance(action, argparse._HelpAction | argparse._SubParsersAction) or COMMON & {*action.option_strings}:
            continue
        choices = "{" + ",".join(map(str, action.choices)) + "}" if action.choices else ""
        shown = action.metavar if isinstance(action.metavar, str) else choices or action.dest
        value = "" if action.nargs == 0 else shown if not action.option_strings or action.metavar else shown.upper()
        name = " ".join(filter(None, (", ".join(action.option_strings), value)))
        yield Row(f"`{name}`", one_line(action.help and action.help % {**vars(action), "prog": parser.prog}))


def command_sections(parser: argparse.ArgumentParser, level: int = 3) -> Iterator[Section]:
    """The commands below `parser`, depth first."""
    for each, help_text in parts(parser).values():
        usage = " ".join(each.format_usage().removeprefix("usage: ").split())
        rows = tuple(option_rows(each))
        columns = ("argument", "meaning") if rows else ()
        yield Section(level, f"`{each.prog}`", help_text, usage=usage, columns=columns, rows=rows)
        yield from command_sections(each, level + 1)


def stage_sections() -> Iterator[Section]:
    """The stage types with what they take and give."""
    rows = []
    for each in StageType:
        text = GATE if each is StageType.GATE else one_line(getattr(contracts, each.value).__doc__)
        takes = " ".join(kinds.INPUT_KINDS.get(each, ())) or "-"
        rows.append(Row(f"`{each.value}`", text, (takes, kinds.OUTPUT_KIND.get(each, "-"))))
    text = "What a pipeline's stage may be. Inputs are found by kind, whichever stage made them."
    yield Section(2, "Stage types", text, columns=("type", "takes", "gives", "meaning"), rows=tuple(rows))


def implementation_sections(found: Mapping[str, Implementation]) -> Iterator[Section]:
    """The implementations that the lab brings, with the options of each."""
    text = "What `implementation:` of a stage or profile may name; `with:` holds the options."
    yield Section(2, "Stage implementations", text)
    for name, each in found.items():
        gpu = f"a GPU with {each.gpu.memory_mib} MiB free" if each.gpu else "no GPU"
        place = f"{each.stage_type.value}; runs in the {each.lane.value} lane; needs {gpu}"
        rows = tuple(field_rows(each.options))
        summary = each.summary and f"{each.summary} ({place})"
        yield Section(3, f"`{name}`", summary, columns=("option", *FIELD_COLUMNS) if rows else (), rows=rows)


def own_implementations() -> Mapping[str, Implementation]:
    """The registered implementations without those of other packages that happen to be installed."""
    found = registry.implementations()
    return {name: each for name, each in found.items() if each.options.__module__.startswith("medkg_lab.")}


def error_classes() -> Iterator[type[LabError]]:
    """Every error class of the lab, by module and name."""
    for module in pkgutil.walk_packages(medkg_lab.__path__, "medkg_lab."):
        importlib.import_module(module.name)
    pending, found = [LabError], set[type[LabError]]()
    while pending:
        each = pending.pop()
        found.add(each)
        pending += each.__subclasses__()
    ours = (each for each in found if each.__module__.startswith("medkg_lab."))
    yield from sorted(ours, key=lambda each: (each.__module__, each.__name__))


def error_sections(classes: Iterable[type[LabError]]) -> Iterator[Section]:
    """The errors of each module: their message is a template over the fields in braces."""
    text = (
        "Each error's message says what is wrong and what to do. `kind` is what a failed job's `failure_kind` becomes."
    )
    yield Section(2, "Errors", text)
    modules: dict[str, list[Row]] = {}
    for each in classes:
        kind = getattr(each, "failure_kind", "")
        facts = (str(each.exit_code), kind if isinstance(kind, str) else "")
        message = one_line(each.__doc__).replace("{{", "{").replace("}}", "}")
        modules.setdefault(each.__module__, []).append(Row(f"`{each.__name__}`", message, facts))
    for module, rows in modules.items():
        about = one_line((sys.modules[module].__doc__ or "").partition("\n\n")[0])
        yield Section(3, f"`{module}`", about, columns=("error", "exit code", "kind", "message"), rows=tuple(rows))


def described_constants(module: ModuleType) -> Iterator[tuple[str, str]]:
    """The names of a module's constants, each with the string that stands below it in the source, if any."""
    body = ast.parse(inspect.getsource(module)).body
    for node, following in pairwise([*body, ast.Pass()]):
        match node, following:
            case ast.Assign(targets=[ast.Name(name)]), ast.Expr(ast.Constant(str(text))):
                yield name, one_line(text)
            case ast.Assign(targets=[ast.Name(name)]), _:
                yield name, ""


def exit_code_section() -> Section:
    """The exit codes of the command line and of the lab's processes."""
    found = described_constants(exit_codes)
    rows = tuple(Row(f"`{getattr(exit_codes, name)}`", text, (f"`{name}`",)) for name, text in found)
    return Section(2, "Exit codes", "What scripts may rely on.", columns=("code", "name", "meaning"), rows=rows)


def topic_section() -> Section:
    """The topics, as they are named without a prefix."""
    texts = {getattr(topics, name): text for name, text in described_constants(topics) if not name.startswith("_")}
    rows = tuple(
        Row(f"`{each.name}`", texts.get(each.name, ""), (str(each.partitions), f"{each.retention_days} days"))
        for each in topics.lab_topics()
    )
    text = "`broker.topic_prefix` is put before each name."
    return Section(2, "Topics", text, columns=("topic", "partitions", "kept for", "meaning"), rows=rows)


def reference() -> tuple[Section, ...]:
    """All sections in order."""
    parser = build_parser()
    everywhere = (
        "Every command takes `--home DIR` (the lab's folder) and `--json` (JSON on stdout); stderr is for people."
    )
    return (
        *settings_sections(),
        Section(2, "Commands", everywhere),
        *command_sections(parser),
        *stage_sections(),
        *implementation_sections(own_implementations()),
        *error_sections(error_classes()),
        exit_code_section(),
        topic_section(),
    )


def undescribed(sections: Iterable[Section]) -> list[str]:
    """What has no description: sections without a text, and rows without one."""
    missing = []
    for section in sections:
        missing += [] if section.text else [section.title]
        missing += [f"{section.title}: {row.name}" for row in section.rows if not row.description]
    return missing


def cell(text: str) -> str:
    """Text as it must be written in a Markdown table."""
    quoted = re.split(r"(`[^`]*`)", text)
    safe = [piece if piece.startswith("`") else piece.replace("<", "&lt;").replace("*", r"\*") for piece in quoted]
    return "".join(safe).replace("|", r"\|")


def render(sections: Iterable[Section]) -> str:
    """The sections as Markdown."""
    lines = [HEAD]
    for section in sections:
        lines += [f"{'#' * section.level} {section.title}", "", cell(section.text), ""]
        if section.usage:
            lines += ["```text", section.usage, "```", ""]
        if section.rows:
            lines += [f"| {' | '.join(section.columns)} |", "|---" * len(section.columns) + "|"]
            lines += [f"| {' | '.join(map(cell, (row.name, *row.facts, row.description)))} |" for row in section.rows]
            lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def main(arguments: list[str]) -> int:
    """Write or check the file; returns the exit code."""
    sections = reference()
    missing = [f"no description: {what}" for what in undescribed(sections)]
    text = render(sections)
    if "--check" in arguments:
        current = TARGET.exists() and TARGET.read_text(encoding="utf-8") == text
        missing += [] if current else [f"{TARGET.name} is not current: run scripts/make_reference.py"]
    else:
        TARGET.parent.mkdir(exist_ok=True)
        TARGET.write_text(text, encoding="utf-8")
    print("\n".join(missing), end="\n" if missing else "")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
