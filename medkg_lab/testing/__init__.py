"""For the tests of plug-ins: contexts, an outside that answers from a table, stores and a ledger in memory, and one call
that runs a pipeline.

Nothing here starts a process. `docs/how-to/write-a-stage.md` shows it in use.
"""

from medkg_lab.testing.contexts import FakeHttp, MemoryArtifacts, stage_context
from medkg_lab.testing.ledger import MemoryLedger
from medkg_lab.testing.run import Finished, run_pipeline
from medkg_lab.testing.stores import MemoryKnowledge

__all__ = [
    "FakeHttp",
    "Finished",
    "MemoryArtifacts",
    "MemoryKnowledge",
    "MemoryLedger",
    "run_pipeline",
    "stage_context",
]
