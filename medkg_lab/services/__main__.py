"""`python -m medkg_lab.services --home DIR --name NAME`: keeps one server of the profile."""

import argparse

from medkg_lab import process, settings
from medkg_lab.process import CannotRun, Stopping
from medkg_lab.services.errors import ServerUnknown
from medkg_lab.services.server_runner import run_server
from medkg_lab.settings import SettingsInvalid
from medkg_lab.topology.catalog import Catalog
from medkg_lab.topology.errors import DefinitionInvalid, UnknownProfile


def main() -> None:
    """Run until SIGTERM."""
    parser = argparse.ArgumentParser(prog="services")
    parser.add_argument("--name", required=True, help="the server, as the profile names it")
    given, locations = process.arguments("services", parser)
    stopping = Stopping()
    stopping.listen()
    try:
        profile = Catalog(locations).profile(settings.load(locations).profile)
    except (SettingsInvalid, DefinitionInvalid, UnknownProfile) as error:
        raise CannotRun(process=given.name, detail=str(error)) from error
    server = next((one for one in profile.servers if one.name == given.name), None)
    if server is None:
        raise ServerUnknown(profile=profile.name, name=given.name)
    run_server(
        server, locations.state, stopping, lambda: process.announce(f"server-{given.name}", url=server.ready_url)
    )


if __name__ == "__main__":
    process.run("services", main)
