"""Processes that are forked from one that has loaded their modules: real ones, and what a template's end means for them."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from medkg_lab import launch, linux
from medkg_lab.supervisor import forking
from medkg_lab.supervisor.forking import Forked, Order, Template, order_of
from tests.waiting import wait_until


@pytest_asyncio.fixture
async def template(tmp_path: Path) -> AsyncIterator[Template]:
    """A template whose processes know a module of the test's."""
    package = tmp_path / "modules" / "forked_for_tests"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(
        "import os, sys, time\n"
        "print(__name__, *sys.argv[1:], os.getppid(), os.getpgrp() == os.getpid(), os.nice(0), flush=True)\n"
        "print('a line of its log', file=sys.stderr, flush=True)\n"
        "if sys.argv[1] == 'end': sys.exit(7)\n"
        "time.sleep(600)\n"
    )
    made = Template(tmp_path, launch.environment() | {"PYTHONPATH": str(package.parent)})
    yield made
    made.close()
    linux.adopt_orphans(False)


async def start(template: Template, *arguments: str) -> tuple[Forked, list[str]]:
    """Fork the module with these arguments; the process, and the words of its first line."""
    reading, writing = os.pipe()
    try:
        process = await template.start(Order("forked_for_tests", arguments, 3), writing)
    finally:
        os.close(writing)
    assert process.stdout is not None
    words = (await process.stdout.readline()).decode().split()
    with os.fdopen(reading) as stderr:
        assert await asyncio.to_thread(stderr.readline) == "a line of its log\n"
    return process, words


def templates() -> list[psutil.Process]:
    """The templates that this process has started."""
    return [one for one in psutil.Process().children() if "medkg_lab.supervisor.template" in one.cmdline()]


@pytest.mark.asyncio
async def test_a_forked_process_is_what_an_executed_one_would_be(template: Template) -> None:
    process, words = await start(template, "end", "of it")
    before = os.nice(0)
    assert words == ["__main__", "end", "of", "it", str(os.getpid()), "True", str(before + 3)]
    assert await process.wait() == 7
    process, _ = await start(template, "stay")
    title = " ".join(psutil.Process(process.pid).cmdline())
    assert title.split() == launch.python("forked_for_tests", "stay")
    linux.kill_group(process.pid, signal.SIGKILL)
    assert await process.wait() == -signal.SIGKILL


@pytest.mark.asyncio
async def test_processes_outlive_their_template_and_the_next_one_forks_on(template: Template) -> None:
    first, _ = await start(template, "stay")
    (child,) = templates()
    child.kill()
    await asyncio.to_thread(wait_until, lambda: child.status() == psutil.STATUS_ZOMBIE, 10, "the template's end")
    assert linux.process_state(first.pid) == "S"
    second, _ = await start(template, "stay")
    for process in (first, second):
        linux.kill_group(process.pid, signal.SIGKILL)
        assert await process.wait() == -signal.SIGKILL


@pytest.mark.asyncio
async def test_a_template_is_made_anew_when_packages_change(
    template: Template, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    template.prepare()
    before = templates()
    template.prepare()
    assert templates() == before
    (tmp_path / "installed").touch()
    template.prepare()
    assert len(templates()) == len(before) == 1
    assert templates() != before


def test_only_the_labs_own_modules_are_forked() -> None:
    assert order_of(launch.python("medkg_lab.pdf", "--home", "/h"), 4) == Order("medkg_lab.pdf", ("--home", "/h"), 4)
    assert order_of(launch.python("somebody.elses"), 0) is None
    assert order_of(["/usr/bin/redpanda", "--smp", "1", "x"], 0) is None
    assert Order.from_json(Order("m", ("ä",), 1).to_json()) == Order("m", ("ä",), 1)
    assert forking.MAX_MESSAGE_BYTES > 4096
