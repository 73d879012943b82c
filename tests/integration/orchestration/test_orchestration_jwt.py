"""Dagster's pages with an issuer's tokens: who may look, who may act, and under which name."""

import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from medkg_lab import credentials
from medkg_lab.models.events import RunLaunched
from medkg_lab.orchestration.runs import TAG_JOB
from medkg_lab.ports import lab_ports
from tests.http_service import Answer, HttpService, http_service
from tests.integration.engine.processes import running_ledger
from tests.integration.orchestration.dagsters import Dagster

LAUNCH = "mutation($params: ExecutionParams!) { launchRun(executionParams: $params) { __typename } }"
READ, WRITE = "admin:read", "admin:write"


@dataclass
class Issuer:
    """Signs tokens with its newest key and publishes the public parts of all that it still has."""

    service: HttpService
    keys: list[RSAKey]

    def rotate(self) -> None:
        self.keys.append(RSAKey.generate_key(2048, {"kid": f"key-{len(self.keys)}"}))
        self.publish()

    def publish(self) -> None:
        published = {"keys": [key.as_dict(private=False) for key in self.keys]}
        self.service.answers["/keys"] = [Answer(json.dumps(published).encode())]

    def token(self, scope: str, subject: str = "ada", **claims: Any) -> dict[str, str]:
        key = self.keys[-1]
        given = {"iss": "medical-kg-auth", "aud": "medical-kg-api", "sub": subject, "scope": scope}
        signed = jwt.encode({"alg": "RS256", "kid": key.kid}, given | {"exp": time.time() + 600} | claims, key)
        return {"authorization": f"Bearer {signed}"}


@pytest.fixture(scope="module")
def lab() -> Iterator[tuple[Dagster, Issuer]]:
    home = Path(tempfile.mkdtemp(prefix="mk", dir="/tmp"))
    with http_service() as service, running_ledger(home) as running, running.client() as client:
        issuer = Issuer(service, [])
        issuer.rotate()
        settings = {"mode": "jwt", "issuer": "medical-kg-auth", "audience": "medical-kg-api"}
        running.locations.config.mkdir(parents=True, exist_ok=True)
        (running.locations.config / "settings.yaml").write_text(
            json.dumps({"auth": settings | {"jwks_url": f"{service.url}/keys"}})
        )
        running.start("medkg_lab.orchestration")
        port, token = lab_ports(running.locations).dagster, credentials.dagster_token(running.locations)
        yield Dagster(running, client, port, token), issuer
    shutil.rmtree(home, ignore_errors=True)


def launched_by(dagster: Dagster, job: str) -> list[str]:
    told = dagster.client.events(0, 5000, job_id=job).events
    return [event.data.by for event in told if isinstance(event.data, RunLaunched)]


def test_a_scope_decides_what_a_token_may_do(lab: tuple[Dagster, Issuer]) -> None:
    dagster, issuer = lab
    job = dagster.submit("auto", "a document that waits, since no engine runs")
    selector = {"repositoryLocationName": "medkg-lab", "repositoryName": "__repository__", "jobName": "auto"}
    tags = [{"key": TAG_JOB, "value": job}]
    params = {"selector": selector, "mode": "default", "executionMetadata": {"tags": tags}}
    assert dagster.ask(**issuer.token("something else"))[0] == 403
    assert dagster.ask(**issuer.token(READ))[0] == 200
    refused = dagster.graphql(LAUNCH, issuer.token(READ), params=params)["launchRun"]
    assert refused["__typename"] == "UnauthorizedError"
    assert launched_by(dagster, job) == []
    launched = dagster.graphql(LAUNCH, issuer.token(WRITE, "grace"), params=params)["launchRun"]
    assert launched["__typename"] == "LaunchRunSuccess", launched
    assert launched_by(dagster, job) == ["grace"]


def test_only_good_tokens_are_let_in(lab: tuple[Dagster, Issuer]) -> None:
    dagster, issuer = lab
    stranger = Issuer(HttpService(""), [RSAKey.generate_key(2048, {"kid": issuer.keys[-1].kid})])
    for bad in (
        issuer.token(WRITE, aud="another"),
        issuer.token(WRITE, exp=time.time() - 60),
        issuer.token(WRITE, iss="another"),
        stranger.token(WRITE),
        {"authorization": "Bearer " + "x" * 40_000},
        {"authorization": "Bearer ."},
    ):
        assert dagster.ask(**bad)[0] in (400, 401, 431), bad
    assert dagster.ask(**dagster.bearer)[0] == 200, "the lab's own token opens them still"
    assert dagster.ask(**issuer.token(WRITE), origin="http://evil.example")[0] == 403


def test_keys_may_change_and_the_issuer_may_be_away(lab: tuple[Dagster, Issuer]) -> None:
    dagster, issuer = lab
    assert dagster.ask(**issuer.token(READ))[0] == 200
    issuer.service.answers["/keys"] = [Answer(b"", 503)]
    assert dagster.ask(**issuer.token(READ))[0] == 200
