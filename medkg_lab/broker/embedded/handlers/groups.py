"""The requests of consumer groups."""

from medkg_lab.broker.embedded import requests
from medkg_lab.broker.embedded.codec import Answer, Request
from medkg_lab.broker.embedded.codes import Code
from medkg_lab.broker.embedded.errors import Refused
from medkg_lab.broker.embedded.members import Join, Joined, Sync
from medkg_lab.broker.embedded.rights import Kind
from medkg_lab.broker.embedded.service import Peer, Service

_ANNOUNCED_SINCE = 4
_LEAVE_MANY_SINCE = 3
_CLASSIC = "classic"
_NOT_ASKED = -(2**31)
_OPERATIONS = sum(1 << operation for operation in (3, 6, 8))
"""Reading, deleting and describing, by the numbers of `AclOperation` (KIP-430): all that can be done with a group."""


async def join_group(service: Service, request: Request[requests.JoinGroup], peer: Peer) -> Answer:
    """Join a group; answered when the group has agreed on a generation."""
    body = request.body
    ask = Join(
        member_id=body.member_id,
        instance_id=body.group_instance_id,
        client_id=peer.client_id,
        host=peer.host,
        session_seconds=body.session_timeout / 1000,
        rebalance_seconds=(body.session_timeout if body.rebalance_timeout is None else body.rebalance_timeout) / 1000,
        protocol_type=body.protocol_type,
        protocols=tuple((entry.name, entry.metadata) for entry in body.protocols or ()),
        announce_first=request.head.version >= _ANNOUNCED_SINCE,
    )
    try:
        peer.check(Kind.GROUP, body.group_id)
        joined = await service.coordinator.join(body.group_id, ask)
    except Refused as refusal:
        joined = Joined(refusal.code, ask.member_id)
    # Before version 7 the protocol name cannot be null.
    return {
        "throttle_time": 0,
        "error_code": joined.code,
        "generation_id": joined.generation,
        "protocol_type": ask.protocol_type if joined.protocol else None,
        "protocol_name": joined.protocol or "",
        "leader": joined.leader,
        "member_id": joined.member_id,
        "members": [
            {"member_id": member_id, "group_instance_id": instance_id, "metadata": metadata}
            for member_id, instance_id, metadata in joined.members
        ],
    }


async def sync_group(service: Service, request: Request[requests.SyncGroup], peer: Peer) -> Answer:
    """Hand in or learn the assignment of a generation."""
    body = request.body
    answer: Answer = {"throttle_time": 0, "protocol_type": None, "protocol_name": None}
    if refused := peer.refusal(Kind.GROUP, body.group_id):
        return answer | {"error_code": refused, "assignment": b""}
    group = service.coordinator.group(body.group_id)
    answer |= {"protocol_type": group.protocol_type, "protocol_name": group.protocol}
    named = (body.protocol_type or group.protocol_type, body.protocol_name or group.protocol)
    if group.members and named != (group.protocol_type, group.protocol):
        return answer | {"error_code": Code.INCONSISTENT_GROUP_PROTOCOL, "assignment": b""}
    assignments = {entry.member_id: entry.assignment for entry in body.assignments or ()}
    ask = Sync(body.member_id, body.group_instance_id, body.generation_id, assignments)
    synced = await service.coordinator.sync(body.group_id, ask)
    return answer | {"error_code": synced.code, "assignment": synced.assignment}


async def heartbeat(service: Service, request: Request[requests.Heartbeat], peer: Peer) -> Answer:
    """Say that a member lives, and learn whether it has to join again."""
    body = request.body
    group = service.coordinator.group(body.group_id)
    code = peer.refusal(Kind.GROUP, body.group_id) or group.heartbeat(
        body.member_id, body.group_instance_id, body.generation_id
    )
    return {"throttle_time": 0, "error_code": code}


async def leave_group(service: Service, request: Request[requests.LeaveGroup], peer: Peer) -> Answer:
    """Let members go."""
    body = request.body
    group = service.coordinator.group(body.group_id)
    if refused := peer.refusal(Kind.GROUP, body.group_id):
        return {"throttle_time": 0, "error_code": refused, "members": []}
    if request.head.version < _LEAVE_MANY_SINCE:
        return {"throttle_time": 0, "error_code": group.leave(body.member_id)}
    members = [
        {
            "member_id": entry.member_id,
            "group_instance_id": entry.group_instance_id,
            "error_code": group.leave(entry.member_id, entry.group_instance_id),
        }
        for entry in body.members or ()
    ]
    return {"throttle_time": 0, "error_code": Code.NONE, "members": members}


def _seen(service: Service, peer: Peer) -> list[str]:
    """The groups that `peer` may know of."""
    return [name for name in service.coordinator.names() if not peer.refusal(Kind.GROUP, name)]


async def list_groups(service: Service, request: Request[requests.ListGroups], peer: Peer) -> Answer:
    """Every group with members or offsets, in the states asked for."""
    wanted = {state.lower() for state in request.body.states_filter or ()}
    types = {kind.lower() for kind in request.body.types_filter or (_CLASSIC,)}
    found = [service.coordinator.group(name) for name in _seen(service, peer)]
    groups = [
        {
            "group_id": group.id,
            "protocol_type": group.protocol_type,
            "group_state": group.state.value,
            "group_type": _CLASSIC,
        }
        for group in found
        if _CLASSIC in types and (not wanted or group.state.value.lower() in wanted)
    ]
    return {"throttle_time": 0, "error_code": Code.NONE, "groups": groups}


async def describe_groups(service: Service, request: Request[requests.DescribeGroups], peer: Peer) -> Answer:
    """The members of groups and what they own; a group that nobody knows is `Dead`."""
    known = set(_seen(service, peer))
    operations = _OPERATIONS if request.body.include_authorized_operations else _NOT_ASKED
    groups = [_describe(service, peer, name, name in known) for name in request.body.groups or ()]
    return {"throttle_time": 0, "groups": [group | {"authorized_operations": operations} for group in groups]}


def _describe(service: Service, peer: Peer, name: str, known: bool) -> Answer:
    if refused := peer.refusal(Kind.GROUP, name):
        nothing = {"group_id": name, "group_state": "", "protocol_type": "", "protocol_data": "", "members": []}
        return nothing | {"error_code": refused}
    group = service.coordinator.group(name)
    return {
        "error_code": Code.NONE,
        "group_id": name,
        "group_state": group.state.value if known or group.members else "Dead",
        "protocol_type": group.protocol_type,
        "protocol_data": group.protocol or "",
        "members": [
            {
                "member_id": member.id,
                "group_instance_id": member.join.instance_id,
                "client_id": member.join.client_id,
                "client_host": member.join.host,
                "member_metadata": member.metadata(group.protocol),
                "member_assignment": member.assignment,
            }
            for member in group.members.values()
        ],
    }


async def consumer_group_heartbeat(_: Service, request: Request[requests.GroupMember], __: Peer) -> Answer:
    """Refused: groups agree by the classic protocol. Offered at all so that a client is told, and does not wait."""
    return _no_such_group(request, "set group.protocol to classic: the consumer protocol of KIP-848 is not offered")


async def share_group_heartbeat(_: Service, request: Request[requests.GroupMember], __: Peer) -> Answer:
    """Refused, and offered at all for the same reason."""
    return _no_such_group(request, "the share groups of KIP-932 are not offered")


def _no_such_group(request: Request[requests.GroupMember], why: str) -> Answer:
    return {
        "throttle_time": 0,
        "error_code": Code.UNSUPPORTED_VERSION,
        "error_message": why,
        "member_id": request.body.member_id,
        "member_epoch": -1,
        "heartbeat_interval": 0,
    }
