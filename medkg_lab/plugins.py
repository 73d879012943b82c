"""What installed packages publish under an entry-point group, the lab itself among them.

Names are looked up here; none is an import path from outside. A name of the lab's own stays its own, whoever else publishes it.
"""

import logging
from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points

logger = logging.getLogger(__name__)
_LAB = "medkg-lab"


@cache
def points(group: str) -> Mapping[str, EntryPoint]:
    """The entry points of `group` by name; nothing is imported."""
    found = sorted(
        entry_points(group=group), key=lambda one: (one.dist is not None and one.dist.name == _LAB, one.name)
    )
    return dict(sorted({one.name: one for one in found}.items(), key=lambda pair: pair[0]))


def names(group: str) -> tuple[str, ...]:
    """What there is under `group`, without importing any."""
    return tuple(points(group))


@cache
def load(group: str, name: str) -> object:
    """What is published as `name`. Raises KeyError, and whatever its module raises on import."""
    return points(group)[name].load()


@cache
def published(group: str) -> Mapping[str, object]:
    """What the packages publish under `group`, by name. What cannot be loaded is left out, and the log says why."""
    found: dict[str, object] = {}
    for name in names(group):
        try:
            found[name] = load(group, name)
        # Whatever a third party's module raises on import must not take down a process that may not even use it.
        except Exception:
            logger.exception("%s of %s cannot be loaded", name, group, extra={"event": "plugin.broken"})
    return found
