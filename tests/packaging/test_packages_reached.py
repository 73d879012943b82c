"""What scripts/build makes, installed by uv, pipx and pip without a checkout: the demo's lab is extended, asked and looked at."""

import asyncio
import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import nbformat
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from tests.browsers import BROWSER, in_browser
from tests.packaging.installers import ROOT, call, environment, install, shims, uv
from tests.packaging.test_packages import dist

__all__ = ["dist"]

pytestmark = [pytest.mark.full, pytest.mark.timeout(1200)]
WAYS = ("uv", "pipx", "pip")


@dataclass(frozen=True)
class DemoLab:
    """The lab that `medkg-lab demo --keep` of an installed wheel has left running."""

    folder: Path
    command: list[str | Path]
    summary: Any
    before: frozenset[str]
    """What the installer had left in the home folder."""

    @property
    def python(self) -> Path:
        """The Python of the environment that the command lies in."""
        return Path(Path(self.command[0]).resolve().parent, "python")

    @property
    def seen(self) -> dict[str, str]:
        """The environment of whoever works with this lab."""
        own = environment(self.folder)
        return own | {"PATH": f"{shims(self.folder)}:{own['PATH']}", "MEDKG_LAB_HOME": self.summary["home"]}

    def ok(self, *arguments: str | Path) -> Any:
        """What a command answers."""
        done = call([*self.command, *arguments, "--json"], self.folder, self.seen)
        assert done.returncode == 0, f"{arguments}: {done.stderr[-2000:]}{done.stdout[-2000:]}"
        return json.loads(done.stdout)


@pytest.fixture(scope="module", params=WAYS)
def demo(request: pytest.FixtureRequest, dist: Path) -> Iterator[DemoLab]:
    folder = Path(tempfile.mkdtemp(prefix="mk", dir="/tmp"))
    command = install(request.param, dist, folder, package="medkg-lab[mcp,frames]")
    before = frozenset(path.name for path in (folder / "home").iterdir())
    done = call([*command, "demo", "--keep", "--json"], folder, {"TMPDIR": str(folder)})
    made = DemoLab(folder, command, json.loads(done.stdout or "{}"), before)
    try:
        assert done.returncode == 0, done.stderr[-3000:]
        yield made
    finally:
        if made.summary:
            call([*command, "down"], folder, made.seen)
        shutil.rmtree(folder, ignore_errors=True)


def test_the_demo_ran_to_its_end(demo: DemoLab) -> None:
    assert demo.summary["ok"]
    where = call([demo.python, "-c", "import medkg_lab; print(medkg_lab.__file__)"], demo.folder).stdout
    assert where.startswith(str(demo.folder))


def test_a_plug_in_is_made_tested_and_run_as_new_says(demo: DemoLab) -> None:
    made = call([*demo.command, "new", "stage", "drop-repeats"], demo.folder, demo.seen)
    told = made.stderr.partition("Next: ")[2].strip()
    tested = subprocess.run(
        ["bash", "-euc", told], cwd=demo.folder, env=demo.seen, capture_output=True, text=True, timeout=300, check=False
    )
    assert tested.returncode == 0, f"{told}: {tested.stdout[-3000:]}{tested.stderr[-3000:]}"
    package = demo.folder / "medkg-drop-repeats"
    (package / "note.txt").write_text("Metformin lowered HbA1c.\n\nMetformin lowered HbA1c.\n\nDoses were low.\n")
    commands = re.findall(r"^    medkg-lab (.+)$", (package / "README.md").read_text(), re.MULTILINE)
    assert [one.split()[0] for one in commands] == ["down", "up", "pipeline", "submit"]
    for one in commands:
        done = call([*demo.command, *shlex.split(one)], package, demo.seen)
        assert done.returncode == 0, f"{one}: {done.stderr}"
    stages = demo.ok("jobs", "show", "file:note.txt")["stages"]
    assert [one["implementation"] for one in stages if one["stage"] == "drop_repeats"] == ["drop-repeats.simple"]


def test_the_notebook_runs_in_that_environment(demo: DemoLab) -> None:
    needed = [uv(), "pip", "install", "--quiet", "--python", demo.python, "nbclient", "ipykernel"]
    subprocess.run(needed, check=True, timeout=300)
    shutil.copytree(ROOT / "examples", demo.folder / "examples", dirs_exist_ok=True)
    execute = [demo.python.parent / "jupyter-execute", "--inplace", "--kernel_name=python3", "tour.ipynb"]
    done = subprocess.run(
        execute,
        cwd=demo.folder / "examples",
        env=demo.seen,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    cells = nbformat.read(demo.folder / "examples" / "tour.ipynb", as_version=4).cells
    assert any("apixaban" in str(output).lower() for cell in cells for output in cell.get("outputs", ()))


def test_the_official_client_drives_mcp_over_stdio(demo: DemoLab) -> None:
    server = StdioServerParameters(command=str(demo.command[0]), args=["mcp"], env=demo.seen)

    async def ask() -> tuple[set[str], Any]:
        async with Client(stdio_client(server)) as client:
            tools = {one.name for one in (await client.list_tools()).tools}
            return tools, (await client.call_tool("search", {"query": "apixaban in dialysis"})).structured_content

    tools, found = asyncio.run(ask())
    assert {"search", "passage", "graph_node", "job_status", "gates"} <= tools
    assert "open_gate" not in tools
    assert found["result"]


def test_a_client_is_answered_over_http(demo: DemoLab) -> None:
    serving = subprocess.Popen(
        [*demo.command, "serve", "--port", "0", "--json"],
        cwd=demo.folder,
        env=demo.seen,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert serving.stdout is not None
    try:
        text = ""
        while not text.rstrip().endswith("}\n}") and (line := serving.stdout.readline()):
            text += line
        told = json.loads(text)
        token = Path(told["tokens"]["admin:read"]).read_text().strip()
        with httpx.Client(base_url=told["url"], headers={"Authorization": f"Bearer {token}"}, timeout=60) as client:
            assert client.get("/v1/search", params={"query": "metformin"}).json()["hits"]
            assert client.get("/openapi.json").json()["openapi"].startswith("3.1")
            assert client.get("/v1/jobs", headers={"Authorization": "Bearer none"}).status_code == 401
    finally:
        serving.terminate()
        serving.wait(timeout=30)
        serving.stdout.close()


def test_the_report_opens(demo: DemoLab) -> None:
    page = demo.folder / "report.html"
    demo.ok("report", "--out", page)
    assert "EncryptedPdf" in page.read_text()
    if BROWSER is None:
        pytest.skip("there is no chromium: the page was only read")
    seen = in_browser(page, "--enable-logging=stderr", "--dump-dom")
    assert seen.stdout.count("<svg") == 4
    assert not [line for line in seen.stderr.splitlines() if "CONSOLE" in line]


def test_nothing_was_written_outside_of_what_paths_names(demo: DemoLab) -> None:
    named = demo.ok("paths")
    home = demo.folder / "home"
    others = (
        {path.name for path in home.iterdir()} - demo.before - {".cache", ".local", ".config", ".ipython", ".jupyter"}
    )
    assert not others
    for folder in (home / ".local" / "share", home / ".local" / "state", home / ".config"):
        assert not [one for one in folder.glob("medkg-lab*") if str(one) not in named.values()]
    assert any(one.startswith("rm -r ") for one in named["remove"])
    assert os.path.isdir(named["home"])
