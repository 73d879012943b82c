"""One real lab for the tests of the screen: up, with the bundled documents through it."""

from collections.abc import Iterator

import pytest

from medkg_lab.topology import bundled
from tests.kept_homes import copied_lab, kept_home
from tests.labs import TestLab
from tests.waiting import wait_until

PARTS = ("trials", "articles", "papers", "broken")
SETTLED = 400.0
WITH_LAB = 600


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that may be the first to need the lab wait until it is up and has run the documents."""
    for item in items:
        if "demo_lab" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(WITH_LAB))


@pytest.fixture(scope="session")
def demo_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestLab]:
    """A lab in which the bundled documents are through but for the one that waits at the gate for a person."""
    with copied_lab(kept_home(tmp_path_factory, "screen", put_through)) as lab:
        lab.ok("up")
        yield lab


def put_through(lab: TestLab) -> None:
    """Have the bundled documents go through."""
    lab.ok("up")
    lab.ok("submit", *(str(bundled.folder() / "demo" / part) for part in PARTS))
    wait_until(lambda: settled(lab), SETTLED, "the bundled documents going through")


def settled(lab: TestLab) -> bool:
    """Whether nothing moves any more: what is left waits for a person, and search has all of it."""
    status = lab.ok("status")
    jobs = status["jobs"] or {}
    waiting = lab.ok("gate", "list", "--state", "waiting")
    by_hand = all((gate["evidence"] or {}).get("missing_pages") for gate in waiting)
    return (
        not jobs.get("queued") and not jobs.get("running") and bool(jobs.get("completed")) and bool(waiting) and by_hand
    )
