"""OpenLineage's published JSON Schemas, as a check for events; they are among the shared documents."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012


@dataclass(frozen=True)
class Spec:
    """The schemas in a folder, whatever versions their references name: there is one of each."""

    folder: Path

    def problems(self, event: Mapping[str, Any]) -> list[str]:
        """What is wrong with a run event and with its facets."""
        found = self._check("OpenLineage.json", "#/$defs/RunEvent", event)
        holders = [event["run"], event["job"], *event["inputs"], *event["outputs"]]
        facets = [
            facet
            for holder in holders
            for name in ("facets", "inputFacets", "outputFacets")
            for facet in holder.get(name, {}).values()
        ]
        assert facets
        for facet in facets:
            address, _, place = facet["_schemaURL"].partition("#")
            found += self._check(Path(address).name, f"#{place}", facet)
        return found

    def _check(self, name: str, place: str, value: Any) -> list[str]:
        errors = _validator(self.folder, name, place).iter_errors(value)
        return [f"{name}{place}: {error.message}" for error in errors]


@cache
def _validator(folder: Path, name: str, place: str) -> Draft202012Validator:
    def retrieve(uri: str) -> Resource[Any]:
        contents = json.loads((folder / Path(uri).name).read_text())
        return Resource.from_contents(contents, default_specification=DRAFT202012)

    registry: Registry[Any] = Registry(retrieve=retrieve)  # type: ignore[call-arg]
    schema = {"$ref": f"https://openlineage.io/spec/{name}{place}"}
    return Draft202012Validator(schema, registry=registry, format_checker=FormatChecker())
