"""How many engines a lab starts."""

from pathlib import Path

from medkg_lab.locations import locate
from medkg_lab.settings import LineageSettings, MetricsSettings, PortSettings, Settings
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


def test_the_servers_of_the_profile_start_one_after_the_other_and_before_what_needs_them(tmp_path: Path) -> None:
    found = {one.name: one for one in lab_processes(locate(tmp_path), Settings(profile="gpu"))}
    servers = ("server-embedding", "server-language-model", "server-mineru")
    assert [found[name].after_outcome for name in servers] == [(), servers[:1], servers[1:2]]
    assert all(found[name].slow for name in servers)
    assert found["server-mineru"].argv[-2:] == ("--name", "mineru")
    assert {name for name, one in found.items() if one.after_outcome == servers} == {"engine-compute", "pdf"}
    assert not any(
        name.startswith("server-") for name in (one.name for one in lab_processes(locate(tmp_path), Settings()))
    )


def test_a_profile_that_cannot_be_read_names_no_servers(tmp_path: Path) -> None:
    assert not any(one.slow for one in lab_processes(locate(tmp_path), Settings(profile="nosuch")))


def test_readers_that_the_settings_ask_for_are_processes_that_the_ledger_waits_for(tmp_path: Path) -> None:
    usual = {one.name: one for one in lab_processes(locate(tmp_path), Settings())}
    assert not usual.keys() & {"metrics", "lineage"}
    assert "--reader" not in " ".join(usual["ledgerd"].argv)
    chosen = Settings(
        metrics=MetricsSettings(enabled=True), lineage=LineageSettings(enabled=True), ports=PortSettings(metrics=9)
    )
    found = {one.name: one for one in lab_processes(locate(tmp_path), chosen)}
    assert (found["metrics"].port, found["lineage"].port) == (9, None)
    assert found["ledgerd"].argv[-2:] == ("--reader=metrics", "--reader=lineage")
