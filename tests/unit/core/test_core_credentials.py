"""The lab's secrets: private files, and new ones at every start."""

import re
import stat
from pathlib import Path

from medkg_lab import credentials
from medkg_lab.locations import locate


def test_a_secret_is_private_and_stays_until_it_is_renewed(short_tmp: Path) -> None:
    locations = locate(short_tmp)
    token, password = credentials.dagster_token(locations), credentials.password_file(locations, "lab").read_text()
    assert len(token) > 30
    assert token != password
    assert credentials.dagster_token(locations) == token
    credentials.renew(locations)
    assert credentials.dagster_token(locations) != token
    assert credentials.password_file(locations, "lab").read_text() != password
    modes = {stat.S_IMODE(path.stat().st_mode) for path in locations.state.iterdir()}
    assert modes == {0o600}


def test_a_lab_keeps_the_host_name_of_its_pages_and_shares_it_with_no_other(short_tmp: Path) -> None:
    one, other = locate(short_tmp / "one"), locate(short_tmp / "other")
    name = credentials.dagster_host(one)
    assert re.fullmatch(r"lab-[0-9a-f]{12}\.localhost", name)
    credentials.renew(one)
    assert credentials.dagster_host(one) == name
    assert credentials.dagster_host(other) != name
