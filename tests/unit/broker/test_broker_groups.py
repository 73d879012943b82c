"""The state machine of consumer groups, with a clock that the test turns."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from medkg_lab.broker.embedded.codes import Code
from medkg_lab.broker.embedded.groups import Group
from medkg_lab.broker.embedded.limits import Limits
from medkg_lab.broker.embedded.members import Join, Joined, State, Sync, Synced

LIMITS = Limits(group_members=6)


@dataclass
class Alarm:
    """Something that a clock calls at a time, unless it was cancelled."""

    at: float
    callback: Callable[[], None]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


@dataclass
class Clock:
    """Time that passes when told to."""

    now: float = 0.0
    alarms: list[Alarm] = field(default_factory=list)

    def call_later(self, delay: float, callback: Callable[[], None], /) -> Alarm:
        alarm = Alarm(self.now + delay, callback)
        self.alarms.append(alarm)
        return alarm

    def pass_seconds(self, seconds: float) -> None:
        end = self.now + seconds
        while due := [alarm for alarm in self.alarms if not alarm.cancelled and alarm.at <= end]:
            alarm = min(due, key=lambda one: one.at)
            self.alarms.remove(alarm)
            self.now = max(self.now, alarm.at)
            alarm.callback()
        self.now = end


JOIN = Join("", None, "app", "127.0.0.1", 10.0, 60.0, "consumer", (("range", b"meta"), ("roundrobin", b"rr")), True)


@dataclass
class Client:
    """One member as its library would behave; `joined` and `synced` collect what it was answered."""

    group: Group
    ask: Join = JOIN
    joined: list[Joined] = field(default_factory=list)
    synced: list[Synced] = field(default_factory=list)

    @property
    def id(self) -> str:
        return self.ask.member_id

    @property
    def generation(self) -> int:
        return self.joined[-1].generation

    def join(self) -> Code | None:
        """Join; None when the answer is still to come."""
        before = len(self.joined)
        self.group.join(self.ask, self.joined.append)
        if len(self.joined) > before and self.joined[-1].code is Code.MEMBER_ID_REQUIRED:
            self.ask = replace(self.ask, member_id=self.joined[-1].member_id)
            return self.join()
        return self.joined[-1].code if len(self.joined) > before else None

    def adopt(self) -> None:
        """Take over the id that a join gave."""
        self.ask = replace(self.ask, member_id=self.joined[-1].member_id)

    def sync(self, assignments: dict[str, bytes] | None = None) -> None:
        ask = Sync(self.id, self.ask.instance_id, self.generation, assignments or {})
        self.group.sync(ask, self.synced.append)

    def heartbeat(self) -> Code:
        return self.group.heartbeat(self.id, self.ask.instance_id, self.generation)


def new_group() -> tuple[Group, Clock]:
    clock = Clock()
    return Group("g", clock, LIMITS), clock


def settle(group: Group, clock: Clock, clients: list[Client]) -> None:
    """Let the first gathering end and everybody sync; the leader gives each member its own id."""
    clock.pass_seconds(LIMITS.initial_rebalance_seconds)
    for client in clients:
        client.adopt()
    for client in clients:
        client.sync({one.id: one.id.encode() for one in clients} if client.id == group.leader else None)
    assert group.state is State.STABLE


def stable_group(count: int, ask: Join = JOIN) -> tuple[Group, Clock, list[Client]]:
    group, clock = new_group()
    clients = [Client(group, ask) for _ in range(count)]
    for client in clients:
        client.join()
    settle(group, clock, clients)
    return group, clock, clients


def test_members_that_come_together_share_one_generation_and_one_leader() -> None:
    group, _, clients = stable_group(3)
    assert {client.generation for client in clients} == {1}
    assert {client.joined[-1].leader for client in clients} == {group.leader}
    assert sorted(len(client.joined[-1].members) for client in clients) == [0, 0, 3]
    assert [client.synced[-1].assignment for client in clients] == [client.id.encode() for client in clients]


def test_a_new_member_is_told_its_id_first() -> None:
    group, clock = new_group()
    client = Client(group)
    client.join()
    assert client.joined[0].code is Code.MEMBER_ID_REQUIRED
    assert client.joined[0].member_id.startswith("app-")
    clock.pass_seconds(1)
    assert client.joined[1].code is Code.NONE


def test_an_announced_member_that_never_comes_is_forgotten() -> None:
    group, clock = new_group()
    answers: list[Joined] = []
    group.join(JOIN, answers.append)
    assert not group.is_idle
    clock.pass_seconds(11)
    assert group.is_idle
    group.join(replace(JOIN, member_id=answers[0].member_id), answers.append)
    assert answers[1].code is Code.UNKNOWN_MEMBER_ID


def test_a_late_member_makes_the_others_join_again() -> None:
    group, _, clients = stable_group(2)
    late = Client(group)
    assert late.join() is None
    assert [client.heartbeat() for client in clients] == [Code.REBALANCE_IN_PROGRESS] * 2
    for client in clients:
        client.join()
    late.adopt()
    assert {client.generation for client in (*clients, late)} == {2}
    assert group.state is State.COMPLETING


def test_who_does_not_join_again_is_dropped_when_the_rebalance_ends() -> None:
    group, clock, clients = stable_group(2, replace(JOIN, rebalance_seconds=5.0))
    late = Client(group, replace(JOIN, rebalance_seconds=5.0))
    late.join()
    clients[0].join()
    clock.pass_seconds(6)
    late.adopt()
    assert set(group.members) == {clients[0].id, late.id}
    assert clients[1].heartbeat() is Code.UNKNOWN_MEMBER_ID


def test_who_does_not_sync_is_dropped() -> None:
    group, clock = new_group()
    clients = [Client(group, replace(JOIN, rebalance_seconds=2.0)) for _ in range(2)]
    for client in clients:
        client.join()
    clock.pass_seconds(LIMITS.initial_rebalance_seconds)
    for client in clients:
        client.adopt()
    follower = next(client for client in clients if client.id != group.leader)
    follower.sync()
    clock.pass_seconds(3)
    assert set(group.members) == {follower.id}
    assert follower.synced[-1].code is Code.REBALANCE_IN_PROGRESS


def test_a_member_without_heartbeats_is_dropped_and_its_work_goes_to_the_others() -> None:
    group, clock, clients = stable_group(2)
    for _ in range(3):
        clock.pass_seconds(4)
        clients[0].heartbeat()
    assert set(group.members) == {clients[0].id}
    assert clients[0].heartbeat() is Code.REBALANCE_IN_PROGRESS
    assert clients[0].join() is Code.NONE
    assert clients[0].generation == 2


def test_the_last_member_that_goes_leaves_an_empty_group() -> None:
    group, _, clients = stable_group(2)
    assert [group.leave(client.id) for client in clients] == [Code.NONE] * 2
    assert (group.state, group.members, group.leader) == (State.EMPTY, {}, None)
    assert group.leave(clients[0].id) is Code.UNKNOWN_MEMBER_ID


def test_a_join_that_is_repeated_gets_the_same_answer_without_a_rebalance() -> None:
    group, _, clients = stable_group(2)
    follower = next(client for client in clients if client.id != group.leader)
    assert follower.join() is Code.NONE
    assert (follower.generation, group.state) == (1, State.STABLE)
    follower.sync()
    assert follower.synced[-1].assignment == follower.id.encode()


def test_a_leader_that_joins_again_starts_a_rebalance() -> None:
    group, _, clients = stable_group(2)
    leader = next(client for client in clients if client.id == group.leader)
    assert leader.join() is None
    assert group.state is State.PREPARING


def test_commits_are_taken_from_members_of_the_generation_alone() -> None:
    group, _, clients = stable_group(1)
    client = clients[0]
    assert group.check_commit(client.id, None, 1) is Code.NONE
    assert group.check_commit(client.id, None, 0) is Code.ILLEGAL_GENERATION
    assert group.check_commit("stranger", None, 1) is Code.UNKNOWN_MEMBER_ID
    assert group.check_commit("", None, -1) is Code.UNKNOWN_MEMBER_ID
    late = Client(group)
    late.join()
    assert group.check_commit(client.id, None, 1) is Code.NONE
    client.join()
    assert group.check_commit(client.id, None, 2) is Code.REBALANCE_IN_PROGRESS


def test_an_empty_group_takes_commits_from_anybody() -> None:
    group, _ = new_group()
    assert group.check_commit("", None, -1) is Code.NONE


def test_the_protocol_with_the_most_votes_wins_among_the_common_ones() -> None:
    group, clock = new_group()
    orders = [("roundrobin", "range"), ("range", "sticky", "roundrobin"), ("roundrobin", "range")]
    clients = [
        Client(group, replace(JOIN, protocols=tuple((name, name.encode()) for name in order))) for order in orders
    ]
    for client in clients:
        client.join()
    clock.pass_seconds(1)
    assert group.protocol == "roundrobin"
    leader = next(client for client in clients if client.joined[-1].members)
    assert {metadata for _, _, metadata in leader.joined[-1].members} == {b"roundrobin"}


def test_who_shares_no_protocol_or_kind_is_refused() -> None:
    group, _, _ = stable_group(1)
    assert Client(group, replace(JOIN, protocols=(("sticky", b""),))).join() is Code.INCONSISTENT_GROUP_PROTOCOL
    assert Client(group, replace(JOIN, protocol_type="connect")).join() is Code.INCONSISTENT_GROUP_PROTOCOL
    assert Client(group, replace(JOIN, protocols=())).join() is Code.INCONSISTENT_GROUP_PROTOCOL
    assert group.state is State.STABLE


def test_sessions_out_of_bounds_are_refused() -> None:
    group, _ = new_group()
    assert Client(group, replace(JOIN, session_seconds=0.5)).join() is Code.INVALID_SESSION_TIMEOUT
    assert Client(group, replace(JOIN, session_seconds=4000)).join() is Code.INVALID_SESSION_TIMEOUT


def test_a_group_has_a_largest_size() -> None:
    group, _, _ = stable_group(LIMITS.group_members)
    assert Client(group).join() is Code.GROUP_MAX_SIZE_REACHED


STATIC = replace(JOIN, instance_id="worker-1")


def test_a_static_member_that_restarts_keeps_its_work_without_a_rebalance() -> None:
    group, clock = new_group()
    static, other = Client(group, STATIC), Client(group)
    static.join()
    other.join()
    settle(group, clock, [static, other])
    again = Client(group, STATIC)
    assert again.join() is Code.NONE
    again.adopt()
    assert again.id != static.id
    assert not again.joined[-1].members
    assert group.state is State.STABLE
    again.sync()
    assert again.synced[-1].assignment == static.id.encode()
    assert static.heartbeat() is Code.FENCED_INSTANCE_ID
    assert other.heartbeat() is Code.NONE


def test_a_static_member_leaves_by_its_instance() -> None:
    group, clock = new_group()
    static = Client(group, STATIC)
    static.join()
    settle(group, clock, [static])
    assert group.leave("", "worker-1") is Code.NONE
    assert group.state is State.EMPTY


ACTIONS = st.lists(
    st.tuples(st.sampled_from(["join", "leave", "sync", "beat", "wait"]), st.integers(0, 4)), max_size=60
)


@settings(deadline=None)
@given(ACTIONS)
def test_whatever_happens_every_generation_has_one_leader_and_the_group_settles(actions: list[tuple[str, int]]) -> None:
    group, clock = new_group()
    clients = [Client(group) for _ in range(5)]
    for action, number in actions:
        client = clients[number]
        match action:
            case "join" if len(client.joined) == 0 or client.joined[-1].code is not None:
                client.join()
            case "leave" if client.id:
                group.leave(client.id)
                clients[number] = Client(group)
            case "sync" if client.joined:
                client.sync()
            case "beat" if client.joined:
                client.heartbeat()
            case "wait":
                clock.pass_seconds(3)
        leaders = [
            one for one in clients if one.joined and one.joined[-1].members and one.generation == group.generation
        ]
        assert len(leaders) <= 1
        if group.state in (State.COMPLETING, State.STABLE):
            assert group.leader in group.members
    clock.pass_seconds(200)
    assert group.is_idle
    assert group.state is State.EMPTY
