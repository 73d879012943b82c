"""The ways by which people install a package, each into an empty environment of its own, without a checkout on the path."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def uv() -> str:
    """The uv that made this environment, or the one on the PATH."""
    own = ROOT / ".venv" / "uv" / "bin" / "uv"
    found = str(own) if own.exists() else shutil.which("uv")
    if found is None:
        pytest.skip("uv is not here")
    return found


def environment(folder: Path) -> dict[str, str]:
    """What an installer sees: a HOME that is empty, but uv's cache, so that nothing is fetched twice."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in ("PATH", "LANG") or name.startswith(("PIP_", "UV_", "SSL_", "REQUESTS_", "http", "HTTP", "no_proxy"))
    }
    cache = subprocess.run([uv(), "cache", "dir"], capture_output=True, text=True, check=True).stdout.strip()
    places = {"HOME": folder / "home", "UV_TOOL_DIR": folder / "tools", "UV_TOOL_BIN_DIR": folder / "bin"}
    places |= {"PIPX_HOME": folder / "pipx", "PIPX_BIN_DIR": folder / "bin"}
    (folder / "home").mkdir(parents=True, exist_ok=True)
    return kept | {name: str(path) for name, path in places.items()} | {"UV_CACHE_DIR": cache, "UV_SYSTEM_CERTS": "1"}


def call(
    command: list[str | Path], folder: Path, env: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run a command in `folder`, which is no checkout; its stderr is shown when it fails."""
    seen = environment(folder) | dict(env or {})
    return subprocess.run(command, cwd=folder, env=seen, capture_output=True, text=True, timeout=900, check=False)


def shims(folder: Path) -> Path:
    """A folder for the PATH with uv and pipx in it, as whoever installs by them has them."""
    shims = folder / "shims"
    shims.mkdir(exist_ok=True)
    for name, command in (("uv", uv()), ("pipx", f"{uv()} tool run pipx")):
        (shims / name).write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        (shims / name).chmod(0o755)
    return shims


def install(
    how: str, dist: Path, folder: Path, python: str = sys.executable, package: str = "medkg-lab"
) -> list[str | Path]:
    """Install the wheels of `dist` by `how` (uv, uvx, pip, pipx, sdist); gives what the command line is called with."""
    links = ["--find-links", dist]
    if how == "uvx":
        return [uv(), "tool", "run", *links, "--python", python, "medkg-lab"]
    if how == "uv":
        steps: list[list[str | Path]] = [[uv(), "tool", "install", *links, "--python", python, package]]
        command = folder / "bin" / "medkg-lab"
    elif how == "pipx":
        options = f"--pip-args=--find-links {dist}"
        steps = [[uv(), "tool", "run", "pipx", "install", options, "--python", python, package]]
        command = folder / "bin" / "medkg-lab"
    else:
        venv = folder / "venv"
        what = next(dist.glob("medkg_lab-*.tar.gz")) if how == "sdist" else package
        pip = [venv / "bin" / "python", "-m", "pip", "install", "--quiet", *links, what]
        steps = [[python, "-m", "venv", venv], pip]
        command = venv / "bin" / "medkg-lab"
    for step in steps:
        done = call(step, folder)
        assert done.returncode == 0, done.stderr[-3000:]
    return [command]
