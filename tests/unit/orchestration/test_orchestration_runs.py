"""The names of runs, which every process can work out."""

import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from medkg_lab.orchestration import runs
from medkg_lab.orchestration.runs import visible_run_id


@given(
    st.tuples(st.text(), st.integers(0, 9), st.integers(1, 99)),
    st.tuples(st.text(), st.integers(0, 9), st.integers(1, 99)),
)
def test_a_run_id_stands_for_one_execution(one: tuple[str, int, int], other: tuple[str, int, int]) -> None:
    assert (visible_run_id(*one) == visible_run_id(*other)) == (one == other)


def test_naming_runs_does_not_load_dagster() -> None:
    code = "import sys, medkg_lab.orchestration.runs; print('dagster' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_a_tag_of_an_earlier_version_is_read() -> None:
    assert runs.tag({"medkg/half": "1"}, runs.TAG_HALF) == "1"
    assert runs.tag({"medkg/half": "1", runs.TAG_HALF: "2"}, runs.TAG_HALF) == "2"
    assert runs.tag({}, runs.TAG_HALF) is None
    assert runs.tag_names(runs.TAG_JOB) == (runs.TAG_JOB,)
