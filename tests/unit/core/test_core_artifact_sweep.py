"""Sweeping a store that is written to: what is needed stays, wherever it is killed, and what comes back is there."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medkg_lab.artifacts import sweep
from medkg_lab.artifacts.store import ArtifactMissing, ArtifactStore
from medkg_lab.artifacts.sweep import Record, SweepRuns, doomed

PACK = 3000


def swept(root: Path, needed: Callable[[str], bool]) -> sweep.Swept:
    with sweep.alone(root):
        return sweep.finish(root, sweep.begin(root), needed)


def content(root: Path) -> bytes:
    return b"".join(pack.read_bytes() for pack in (root / "packs").glob("*.pack"))


RECORDS = st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("12")), max_size=20)


@given(RECORDS, st.sets(st.sampled_from("abcdef")))
def test_of_what_is_needed_one_copy_stays_and_nothing_else(places: list[tuple[str, str]], needed: set[str]) -> None:
    found = [Record(name, Path(pack), number, 1) for number, (name, pack) in enumerate(places)]
    gone = doomed(found, needed.__contains__)
    left = [record.name for record in found if record not in gone]
    assert sorted(left) == sorted(needed & {record.name for record in found})


VALUES = st.lists(st.binary(max_size=1200), min_size=1, max_size=12)


@given(VALUES, VALUES, st.randoms())
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_what_is_needed_stays_and_what_comes_back_is_there(
    tmp_path_factory: pytest.TempPathFactory, first: list[bytes], second: list[bytes], random: object
) -> None:
    root = tmp_path_factory.mktemp("store")
    writer, other = ArtifactStore(root, "a", PACK), ArtifactStore(root, "b", PACK)
    names = [*writer.put_many(first), *(other.put(one) for one in first[::2])]
    needed = set(names[::3])
    swept(root, needed.__contains__)
    fresh = ArtifactStore(root)
    values = dict(zip(writer.put_many(first + second), first + second, strict=True))
    for store in (writer, other, fresh, ArtifactStore(root)):
        assert all(store.get(name) == value for name, value in values.items())
    swept(root, values.__contains__)
    for store in (writer, other, fresh, ArtifactStore(root)):
        assert all(store.get(name) == value for name, value in values.items())
    for store in (writer, other):
        store.close()


def test_what_goes_leaves_neither_bytes_nor_blocks(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path, "w", 1 << 20)
    gone = store.put(b"private" * 100_000)
    kept = store.put(b"kept" * 100_000)  # begins another pack: the first one grows no more
    also = store.put(b"secret" * 10_000)
    backup = tmp_path / "backup"
    os.link(next((tmp_path / "packs").glob("*-000001.pack")), backup)
    before = backup.read_bytes()
    assert swept(tmp_path, {kept}.__contains__) == sweep.Swept(2, 760_000)
    assert b"private" not in content(tmp_path)
    assert b"secret" not in content(tmp_path)
    assert backup.read_bytes() == before, "a backup shares the pack"
    assert sum(pack.stat().st_blocks * 512 for pack in (tmp_path / "packs").glob("*.pack")) < 450_000
    assert swept(tmp_path, {kept}.__contains__) == sweep.Swept()
    for one in (store, ArtifactStore(tmp_path)):
        assert one.get(kept) == b"kept" * 100_000
        with pytest.raises(ArtifactMissing):
            one.get(also)
    with pytest.raises(ArtifactMissing):
        ArtifactStore(tmp_path).get(gone)
    assert store.put(b"secret" * 10_000) == also
    assert ArtifactStore(tmp_path).get(also) == b"secret" * 10_000
    store.close()
    again = ArtifactStore(tmp_path, "w", 1 << 20)
    assert again.get(kept) == b"kept" * 100_000
    again.close()


def test_what_is_stored_again_while_it_is_swept_stays(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path, "w")
    name = store.put(b"value")
    with sweep.alone(tmp_path):
        begun = sweep.begin(tmp_path)
        assert store.put(b"value") == name
        sweep.finish(tmp_path, begun, lambda _: False)
    assert store.get(name) == ArtifactStore(tmp_path).get(name) == b"value"
    store.close()


def test_a_pack_that_was_replaced_is_let_go_of(tmp_path: Path) -> None:
    store, reader = ArtifactStore(tmp_path, "w", PACK), ArtifactStore(tmp_path)
    names = store.put_many([b"a" * 1000, b"b" * 1000]) + store.put_many([b"c" * 2000])
    assert all(map(reader.has, names))
    swept(tmp_path, {names[0], names[2]}.__contains__)
    for one in (store, reader):
        assert one.get(names[0]) == b"a" * 1000
    open_files = [
        os.readlink(f"/proc/self/fd/{number}")
        for number in os.listdir("/proc/self/fd")
        if number.isdigit() and os.path.lexists(f"/proc/self/fd/{number}")
    ]
    assert [path for path in open_files if str(tmp_path) in path and "deleted" in path] == []
    store.close()


def test_only_one_sweeps_at_a_time(tmp_path: Path) -> None:
    with sweep.alone(tmp_path), pytest.raises(SweepRuns), sweep.alone(tmp_path):
        pass
