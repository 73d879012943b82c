"""Dagster's pages when many jobs stand in its history: what the list of runs and the page of one run take to answer."""

import json
import time
import urllib.request
from collections.abc import Mapping
from typing import Any

from medkg_lab import credentials
from medkg_lab.bench.figures import Part, at_most, latencies
from medkg_lab.bench.lane import Lane
from medkg_lab.bench.scratch import ScratchLab
from medkg_lab.errors import LabError
from medkg_lab.ports import lab_ports

PAGE_MS = 500.0
TRIES = 20
AT_ONCE = 2000
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Asks without a proxy of the environment, which would be sent the token."""
_LIST = """query($after: String){runsOrError(limit: 30, cursor: $after){... on Runs{results{
  id runId status jobName startTime endTime updateTime canTerminate tags{key value}}}}}"""
_RUN = """query($id: ID!){
  runOrError(runId: $id){... on Run{runId status tags{key value} stepStats{stepKey status startTime endTime}
    executionPlan{steps{key inputs{dependsOn{key}}}}}}
  logsForRun(runId: $id){... on EventConnection{events{__typename ... on MessageEvent{message timestamp stepKey}}}}}"""


class PagesRefused(LabError):
    """Dagster did not answer what its pages ask: {detail}. Its version is not the one that the lab is made for."""


def history_part(scratch: ScratchLab, jobs: int) -> Part:
    """What is found with at least `jobs` jobs in the history."""
    lane = Lane(scratch)
    began = time.monotonic()
    while (missing := jobs - lane.finished()) > 0:
        lane.passage(lane.requests("bench-empty", min(missing, AT_ONCE)))
        scratch.wait_for_views()
    filled = time.monotonic() - began
    lists, runs, after = [], [], None
    for _ in range(TRIES):
        seconds, found = _query(scratch, _LIST, {"after": after})
        lists.append(seconds)
        after = found["runsOrError"]["results"][-1]["runId"]
        runs.append(_query(scratch, _RUN, {"id": after})[0])
    listed, page = latencies(lists), latencies(runs)
    targets = [
        at_most("Dagster's list of runs, p95 ms", listed.p95_ms, PAGE_MS),
        at_most("Dagster's page of a run, p95 ms", page.p95_ms, PAGE_MS),
    ]
    jobs_there = {"jobs": lane.finished(), "seconds_to_fill": round(filled, 1)}
    return Part(targets, {**jobs_there, "run_list": listed, "run_page": page})


def _query(scratch: ScratchLab, query: str, variables: Mapping[str, object]) -> tuple[float, Any]:
    """Seconds until the answer, and the answer."""
    locations = scratch.lab.locations
    request = urllib.request.Request(
        f"http://127.0.0.1:{lab_ports(locations).dagster}/graphql",
        json.dumps({"query": query, "variables": variables}).encode(),
        {"content-type": "application/json", "authorization": f"Bearer {credentials.dagster_token(locations)}"},
    )
    began = time.perf_counter()
    with _DIRECT.open(request, timeout=60) as response:
        answer = json.loads(response.read())
    seconds = time.perf_counter() - began
    if "errors" in answer:
        raise PagesRefused(detail=answer["errors"])
    return seconds, answer["data"]
