"""Finding the change that makes the difference: among versions in order, the first whose run differs from the oldest one's."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from medkg_lab.repro.diff import Divergence
from medkg_lab.repro.errors import NothingToBisect
from medkg_lab.repro.overrides import ReplayOverrides, Use
from medkg_lab.repro.runs import RECORDED, Run
from medkg_lab.repro.workbench import Workbench
from medkg_lab.resilience.policies import Policies
from medkg_lab.topology.diff import diff as topology_changes
from medkg_lab.topology.models import Topology
from medkg_lab.topology.versions import content_version, version_of


@dataclass(frozen=True)
class Candidate:
    """A version to try: how it is called, what a run with it chooses, and what it is."""

    name: str
    choices: ReplayOverrides
    content: Topology | Policies | Use


@dataclass(frozen=True)
class Tried:
    """A version with its run: how many divergences there are from the oldest version's, and from what was recorded."""

    name: str
    run: str
    from_oldest: int
    from_recorded: int


@dataclass(frozen=True)
class Finding:
    """`before` is the last version that behaves like the oldest, `after` the first that does not; both None when all do."""

    before: str | None
    after: str | None
    changes: list[str]
    first: Divergence | None
    tried: list[Tried]

    def to_json(self) -> Mapping[str, object]:
        """The finding as JSON values."""
        tried = [vars(one) for one in self.tried]
        first = vars(self.first) if self.first else None
        return {
            "found": self.after is not None,
            **{name: value for name, value in vars(self).items() if name not in ("tried", "first")},
            "first": first,
            "tried": tried,
        }


def bisect(bench: Workbench, candidates: Sequence[Candidate]) -> Finding:
    """Search `candidates`, oldest first, for the change. Raises NothingToBisect for fewer than two.

    As every bisection it takes for granted that what has changed once stays changed.
    """
    if len(candidates) < 2:
        raise NothingToBisect(count=len(candidates))
    recorded = bench.find(RECORDED)
    runs: dict[int, Run] = {}
    tried: dict[int, Tried] = {}

    def differs(place: int) -> bool:
        for wanted in (0, place):
            if wanted not in runs:
                runs[wanted] = bench.run(candidates[wanted].choices)
        found = len(bench.report(runs[0], runs[place]).divergences)
        from_recorded = len(bench.report(recorded, runs[place]).divergences)
        tried[place] = Tried(candidates[place].name, runs[place].id, found, from_recorded)
        return found > 0

    differs(0)
    place = first_true(len(candidates), differs)
    listed = [tried[number] for number in sorted(tried)]
    if place is None:
        return Finding(None, None, [], None, listed)
    before, after = candidates[place - 1], candidates[place]
    if place - 1 not in runs:
        runs[place - 1] = bench.run(before.choices)
    report = bench.report(runs[place - 1], runs[place])
    return Finding(before.name, after.name, changes(before.content, after.content), report.first, listed)


def first_true(count: int, holds: Callable[[int], bool]) -> int | None:
    """The first place from 1 at which `holds`, asked as few times as can be; None when it does not hold at the last one."""
    low, high = 0, count - 1
    if not holds(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def changes(before: Topology | Policies | Use, after: Topology | Policies | Use) -> list[str]:
    """What is different about two versions, a line each."""
    match before, after:
        case Topology(), Topology():
            return [str(change) for change in topology_changes(before, after)]
        case Policies(), Policies():
            return policy_changes(before, after)
        case _:
            return [f"{before} → {after}"]


def policy_changes(before: Policies, after: Policies) -> list[str]:
    """What is different about two versions of the policies."""
    found = []
    for name in dict.fromkeys([*before.names, *after.names]):
        if name not in before.names or name not in after.names:
            found.append(f"policy {name} {'added' if name in after.names else 'removed'}")
            continue
        old, new = (side.get(name).model_dump(mode="json") for side in (before, after))
        found += [f"policy {name}: {key} {old[key]!r} → {new[key]!r}" for key in old if old[key] != new[key]]
    return found


def of_topologies(found: Sequence[Topology], base: Callable[..., ReplayOverrides]) -> list[Candidate]:
    """Versions of one pipeline as candidates."""
    return [Candidate(version_of(one), base(topologies={one.name: one}), one) for one in found]


def of_policies(found: Sequence[Policies], base: Callable[..., ReplayOverrides]) -> list[Candidate]:
    """Versions of the policies as candidates."""
    return [Candidate(content_version(one), base(policies=one, beyond=True), one) for one in found]


def of_uses(found: Sequence[Use], base: Callable[..., ReplayOverrides]) -> list[Candidate]:
    """Implementations of one stage as candidates."""
    return [Candidate(str(one), base(uses=(one,)), one) for one in found]
