"""What is kept of exchanges with the outside: bounded by size and age, without secrets, or nothing at all."""

from pathlib import Path

import orjson
from hypothesis import given
from hypothesis import strategies as st

from medkg_lab.artifacts.recording import FOLDER, Pack, Recording, doomed
from medkg_lab.artifacts.store import ArtifactMissing, ArtifactStore
from medkg_lab.engine.http_recording import RecordingHttpClient, SharedHttpClient
from medkg_lab.settings import RecordingSettings
from tests.http_service import Answer, http_service

MIB = 1024 * 1024
packs = st.builds(
    lambda n, size, changed, current: Pack(Path(f"{n}.pack"), size, changed, current),
    st.integers(0, 99),
    st.integers(0, 100),
    st.floats(0, 100),
    st.booleans(),
)


@given(
    found=st.lists(packs, max_size=12, unique_by=lambda pack: pack.path),
    most=st.integers(0, 500),
    oldest=st.floats(0, 100),
)
def test_the_oldest_go_first_and_what_is_written_to_stays(found: list[Pack], most: int, oldest: float) -> None:
    gone = set(doomed(found, most, oldest))
    left = [pack for pack in found if pack.path not in gone]
    assert all(pack.current or pack.changed >= oldest for pack in left)
    assert sum(pack.size for pack in left) <= most or all(pack.current for pack in left)
    assert not any(pack.current for pack in found if pack.path in gone)
    kept_free = [pack for pack in left if not pack.current]
    young_gone = [pack for pack in found if pack.path in gone and pack.changed >= oldest]
    if kept_free and young_gone:
        assert max(pack.changed for pack in young_gone) <= min(pack.changed for pack in kept_free)


def test_the_size_is_bounded_and_the_newest_stays(tmp_path: Path) -> None:
    limits = RecordingSettings(max_mib=8)
    recording = Recording(tmp_path, "engine", limits)
    names = []
    for number in range(40):
        names.append(recording.store(bytes([number]) * (MIB // 2)))
        recording.commit()
    size = sum(path.stat().st_size for path in (tmp_path / FOLDER / "packs").glob("*.pack"))
    assert size <= 10 * MIB
    again = recording.store(bytes([0]) * (MIB // 2))
    recording.close()
    store = ArtifactStore(tmp_path / FOLDER)
    assert store.get(names[-1]) == bytes([39]) * (MIB // 2)
    assert again == names[0]
    assert len(store.get(again)) == MIB // 2
    assert any(_gone(store, name) for name in names)
    store.close()


def _gone(store: ArtifactStore, name: str) -> bool:
    try:
        store.get(name)
    except ArtifactMissing:
        return True
    return False


def test_what_is_old_goes_when_the_process_starts(tmp_path: Path) -> None:
    first = Recording(tmp_path, "engine", RecordingSettings())
    name = first.store(b"an old answer")
    first.commit()
    first.close()
    later = Recording(tmp_path, "engine", RecordingSettings(max_days=1), now=lambda: 1e11)
    later.close()
    store = ArtifactStore(tmp_path / FOLDER)
    assert _gone(store, name)
    store.close()


def test_every_exchange_is_kept_without_its_secrets(tmp_path: Path) -> None:
    recording = Recording(tmp_path, "engine", RecordingSettings())
    with http_service() as service:
        service.answers["/v1/x"] = [Answer(b"busy", 503, {"set-cookie": "session=hidden"}), Answer(b"fine")]
        shared = SharedHttpClient({}, recording.store)
        http = RecordingHttpClient(shared, "job-1", "embed", 2)
        url = f"http://user:pw-hidden@{service.host}/v1/x"
        for _ in range(2):
            http.request(
                "POST",
                url,
                params={"email": "jane@hidden.example", "q": "asthma"},
                headers={"authorization": "Bearer tok-hidden"},
                body=b"asked",
                timeout=5,
                max_bytes=100,
                endpoint=True,
            )
        records = shared.exchanges()
        shared.close()
    recording.commit()
    recording.close()
    store = ArtifactStore(tmp_path / FOLDER)
    found = [orjson.loads(store.get(name)) for name in records]
    assert [one["status"] for one in found] == [503, 200]
    assert [one["labels"] for one in found] == [
        {"job": "job-1", "stage": "embed", "attempt": 2, "call": call} for call in (1, 2)
    ]
    assert store.get(found[0]["asked"]) == b"asked"
    assert store.get(found[1]["body"]) == b"fine"
    assert all(one["ms"] > 0 for one in found)
    store.close()
    whole = b"".join(path.read_bytes() for path in (tmp_path / FOLDER / "packs").glob("*.pack"))
    assert b"hidden" not in whole


def test_recording_can_be_off() -> None:
    with http_service() as service:
        service.answers["/x"] = [Answer(b"fine")]
        shared = SharedHttpClient({}, None)
        http = RecordingHttpClient(shared, "job-1", "embed", 1)
        assert http.request("GET", f"{service.url}/x", timeout=5, max_bytes=10, endpoint=True).body == b"fine"
        assert shared.exchanges() == []
        shared.close()
