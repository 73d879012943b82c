"""Which lines of the lab's logs belong to a step."""

import pytest

from medkg_lab.orchestration.step_logs import is_about

IDS = {"job-1", "batch-1"}


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("converted [job=job-1 event=pdf.converted]", True),
        ("was lost [batch=batch-1 event=batch.lost]", True),
        ("retried [job=job-1 stage=embed event=stage.retried]", True),
        ("retried [job=job-1 stage=parse event=stage.retried]", False),
        ('{"message": "retried", "job": "job-1", "stage": "embed"}', True),
        ('{"message": "retried", "job": "job-1", "stage": "parse"}', False),
        ("converted [job=job-2 event=pdf.converted]", False),
        ("minilm.onnx is ready on cpu [event=stage.ready]", False),
    ],
)
def test_a_line_belongs_to_the_step_of_its_job_or_batch(line: str, wanted: bool) -> None:
    assert is_about(line, IDS, "embed") is wanted
