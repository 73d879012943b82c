"""Figures of a measurement: quantiles, spreads, targets."""

import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Spread:
    """Of repeated figures."""

    median: float
    min: float
    max: float


@dataclass(frozen=True, slots=True)
class Latencies:
    """Quantiles in milliseconds, and of how many."""

    p50_ms: float
    p95_ms: float
    p99_ms: float
    n: int


@dataclass(frozen=True, slots=True)
class Target:
    """A figure and what it should reach; `met` is None where this machine cannot judge it."""

    name: str
    value: float | None
    target: float
    met: bool | None


@dataclass(frozen=True, slots=True)
class Machine:
    """What was measured on."""

    cores: int
    cpu: str


@dataclass(frozen=True, slots=True)
class Part:
    """What one part of a measurement found."""

    targets: Sequence[Target]
    detail: Mapping[str, object]


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of `values` lie (nearest rank); 0 when there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered) + 0.5) - 1))] if ordered else 0.0


def spread(values: Sequence[float], digits: int = 2) -> Spread:
    """Median, least and greatest."""
    return Spread(*(round(each, digits) for each in (statistics.median(values), min(values), max(values))))


def latencies(seconds: Sequence[float]) -> Latencies:
    """p50, p95 and p99 in milliseconds, and how many there are."""
    p50, p95, p99 = (round(quantile(seconds, share) * 1e3, 1) for share in (0.5, 0.95, 0.99))
    return Latencies(p50, p95, p99, len(seconds))


def at_least(name: str, value: float, target: float) -> Target:
    """A target that is met from `target` up."""
    return Target(name, value, target, value >= target)


def at_most(name: str, value: float, target: float) -> Target:
    """A target that is met up to `target`."""
    return Target(name, value, target, value <= target)


def machine() -> Machine:
    """The machine that was measured on."""
    cores = len(os.sched_getaffinity(0))
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return Machine(cores, line.partition(":")[2].strip())
    return Machine(cores, platform.processor() or platform.machine())


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a measurement found, as it is printed."""

    bench: str
    machine: Machine = field(default_factory=machine)
    targets: Sequence[Target]
    detail: Mapping[str, object]
