"""The lab's Dagster definitions, made from its pipelines each time they are loaded."""

from dagster import Definitions, JobDefinition

from medkg_lab.locations import locate
from medkg_lab.orchestration.assets import asset_specs
from medkg_lab.orchestration.compile import compile_topology
from medkg_lab.orchestration.sensors import gate_sensor
from medkg_lab.topology.catalog import Catalog
from medkg_lab.topology.graph import phases


def definitions() -> Definitions:
    """Every bundled pipeline and every one of the lab's own as jobs, the sensor of the gates, and what the lab makes.

    The lab is the one that MEDKG_LAB_HOME names. A pipeline whose file is invalid is skipped (`medkg-lab pipeline validate`
    says why); its running jobs go on with the version that they were submitted with.
    """
    locations = locate()
    catalog = Catalog(locations)
    jobs: list[JobDefinition] = []
    after_gates: list[JobDefinition] = []
    for topology in catalog.topologies().values():
        compiled = compile_topology(topology)
        jobs += compiled.values()
        after_gates += [compiled[half.name] for half in phases(topology)[1:]]
    sensors = [gate_sensor(locations.socket("ledger"), after_gates)] if after_gates else []
    return Definitions(assets=asset_specs(), jobs=jobs, sensors=sensors)
