"""The number of the epoch that the lab writes its log in, in a file beside the key that the log is signed with.

It only ever grows, also when the file is lost: it is never less than the seconds since 1970. So old records, which are signed
as well, cannot pass for the newest.
"""

import time
from pathlib import Path

import orjson

from medkg_lab.files import replace_private
from medkg_lab.ledger.chain import Epoch

FILE = "ledger-log.epoch"


def current(folder: Path) -> Epoch | None:
    """The present epoch of the lab with the state folder `folder`; None when there is none, or its file is damaged."""
    try:
        values = orjson.loads((folder / FILE).read_bytes())
        return Epoch(int(values["number"]), int(values["start"]))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def begin(folder: Path, start: int) -> Epoch:
    """Begin a new epoch behind event `start`; durable on return."""
    before = current(folder)
    epoch = Epoch(max(int(time.time()), before.number + 1 if before else 1), start)
    replace_private(folder / FILE, orjson.dumps({"number": epoch.number, "start": epoch.start}).decode())
    return epoch
