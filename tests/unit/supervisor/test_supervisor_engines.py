"""How many engines a lab starts."""

from pathlib import Path

from medkg_lab.locations import locate
from medkg_lab.settings import Settings
from medkg_lab.supervisor.processes import lab_processes


def test_the_setting_says_how_many_engines_share_the_computing(tmp_path: Path) -> None:
    locations = locate(tmp_path)
    engines = {
        number: [
            one.name for one in lab_processes(locations, Settings(compute_engines=number)) if "compute" in one.name
        ]
        for number in (1, 3)
    }
    assert engines == {1: ["engine-compute"], 3: ["engine-compute", "engine-compute-2", "engine-compute-3"]}
    (second,) = (one for one in lab_processes(locations, Settings(compute_engines=2)) if one.name == "engine-compute-2")
    assert second.argv[-4:] == ("--name", "engine-compute-2", "--lane", "compute")
