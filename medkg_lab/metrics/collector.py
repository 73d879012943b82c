"""Everything that is shown, as the families of the Prometheus client library, which writes the text."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from medkg_lab.metrics import names
from medkg_lab.metrics.counting import SUM, Series
from medkg_lab.metrics.gauges import Sample

_INFINITY = "+Inf"
_MICRO = 1_000_000


class LabCollector(Collector):
    """Collects at each scrape: `totals` gives the counts, `samples` the gauges."""

    def __init__(self, totals: Callable[[], Mapping[Series, int]], samples: Callable[[], Iterable[Sample]]) -> None:
        self._totals = totals
        self._samples = samples

    def describe(self) -> Iterable[Metric]:
        """Nothing is registered beforehand: registering must ask nobody."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """The families, also those that have no number yet."""
        yield from counted(self._totals())
        yield from queried(self._samples())


def counted(totals: Mapping[Series, int]) -> Iterator[Metric]:
    """The counters and histograms."""
    by_metric: dict[str, dict[tuple[str, ...], dict[str, int]]] = {}
    for series, value in totals.items():
        by_metric.setdefault(series.metric, {}).setdefault(series.labels, {})[series.part] = value
    for metric in names.COUNTED:
        found = by_metric.get(metric.name, {})
        yield _histogram(metric, found) if metric.kind == "histogram" else _counter(metric, found)


def _counter(metric: names.Metric, found: Mapping[tuple[str, ...], Mapping[str, int]]) -> Metric:
    family = CounterMetricFamily(metric.name, metric.help, labels=metric.labels)
    for labels, parts in sorted(found.items()):
        family.add_metric(labels, parts.get("", 0))
    return family


def _histogram(metric: names.Metric, found: Mapping[tuple[str, ...], Mapping[str, int]]) -> Metric:
    family = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
    bounds = [*map(floatToGoString, metric.bounds), _INFINITY]
    for labels, parts in sorted(found.items()):
        counts = accumulate(parts.get(str(place), 0) for place in range(len(bounds)))
        family.add_metric(labels, list(zip(bounds, counts, strict=True)), parts.get(SUM, 0) / _MICRO)
    return family


def queried(samples: Iterable[Sample]) -> Iterator[Metric]:
    """The gauges, and the counters that are not the ledger's."""
    by_metric: dict[str, list[Sample]] = {}
    for sample in samples:
        by_metric.setdefault(sample.metric.name, []).append(sample)
    for metric in names.QUERIED:
        kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
        family = kind(metric.name, metric.help, labels=metric.labels)
        for sample in by_metric.get(metric.name, ()):
            family.add_metric(sample.labels, float(sample.value))
        yield family
