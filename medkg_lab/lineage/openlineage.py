"""What is reported of a run in OpenLineage's form, made by its own client library, as one line of JSON."""

from collections.abc import Sequence
from datetime import UTC, datetime

from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState, set_producer
from openlineage.client.facet_v2 import (
    DatasetFacet,
    JobFacet,
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
        return Serde.to_json(self.event(report)).encode()

    def event(self, report: RunReport) -> RunEvent:
        """The event as the library's record."""
        return RunEvent(
            eventType=RunState(report.transition.value),
            eventTime=datetime.fromtimestamp(report.at, UTC).isoformat(),
            run=Run(str(report.run.id), self._run_facets(report)),
            job=Job(self._namespace, report.run.job, _job_facets(report)),
            inputs=[InputDataset(self._namespace, _name(one), facets=_schema(one)) for one in report.inputs],
            outputs=[self._output(one, report.inputs) for one in report.outputs],
            producer=PRODUCER,
        )

    def _run_facets(self, report: RunReport) -> dict[str, RunFacet]:
        facets: dict[str, RunFacet] = {
            "processing_engine": processing_engine_run.ProcessingEngineRunFacet(version=__version__, name=ENGINE)
        }
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
        facets = _schema(made)
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


def _schema(dataset: Dataset) -> dict[str, DatasetFacet]:
    fields = [schema_dataset.SchemaDatasetFacetFields(name, kind) for name, kind in columns(dataset.kind)]
    return {"schema": schema_dataset.SchemaDatasetFacet(fields=fields)} if fields else {}


def _job_facets(report: RunReport) -> dict[str, JobFacet]:
    kind = "TASK" if report.parent is not None else "JOB"
    return {"jobType": job_type_job.JobTypeJobFacet("BATCH", "MEDKG_LAB", kind)}
