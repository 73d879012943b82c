"""What can be wrong with a definition file, and the errors that say so."""

from collections.abc import Sequence
from dataclasses import dataclass

from medkg_lab import exit_codes
from medkg_lab.errors import LabError

MAX_PROBLEMS = 50
"""How many problems of one sort are looked for in one file: enough to mend, and no hostile file can ask for more work."""


@dataclass(frozen=True, order=True)
class Problem:
    """One thing wrong in a file: `line` and `column` count from 1; `rule` is a stable short name; `suggestion` may be empty."""

    file: str
    line: int
    column: int
    rule: str
    message: str
    suggestion: str = ""

    def __str__(self) -> str:
        hint = f" ({self.suggestion})" if self.suggestion else ""
        return f"{self.file}:{self.line}:{self.column}: [{self.rule}] {self.message}{hint}"


class DefinitionInvalid(LabError):
    """{file} cannot be used because of {count} problem(s); mend them and try again:
    {listing}"""

    def __init__(self, file: str, problems: Sequence[Problem]) -> None:
        self.file = file
        self.problems = tuple(sorted(set(problems)))
        super().__init__(file=file, count=len(self.problems), listing="\n".join(map(str, self.problems)))


class TopologyInvalid(DefinitionInvalid):
    """{file} is no valid pipeline because of {count} problem(s); mend them, then `medkg-lab pipeline validate` it:
    {listing}"""


class PolicyFileInvalid(DefinitionInvalid):
    """{file} holds no valid policies because of {count} problem(s); mend them, then look at `medkg-lab policies list`:
    {listing}"""


class ProfileInvalid(DefinitionInvalid):
    """{file} is no valid profile because of {count} problem(s); mend them and start the lab again:
    {listing}"""


class TopologyCyclic(LabError):
    """The stages {cycle} depend on each other in a circle, so none can start. Remove one of these dependencies."""


class UnknownPipeline(LabError):
    """There is no pipeline called {name!r} ({suggestion}). `medkg-lab pipeline list` shows all."""

    exit_code = exit_codes.USAGE


class UnknownProfile(LabError):
    """There is no profile called {name!r} ({suggestion}). Profiles are files in {folder}."""

    exit_code = exit_codes.USAGE


class NoPipelineForSource(LabError):
    """No pipeline names the source {source!r} among its applicable_sources. Name a pipeline with --pipeline: {known}."""

    exit_code = exit_codes.USAGE


class PipelineAmbiguous(LabError):
    """The pipelines {names} all name the source {source!r}. Choose one with --pipeline, or take the source out of the others'
    applicable_sources."""

    exit_code = exit_codes.USAGE
