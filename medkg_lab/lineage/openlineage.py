"""What is reported of a run in OpenLineage's form, made by its own client library, as one line of JSON."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

import orjson
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState, set_producer
from openlineage.client.facet_v2 import (
    DatasetFacet,
    OutputDatasetFacet,
    RunFacet,
    column_lineage_dataset,
    error_message_run,
    job_type_job,
    output_statistics_output_dataset,
    parent_run,
    processing_engine_run,
    schema_dataset,
    tags_run,
)
from openlineage.client.serde import Serde

from medkg_lab import __version__
from medkg_lab.lineage.columns import SOURCES, columns
from medkg_lab.lineage.runs import Dataset, RunReport

PRODUCER = f"urn:medkg-lab:{__version__}"
ENGINE = "medkg-lab"


class Writer:
    """Writes events; jobs and datasets are in `namespace`."""

    def __init__(self, namespace: str) -> None:
        set_producer(PRODUCER)
        self._namespace = namespace

    def line(self, report: RunReport) -> bytes:
        """The event as JSON, without a line break in it or at its end."""
        event = Serde.to_dict(self.event(report))
        # What is the same in every event is written once: it is most of an event, and of the time that one takes.
        event.get("job", {}).get("facets", {}).update(jobType=_job_type(report.parent is not None))
        event.get("run", {}).get("facets", {}).update(processing_engine=_engine())
        for found, made in ((event.get("inputs", []), report.inputs), (event.get("outputs", []), report.outputs)):
            for dataset, one in zip(found, made, strict=True):
                if schema := _schema(one.kind):
                    dataset.get("facets", {}).update(schema=schema)
        return orjson.dumps(event, option=orjson.OPT_SORT_KEYS)

    def event(self, report: RunReport) -> RunEvent:
        """The event as the library's record, without the facets that do not differ from event to event."""
        return RunEvent(
            eventType=RunState(report.transition.value),
            eventTime=datetime.fromtimestamp(report.at, UTC).isoformat(),
            run=Run(str(report.run.id), self._run_facets(report)),
            job=Job(self._namespace, report.run.job),
            inputs=[InputDataset(self._namespace, _name(one)) for one in report.inputs],
            outputs=[self._output(one, report.inputs) for one in report.outputs],
            producer=PRODUCER,
        )

    def _run_facets(self, report: RunReport) -> dict[str, RunFacet]:
        facets: dict[str, RunFacet] = {}
        if report.tags:
            tags = [tags_run.TagsRunFacetFields(name, value, ENGINE) for name, value in report.tags.items()]
            facets |= {"tags": tags_run.TagsRunFacet(tags=tags)}
        if report.parent is not None:
            job = parent_run.Job(self._namespace, report.parent.job)
            run = parent_run.Run(str(report.parent.id))
            facets |= {"parent": parent_run.ParentRunFacet(run=run, job=job)}
        if report.error is not None:
            facets |= {"errorMessage": error_message_run.ErrorMessageRunFacet(report.error, "Python")}
        return facets

    def _output(self, made: Dataset, taken: Sequence[Dataset]) -> OutputDataset:
        facets: dict[str, DatasetFacet] = {}
        of_kind = {one.kind: one for one in taken}
        found = {
            field: column_lineage_dataset.Fields(
                [self._input_field(of_kind[kind], name) for kind, name in sources if kind in of_kind]
            )
            for field, sources in SOURCES.get(made.kind, {}).items()
            if any(kind in of_kind for kind, _ in sources)
        }
        if found:
            facets |= {"columnLineage": column_lineage_dataset.ColumnLineageDatasetFacet(fields=found)}
        counted: dict[str, OutputDatasetFacet] = {}
        if made.items is not None:
            statistics = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(rowCount=made.items)
            counted |= {"outputStatistics": statistics}
        return OutputDataset(self._namespace, _name(made), facets=facets, outputFacets=counted)

    def _input_field(self, taken: Dataset, field: str) -> column_lineage_dataset.InputField:
        how = column_lineage_dataset.Transformation("DIRECT", "TRANSFORMATION")
        return column_lineage_dataset.InputField(self._namespace, _name(taken), field, [how])


def _name(dataset: Dataset) -> str:
    return f"{dataset.kind}/{dataset.sha256}"


@cache
def _schema(kind: str) -> Mapping[str, Any] | None:
    """The facet of a kind's fields; None for a kind that the lab knows nothing of."""
    fields = [schema_dataset.SchemaDatasetFacetFields(name, type_) for name, type_ in columns(kind)]
    return Serde.to_dict(schema_dataset.SchemaDatasetFacet(fields=fields)) if fields else None


@cache
def _job_type(is_part: bool) -> Mapping[str, Any]:
    kind = "TASK" if is_part else "JOB"
    return Serde.to_dict(job_type_job.JobTypeJobFacet("BATCH", "MEDKG_LAB", kind))


@cache
def _engine() -> Mapping[str, Any]:
    return Serde.to_dict(processing_engine_run.ProcessingEngineRunFacet(version=__version__, name=ENGINE))
