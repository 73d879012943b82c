"""Archives as test cases, reported in the XML that continuous integration servers read, which is JUnit's."""

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from medkg_lab.errors import LabError
from medkg_lab.locations import locate
from medkg_lab.repro import archive
from medkg_lab.repro.overrides import ReplayOverrides
from medkg_lab.repro.workbench import Workbench
from medkg_lab.text import sanitize


@dataclass(frozen=True)
class Verdict:
    """What became of one archive: `failure` says where it diverged, `error` why it could not be run."""

    name: str
    seconds: float
    steps: int = 0
    failure: str | None = None
    error: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the archive ran as it was recorded."""
        return self.failure is None and self.error is None


def verify(paths: Sequence[Path], told: Callable[[Verdict], None] = lambda verdict: None) -> list[Verdict]:
    """Run every archive in a home of its own that goes with it."""
    verdicts = []
    for path in paths:
        verdicts.append(_verdict(path))
        told(verdicts[-1])
    return verdicts


def _verdict(path: Path) -> Verdict:
    began = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="medkg-verify-") as home:
            bench = Workbench.of(archive.read(path), locate(home))
            run = bench.run(ReplayOverrides())
            report = bench.compare(run.id)
    except (LabError, OSError) as error:
        return Verdict(path.name, time.monotonic() - began, error=f"{type(error).__name__}: {error}")
    first = str(report.first) if report.first is not None else None
    return Verdict(path.name, time.monotonic() - began, report.compared, first)


def xml(verdicts: Sequence[Verdict]) -> str:
    """The verdicts as a JUnit report."""
    failures, errors = (sum(getattr(one, kind) is not None for one in verdicts) for kind in ("failure", "error"))
    head = f'tests="{len(verdicts)}" failures="{failures}" errors="{errors}"'
    cases = "".join(map(_case, verdicts))
    seconds = sum(one.seconds for one in verdicts)
    suite = f'<testsuite name="medkg-lab repro" {head} time="{seconds:.3f}">\n{cases}</testsuite>'
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n{suite}\n</testsuites>\n'


def _case(verdict: Verdict) -> str:
    inner = ""
    for kind in ("failure", "error"):
        if (text := getattr(verdict, kind)) is not None:
            clean = sanitize(text)
            inner = f"<{kind} message={quoteattr(clean.splitlines()[0])}>{escape(clean)}</{kind}>"
    name = quoteattr(sanitize(verdict.name))
    return f'<testcase classname="repro" name={name} time="{verdict.seconds:.3f}">{inner}</testcase>\n'
