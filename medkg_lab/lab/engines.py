"""Moving the lab's events from one broker engine to another, with the lab at rest."""

import contextlib
import json
import subprocess
from collections.abc import Callable, Iterator

from medkg_lab import launch
from medkg_lab.broker.address import Address
from medkg_lab.broker.copying import Copied, copy
from medkg_lab.broker.engine import BrokerEngine, named, switch
from medkg_lab.broker.errors import CopyRefused
from medkg_lab.lab.facade import Lab


def move(lab: Lab, source: str, target: str, report: Callable[[Copied], None]) -> list[Copied]:
    """Copy all topics from the engine `source` to `target`, and write down that `target` has them now.

    Raises CopyRefused while the lab runs, and what copying raises.
    """
    if source == target:
        raise CopyRefused(detail=f"{source} was named twice")
    if lab.supervisor.is_running():
        raise CopyRefused(detail="the lab runs and would go on writing; stop it with `medkg-lab down` first")
    engines = [named(name, lab.locations, lab.settings) for name in (source, target)]
    with running(engines[0]) as old, running(engines[1]) as new:
        done = copy(old, new, report)
    switch(lab.locations, target)
    return done


@contextlib.contextmanager
def running(engine: BrokerEngine) -> Iterator[Address]:
    """The engine's broker for the time of the copy; one that is not ours to run is taken to be there."""
    argv = engine.argv("0")
    if argv is None:
        yield engine.address
        return
    process = subprocess.Popen(argv, env=launch.environment(), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None, "it was asked for"
    try:
        line = process.stdout.readline()
        if not line:
            raise CopyRefused(detail=f"the {engine.name} broker did not start, as it says above")
        yield Address(f"127.0.0.1:{json.loads(line)['port']}", engine.address.security)
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()
