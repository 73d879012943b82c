"""The hard-wired loop that the lane is measured against: the same stage objects in turn, with nothing around them."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from medkg_lab.errors import DocumentError
from medkg_lab.models.submission import Submission
from medkg_lab.stages.contracts import BatchStage, StageContext, StageType
from medkg_lab.stages.kinds import INPUT_KINDS, OUTPUT_KIND, assemble

Stages = Sequence[tuple[StageType, Any]]


@dataclass
class LoopRun:
    """What a loop took: `seconds` in all, and for each document from when its group was taken until the group was done."""

    docs: int = 0
    seconds: float = 0.0
    residence: list[float] = field(default_factory=list)

    @property
    def docs_per_second(self) -> float:
        """Documents in a second."""
        return self.docs / self.seconds


class _NoHttp:
    def request(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("a measured document never goes to the network")

    async def request_async(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("a measured document never goes to the network")


def context(submission: Submission, stage: StageType, batch: str, content: Callable[[str], bytes]) -> StageContext:
    """What a stage may know of a document in the loop; nothing that it stores is kept."""
    return StageContext(
        tenant_id=submission.tenant_id,
        job_id=submission.job_id(batch),
        doc_id=submission.doc_id,
        correlation_id="",
        pipeline="loop",
        pipeline_version="",
        batch_id=batch,
        stage=stage.value,
        attempt=1,
        now=time.time,
        content=content,
        store=lambda data: "0" * 64,
        http=_NoHttp(),
    )


def run(stages: Stages, requests: Sequence[Submission], size: int, content: Callable[[str], bytes]) -> LoopRun:
    """Take the documents through all stages in groups of `size`, stage by stage as the lane does."""
    done = LoopRun()
    began = time.perf_counter()
    for first in range(0, len(requests), size):
        group = requests[first : first + size]
        taken = time.perf_counter()
        _group(stages, group, f"loop-{first}", content)
        now = time.perf_counter()
        done.residence += [now - taken] * len(group)
        done.docs += len(group)
    done.seconds = time.perf_counter() - began
    return done


def _group(stages: Stages, group: Sequence[Submission], batch: str, content: Callable[[str], bytes]) -> None:
    values: list[dict[str, object]] = [{} for _ in group]
    for kind, stage in stages:
        contexts = [context(one, kind, batch, content) for one in group]
        inputs = [input_of(kind, one, known) for one, known in zip(group, values, strict=True)]
        if isinstance(stage, BatchStage):
            made = list(stage.execute_many(contexts, inputs))
        else:
            made = [_execute(stage, *pair) for pair in zip(contexts, inputs, strict=True)]
        for known, value in zip(values, made, strict=True):
            known[OUTPUT_KIND[kind]] = value
        kept = [not isinstance(value, DocumentError) for value in made]
        group = [one for one, good in zip(group, kept, strict=True) if good]
        values = [known for known, good in zip(values, kept, strict=True) if good]


def input_of(kind: StageType, submission: Submission, values: Mapping[str, object]) -> Any:
    """What a stage takes of a document whose values so far are these, by kind."""
    if kind is StageType.INGEST:
        return submission
    return assemble(kind, {name: values[name] for name in INPUT_KINDS[kind]})


def _execute(stage: Any, given: StageContext, item: Any) -> Any:
    try:
        made = stage.execute(given, item)
        return asyncio.run(made) if asyncio.iscoroutine(made) else made
    except DocumentError as error:
        return error
