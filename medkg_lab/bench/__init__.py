"""Measurements of the lab's parts, as ratios taken in one run where that is possible.

A measurement is a module with `add_arguments(parser)`, `options_from(given) -> options`, and `measure(options)`, which returns a
`figures.Report`.
"""

BENCHES = {
    "artifacts": "medkg_lab.bench.artifacts",
    "ledger": "medkg_lab.bench.ledger",
    "broker": "medkg_lab.bench.broker",
    "orchestration": "medkg_lab.bench.orchestration",
    "embed": "medkg_lab.bench.embed",
    "screen": "medkg_lab.bench.screen",
    "search": "medkg_lab.bench.search",
    "stages": "medkg_lab.bench.stages",
}
"""Measurements by name; their modules are imported when they run."""
