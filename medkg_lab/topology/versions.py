"""The version of a definition: what its content hashes to, so that two definitions of one version are the same."""

import hashlib
import json

from pydantic import BaseModel

from medkg_lab.errors import LabError
from medkg_lab.topology.models import Topology

DIGITS = 12


class DefinitionUnwritable(LabError):
    """This definition has no version, because a value in it cannot be written as JSON: {detail}. Correct the value."""


def to_json(definition: BaseModel) -> str:
    """The one JSON text of a definition: keys sorted, no spaces, all fields written out. Raises DefinitionUnwritable."""
    content = definition.model_dump(mode="json", by_alias=True)
    try:
        return json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except ValueError as error:
        raise DefinitionUnwritable(detail=str(error)) from None


def from_json(text: str | bytes) -> Topology:
    """The topology that `to_json` wrote. Raises pydantic's ValidationError."""
    return Topology.model_validate_json(text)


def content_version(definition: BaseModel) -> str:
    """The first 12 hexadecimal digits of the SHA-256 of the definition's canonical JSON."""
    return hashlib.sha256(to_json(definition).encode()).hexdigest()[:DIGITS]


def version_of(topology: Topology) -> str:
    """A topology's full version: the author's and the content's, as `1.0+0123456789ab`."""
    return f"{topology.version}+{content_version(topology)}"
