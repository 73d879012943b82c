"""Reading resilience policies from YAML."""

from pathlib import Path

from pydantic import TypeAdapter

from medkg_lab.resilience.policies import Policies
from medkg_lab.topology.errors import PolicyFileInvalid
from medkg_lab.topology.schema import check
from medkg_lab.yaml_source import parse, read

_POLICIES = TypeAdapter(Policies)


def load_policies(given: Path | str, *, file: str = "<text>") -> Policies:
    """Load policies from a file (a Path) or from YAML text, which problems then call `file`.

    Raises PolicyFileInvalid with every problem.
    """
    source = read(given) if isinstance(given, Path) else parse(given, file)
    if source.problems:
        raise PolicyFileInvalid(source.file, source.problems)
    checked = check(source, _POLICIES, source.value, ())
    if checked.model is None:
        raise PolicyFileInvalid(source.file, checked.problems)
    return checked.model
