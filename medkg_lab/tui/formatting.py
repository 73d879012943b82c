"""Numbers and times as the screen says them."""

import time
from datetime import datetime


def number(value: float) -> str:
    """A count with thousands separators."""
    return f"{value:,.0f}"


def plural(count: int, one: str, many: str = "") -> str:
    """`1 job`, `2 jobs`."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def duration(seconds: float) -> str:
    """A duration in its largest whole unit: `31 ms`, `1.4 s`, `12 min`, `2 h`, `3 d`."""
    seconds = max(0.0, seconds)
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 172_800 else f"{seconds / 86_400:.0f} d"


def uptime(seconds: float) -> str:
    """How long something has been up: `12 s`, `5m 03s`, `2h 14m`, `3d 4h`."""
    whole = int(max(0.0, seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02}s"
    if whole < 86_400:
        return f"{whole // 3600}h {whole % 3600 // 60:02}m"
    return f"{whole // 86_400}d {whole % 86_400 // 3600}h"


def clock(seconds: float) -> str:
    """A moment: `05:43:02` today, `21 Nov 05:43` else."""
    moment = datetime.fromtimestamp(seconds)
    if moment.date() == datetime.fromtimestamp(time.time()).date():
        return moment.strftime("%H:%M:%S")
    return moment.strftime("%-d %b %H:%M")


def size(megabytes: float) -> str:
    """An amount of memory or disk given in MB."""
    return f"{megabytes / 1000:.1f} GB" if megabytes >= 1000 else f"{megabytes:.0f} MB"


def milliseconds(value: float | None) -> str:
    """A time that a stage took, given in ms."""
    if value is None:
        return ""
    if value < 10:
        return f"{value:.1f} ms"
    return f"{value:.0f} ms" if value < 1000 else duration(value / 1000)


def short_id(text: str) -> str:
    """The beginning of a job's id: what people say aloud."""
    return text[:8]


def bar(share: float, cells: int) -> str:
    """A gauge of so many cells."""
    full = round(max(0.0, min(1.0, share)) * cells)
    return "━" * full + "╌" * (cells - full)


EIGHTHS = " ▁▂▃▄▅▆▇█"


def columns(values: list[float], width: int, rows: int) -> list[str]:
    """A chart: the newest `width` of `values` as columns of eighths over `rows` rows, the top row first."""
    shown = values[-width:]
    top = max([*shown, 1e-9])
    heights = [0] * (width - len(shown)) + [round(value / top * rows * 8) for value in shown]
    return ["".join(EIGHTHS[max(0, min(8, h - 8 * row))] for h in heights) for row in reversed(range(rows))]
