"""Every mode in three sizes, by the picture the screen exports: the same to the last cell and colour as it was approved.

`python scripts/make_snapshots.py` makes the pictures anew after a change that is meant.
"""

import difflib
import gzip
from pathlib import Path

import pytest

from tests.tui.frozen import GOLDEN, frozen, pictures
from tests.tui.screens import SIZES
from tests.tui.test_tui_pictures import text_of

pytestmark = pytest.mark.asyncio
REMEDY = "If that is meant: `python scripts/make_snapshots.py`, then look at the pictures."


@pytest.mark.parametrize("size", SIZES)
async def test_pictures_are_as_approved(short_tmp: Path, tmp_path: Path, size: tuple[int, int]) -> None:
    wrong = []
    async with frozen(short_tmp / "lab", size) as screen:
        for mode, picture in (await pictures(screen)).items():
            approved = gzip.decompress((GOLDEN / f"{mode}-{size[0]}x{size[1]}.svg.gz").read_bytes()).decode()
            if picture != approved:
                (tmp_path / f"{mode}.svg").write_text(picture)
                rows = difflib.unified_diff(text_of(approved), text_of(picture), "approved", "now", n=0, lineterm="")
                told = "\n".join(rows) or "the text is the same, colours or places differ"
                wrong.append(f"{mode} at {size[0]}x{size[1]} ({tmp_path / mode}.svg):\n{told}")
    assert not wrong, "\n\n".join([*wrong, REMEDY])
