"""What can be wrong with a definition file, and the errors that say so."""

from collections.abc import Sequence

from medkg_lab import exit_codes
from medkg_lab.errors import LabError
from medkg_lab.yaml_source import MAX_PROBLEMS, Problem

__all__ = ["MAX_PROBLEMS", "Problem"]


class DefinitionInvalid(LabError):
    """{file} cannot be used because of {count} problem(s); fix them and try again:
    {listing}"""

    def __init__(self, file: str, problems: Sequence[Problem]) -> None:
        self.file = file
        self.problems = tuple(sorted(set(problems)))
        super().__init__(file=file, count=len(self.problems), listing="\n".join(map(str, self.problems)))


class TopologyInvalid(DefinitionInvalid):
    """{file} is not a valid pipeline because of {count} problem(s); fix them, then `medkg-lab pipeline validate` it:
    {listing}"""


class PolicyFileInvalid(DefinitionInvalid):
    """{file} holds no valid policies because of {count} problem(s); fix them, then look at `medkg-lab policies list`:
    {listing}"""


class ProfileInvalid(DefinitionInvalid):
    """{file} is not a valid profile because of {count} problem(s); fix them and start the lab again:
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
