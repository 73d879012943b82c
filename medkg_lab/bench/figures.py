"""Figures of a measurement: quantiles, spreads, targets."""

import os
import platform
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of `values` lie (nearest rank); 0 when there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered) + 0.5) - 1))] if ordered else 0.0


def spread(values: Sequence[float], digits: int = 2) -> dict[str, float]:
    """Median, least and greatest."""
    return {
        "median": round(statistics.median(values), digits),
        "min": round(min(values), digits),
        "max": round(max(values), digits),
    }


def latencies(seconds: Sequence[float]) -> dict[str, float]:
    """p50, p95 and p99 in milliseconds, and how many there are."""
    shares = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99}
    return {name: round(quantile(seconds, share) * 1e3, 1) for name, share in shares.items()} | {"n": len(seconds)}


def at_least(name: str, value: float, target: float) -> dict[str, object]:
    """A target that is met from `target` up."""
    return {"name": name, "value": value, "target": target, "met": value >= target}


def at_most(name: str, value: float, target: float) -> dict[str, object]:
    """A target that is met up to `target`."""
    return {"name": name, "value": value, "target": target, "met": value <= target}


def machine() -> dict[str, Any]:
    """The machine that was measured on."""
    cores = len(os.sched_getaffinity(0))
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return {"cores": cores, "cpu": line.partition(":")[2].strip()}
    return {"cores": cores, "cpu": platform.processor() or platform.machine()}
