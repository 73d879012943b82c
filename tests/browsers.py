"""A browser without a window, for tests of pages: chromium under the names that it is installed by."""

import shutil
import subprocess
from pathlib import Path

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "chromium-headless-shell")
BROWSER = next(filter(None, map(shutil.which, PROGRAMS)), None)


def in_browser(page: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    """Open `page` with a profile of its own beside it, and wait until its scripts have drawn it."""
    command = [str(BROWSER), "--headless=new", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=8000"]
    profile = f"--user-data-dir={page.parent / 'profile'}"
    return subprocess.run(
        [*command, profile, *options, page.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )
