"""The page: one HTML file with everything in it, which asks nothing of the network. Charts and graph by Apache ECharts."""

from dataclasses import asdict
from datetime import UTC, datetime
from importlib.resources import files

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from medkg_lab.models.identity import plain
from medkg_lab.report.facts import Facts

LIBRARY = "vendor/echarts.min.js"


def render(facts: Facts) -> str:
    """The page of these facts. Foreign text is escaped, in markup and in scripts."""
    folder = files("medkg_lab.report")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"moment": _date_and_time, "duration": _duration, "document": plain}
    page = environment.from_string(folder.joinpath("page.html.jinja").read_text(encoding="utf-8"))
    # The library's file closes no script element, or a page made of it would be broken at that place.
    library = Markup(folder.joinpath(LIBRARY).read_text(encoding="utf-8").replace("</script", "<\\/script"))
    script = Markup(folder.joinpath("charts.js").read_text(encoding="utf-8"))
    return page.render(facts=facts, data=_data(facts), library=library, script=script)


def _date_and_time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _data(facts: Facts) -> dict[str, object]:
    """What the charts are drawn of."""
    return {
        "states": dict(facts.states),
        "stages": [asdict(one) for one in facts.stages],
        "throughput": asdict(facts.throughput),
        "nodes": [asdict(one) for one in facts.nodes],
        "edges": [asdict(one) for one in facts.edges],
    }


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
