"""The artifact store: what was acknowledged is there, whatever happens to the tail of a pack."""

import multiprocessing
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medkg_lab.artifacts import store as module
from medkg_lab.artifacts.store import ArtifactDamaged, ArtifactMissing, ArtifactStore, ArtifactTooLarge, WriterInUse


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=20))
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_every_value_comes_back_to_writer_and_reader(tmp_path: Path, values: list[bytes]) -> None:
    store = ArtifactStore(tmp_path, "w")
    names = store.put_many(values)
    reader = ArtifactStore(tmp_path)
    assert [store.get(name) for name in names] == values == [reader.get(name) for name in names]
    store.close()


def size_of(folder: Path) -> int:
    """Bytes that all packs take."""
    return sum(pack.stat().st_size for pack in (folder / "packs").glob("*.pack"))


def test_the_same_value_is_kept_once(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path, "w")
    first = store.put_many([b"a" * 1000, b"a" * 1000])
    size = size_of(tmp_path)
    assert store.put(b"a" * 1000) == first[0] == first[1]
    assert size_of(tmp_path) == size


def test_a_reader_sees_what_was_appended_after_it_opened(tmp_path: Path) -> None:
    reader = ArtifactStore(tmp_path)
    name = ArtifactStore(tmp_path, "w").put(b"later")
    assert reader.get(name) == b"later"


@pytest.mark.parametrize("cut", range(1, 44 + 6))
def test_a_torn_tail_is_cut_and_written_over(tmp_path: Path, cut: int) -> None:
    store = ArtifactStore(tmp_path, "w")
    kept, torn = store.put(b"kept"), store.put(b"torn !")
    store.close()
    pack = next((tmp_path / "packs").glob("*.pack"))
    os.truncate(pack, pack.stat().st_size - cut)
    again = ArtifactStore(tmp_path, "w")
    assert again.get(kept) == b"kept"
    with pytest.raises(ArtifactMissing):
        again.get(torn)
    new = again.put(b"new")
    again.close()
    assert ArtifactStore(tmp_path).get(new) == b"new"


def test_damage_is_never_returned(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path, "w")
    name = store.put(b"precious")
    store.close()
    pack = next((tmp_path / "packs").glob("*.pack"))
    data = bytearray(pack.read_bytes())
    data[-1] ^= 1
    pack.write_bytes(data)
    with pytest.raises(ArtifactDamaged):
        ArtifactStore(tmp_path).get(name)


def test_a_full_disk_leaves_no_half_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = ArtifactStore(tmp_path, "w")
    kept = store.put(b"kept")
    size = size_of(tmp_path)
    real = os.pwrite

    def full(handle: int, data: memoryview, offset: int) -> int:
        real(handle, data[:10], offset)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "pwrite", full)
    with pytest.raises(OSError, match="No space"):
        store.put(b"too much for the disk")
    monkeypatch.undo()
    assert size_of(tmp_path) == size
    assert store.get(store.put(b"room again")) == b"room again"
    assert ArtifactStore(tmp_path).get(kept) == b"kept"


def test_a_writer_name_has_one_owner(tmp_path: Path) -> None:
    first = ArtifactStore(tmp_path, "w")
    with pytest.raises(WriterInUse):
        ArtifactStore(tmp_path, "w")
    first.close()
    ArtifactStore(tmp_path, "w").close()


def test_packs_roll_over_and_old_ones_stay_readable(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path, "w", pack_bytes=1000)
    names = [store.put(bytes([n]) * 400) for n in range(10)]
    assert len(list((tmp_path / "packs").glob("*.pack"))) > 3
    store.close()
    again = ArtifactStore(tmp_path, "w")
    assert [again.get(name)[0] for name in names] == list(range(10))


def test_a_value_over_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_VALUE_BYTES", 10)
    with pytest.raises(ArtifactTooLarge):
        ArtifactStore(tmp_path, "w").put(b"x" * 11)


def _write_for_ever(root: Path, writer: str, pipe: "multiprocessing.connection.Connection") -> None:  # type: ignore[name-defined]
    store = ArtifactStore(root, writer)
    number = 0
    while True:
        pipe.send(store.put_many([f"{writer}-{number}-{part}".encode() * 50 for part in range(5)]))
        number += 1


def test_nothing_acknowledged_is_lost_by_kill(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    acknowledged: list[str] = []
    for _ in range(3):
        ours, theirs = context.Pipe(duplex=False)
        child = context.Process(target=_write_for_ever, args=(tmp_path, "killed", theirs))
        child.start()
        theirs.close()
        try:
            while len(acknowledged) % 200 or not acknowledged:
                assert ours.poll(30)
                acknowledged += ours.recv()
            child.kill()
            while True:
                acknowledged += ours.recv()
        except EOFError:
            child.join()
        del acknowledged[len(acknowledged) - len(acknowledged) % 200 :]
    reader = ArtifactStore(tmp_path)
    assert acknowledged
    assert all(reader.get(name) for name in acknowledged)
