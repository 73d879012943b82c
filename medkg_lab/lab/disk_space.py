"""Whether the lab's disk has room: asked before something is put on the queue, so that a full disk is a sentence at once."""

import shutil

from medkg_lab.lab.why import DISK_FULL_MB, NoRoomOnDisk
from medkg_lab.locations import Locations


def require_room(locations: Locations) -> None:
    """See that what is submitted now would be taken. Raises NoRoomOnDisk."""
    free_mb = shutil.disk_usage(locations.data).free / 1e6
    if free_mb < DISK_FULL_MB:
        raise NoRoomOnDisk(path=locations.data, free_mb=free_mb)
