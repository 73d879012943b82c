"""What the lab has made, for Dagster's asset pages: one materialisation per asset and window of time, not one per document.

A materialisation per document would cost more than most stages do; where a document is, its runs say.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field

from dagster import AssetKey, AssetMaterialization, AssetSpec, MetadataValue

from medkg_lab.models.events import Event, StageCompleted

WINDOW_S = 10.0
_OF_KIND = {"document": "documents", "chunks": "chunks", "embeddings": "embeddings", "kg_receipt": "graph"}
_NEEDS = {"documents": (), "chunks": ("documents",), "embeddings": ("chunks",), "graph": ("documents",)}
_KINDS = {"documents": "json", "chunks": "tantivy", "embeddings": "faiss", "graph": "duckdb"}
_COUNTED = {"documents": "blocks", "chunks": "chunks", "embeddings": "vectors", "graph": "nodes and edges"}
_TOLD = {
    "documents": "Documents that were parsed",
    "chunks": "Passages that documents were cut into",
    "embeddings": "Vectors of passages, by the model that the profile names",
    "graph": "Nodes and edges of the knowledge graph that documents brought",
}


def asset_specs() -> list[AssetSpec]:
    """The assets of a lab and what each is made from."""
    return [
        AssetSpec(name, deps=list(_NEEDS[name]), description=_TOLD[name], group_name="medkg", kinds={_KINDS[name]})
        for name in _NEEDS
    ]


@dataclass
class AssetCounts:
    """What came to an asset in a window: so many documents brought so many items, `last` the latest."""

    documents: int = 0
    items: int = 0
    last: str = ""


@dataclass
class MaterializationWindow:
    """What was made since the last materialisations; times in epoch seconds of the events."""

    began: float | None = None
    made: dict[str, AssetCounts] = field(default_factory=dict)

    def add(self, events: Iterable[Event]) -> None:
        """Count what these events brought."""
        for event in events:
            data = event.data
            if not isinstance(data, StageCompleted) or data.kind not in _OF_KIND:
                continue
            self.began = event.ts if self.began is None else self.began
            made = self.made.setdefault(_OF_KIND[data.kind], AssetCounts())
            made.documents += len(data.entries)
            made.items += sum(output.items or 0 for output in data.entries)
            made.last = data.entries[-1].job_id

    def is_over(self, now: float) -> bool:
        """Whether there is something to tell and the window has lasted long enough."""
        return self.began is not None and not 0 <= now - self.began < WINDOW_S

    def materializations(self) -> list[AssetMaterialization]:
        """What Dagster is told."""
        return [
            AssetMaterialization(
                asset_key=AssetKey(name),
                description=f"{made.items} {_COUNTED[name]} from {made.documents} document(s)",
                metadata={
                    "documents": MetadataValue.int(made.documents),
                    _COUNTED[name]: MetadataValue.int(made.items),
                    "last_job": MetadataValue.text(made.last),
                },
            )
            for name, made in self.made.items()
        ]

    def to_json(self) -> str:
        """The window as text, to be kept with the recorder's position."""
        return json.dumps(asdict(self))


def from_json(text: str | None) -> MaterializationWindow:
    """The window as it was kept; an empty one without any."""
    given = json.loads(text) if text else {}
    return MaterializationWindow(
        given.get("began"), {name: AssetCounts(**made) for name, made in given.get("made", {}).items()}
    )
