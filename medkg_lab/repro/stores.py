"""The knowledge store of a run: the real one, in this process and in a folder that goes with the run."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from medkg_lab.knowledge.encoders import Encoders
from medkg_lab.knowledge.service import Knowledge


class RunKnowledge:
    """Takes what index and graph stages send, as the knowledge process does; nothing of it is ever published."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="medkg-run-")
        self._knowledge = Knowledge(Path(self._folder.name), Encoders({}), "run")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._knowledge.close()
        self._folder.cleanup()

    def index(self, batch_id: str, documents: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Stage documents for search."""
        return self._knowledge.stage_text(batch_id, documents)

    def vector_model(self) -> str | None:
        """The model of what this run has stored."""
        return self._knowledge.vector_model()

    def graph(self, batch_id: str, documents: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Stage documents' parts of the graph."""
        return self._knowledge.stage_graph(batch_id, documents)
