"""What installed packages publish under an entry-point group. Names are looked up here; none is an import path from outside."""

import logging
from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points

logger = logging.getLogger(__name__)


@cache
def published(group: str) -> Mapping[str, object]:
    """What the packages publish under `group`, by name. What cannot be loaded is left out, and the log says why."""
    found: dict[str, object] = {}
    for point in sorted(entry_points(group=group), key=lambda one: one.name):
        try:
            found[point.name] = point.load()
        # Whatever a third party's module raises on import must not take down a process that may not even use it.
        except Exception:
            logger.exception("%s of %s cannot be loaded", point.name, group, extra={"event": "plugin.broken"})
    return found
