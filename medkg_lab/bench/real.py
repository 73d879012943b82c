"""The cpu profile's real stages on the bundled documents: the bare stage loop against the whole lab."""

import logging
import statistics
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from medkg_lab.artifacts.store import ArtifactStore
from medkg_lab.bench import loop
from medkg_lab.bench.figures import Part, at_least, spread
from medkg_lab.bench.lane import Lane, Passage
from medkg_lab.bench.scratch import ScratchLab
from medkg_lab.models.submission import Content, Submission
from medkg_lab.sources.files import expand
from medkg_lab.stages import registry
from medkg_lab.stages.registry import Resources
from medkg_lab.topology import bundled
from medkg_lab.topology.graph import order

PIPELINE = "auto"
RATIO = 0.95
ROUNDS = 4
"""How often each bundled document goes through in one passage: there are few of them."""


def real_part(scratch: ScratchLab, pairs: int) -> Part:
    """Loop and lab in turn, `pairs` times."""
    lane = Lane(scratch)
    store = ArtifactStore(scratch.lab.locations.data / "artifacts", "bench")
    documents = _documents(store)
    stages = _stages(scratch)
    # An engine must have measured the stages before its batches have the size that they keep.
    lane.passage(_requests(documents))
    size = max(1, round(statistics.median(lane.passage(_requests(documents)).batches)))
    loop.run(stages, _requests(documents), size, store.get)
    loops: list[loop.LoopRun] = []
    labs: list[Passage] = []
    for _ in range(pairs):
        scratch.wait_for_views()
        loops.append(loop.run(stages, _requests(documents), size, store.get))
        labs.append(lane.passage(_requests(documents)))
    store.close()
    ratios = [lab.docs_per_second / one.docs_per_second for lab, one in zip(labs, loops, strict=True)]
    detail = {
        "documents": len(documents) * ROUNDS,
        "group_of_the_loop": size,
        "ratio": spread(ratios, 3),
        "lab_docs_per_second": spread([lab.docs_per_second for lab in labs], 1),
        "loop_docs_per_second": spread([one.docs_per_second for one in loops], 1),
        "last": labs[-1].describe(),
    }
    ratio = round(statistics.median(ratios), 3)
    return Part([at_least("real stages, lab docs/s / loop docs/s", ratio, RATIO)], detail)


def _documents(store: ArtifactStore) -> list[Submission]:
    folder = bundled.folder() / "demo"
    found = [document for part in ("trials", "articles") for document in expand(folder / part)]
    names = store.put_many([document.data for document in found])
    return [
        Submission(
            source=document.source,
            key=document.key,
            pipeline=PIPELINE,
            content=Content(sha256=sha256, media_type=document.media_type, name=document.name),
        )
        for document, sha256 in zip(found, names, strict=True)
    ]


def _requests(documents: Sequence[Submission]) -> list[Submission]:
    return [one.model_copy(update={"again": uuid4().hex}) for _ in range(ROUNDS) for one in documents]


def _stages(scratch: ScratchLab) -> list[tuple[Any, Any]]:
    """The stages of the pipeline as an engine would build them, in order."""
    logging.getLogger("haystack").setLevel(logging.WARNING)
    locations, catalog = scratch.lab.locations, scratch.lab.catalog
    topology, profile = catalog.topology(PIPELINE), catalog.profile("cpu")
    resources = Resources(cache=locations.cache, knowledge_socket=locations.socket("knowledge"))
    stages: list[tuple[Any, Any]] = []
    for name in order(topology):
        choice = profile.choice(topology.stage(name))
        chosen = registry.find(choice.implementation)
        stages.append((topology.stage(name).type, chosen.build(resources, chosen.parse_options(choice.with_))))
    return stages
