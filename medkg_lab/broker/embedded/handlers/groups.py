"""The requests of consumer groups."""

from medkg_lab.broker.embedded import requests, responses
from medkg_lab.broker.embedded.codec import Request
from medkg_lab.broker.embedded.codes import Code
from medkg_lab.broker.embedded.errors import Refused
from medkg_lab.broker.embedded.members import Join, Joined, Sync
from medkg_lab.broker.embedded.rights import Kind
from medkg_lab.broker.embedded.service import Peer, Service

_ANNOUNCED_SINCE = 4
_LEAVE_MANY_SINCE = 3
_CLASSIC = "classic"
_OPERATIONS = sum(1 << operation for operation in (3, 6, 8))
"""Reading, deleting and describing, by the numbers of `AclOperation` (KIP-430): all that can be done with a group."""


async def join_group(
    service: Service, request: Request[requests.JoinGroupRequest], peer: Peer
) -> responses.JoinGroupResponse:
    """Join a group; answered when the group has agreed on a generation."""
    body = request.body
    rebalance_ms = body.session_timeout if body.rebalance_timeout is None else body.rebalance_timeout
    ask = Join(
        member_id=body.member_id,
        instance_id=body.group_instance_id,
        client_id=peer.client_id,
        host=peer.host,
        session_seconds=body.session_timeout / 1000,
        rebalance_seconds=rebalance_ms / 1000,
        protocol_type=body.protocol_type,
        protocols=tuple((entry.name, entry.metadata) for entry in body.protocols),
        announce_first=request.head.version >= _ANNOUNCED_SINCE,
    )
    try:
        peer.check(Kind.GROUP, body.group_id)
        joined = await service.coordinator.join(body.group_id, ask)
    except Refused as refusal:
        joined = Joined(refusal.code, ask.member_id)
    return responses.JoinGroupResponse(
        error_code=joined.code,
        generation_id=joined.generation,
        protocol_type=ask.protocol_type if joined.protocol else None,
        protocol_name=joined.protocol or "",
        leader=joined.leader,
        member_id=joined.member_id,
        members=tuple(
            responses.JoinedMember(member_id=member_id, group_instance_id=instance_id, metadata=metadata)
            for member_id, instance_id, metadata in joined.members
        ),
    )


async def sync_group(
    service: Service, request: Request[requests.SyncGroupRequest], peer: Peer
) -> responses.SyncGroupResponse:
    """Hand in or learn the assignment of a generation."""
    body = request.body
    if refused := peer.refusal(Kind.GROUP, body.group_id):
        return responses.SyncGroupResponse(error_code=refused)
    group = service.coordinator.group(body.group_id)
    protocol_type, protocol = group.protocol_type, group.protocol
    named = (body.protocol_type or protocol_type, body.protocol_name or protocol)
    if group.members and named != (protocol_type, protocol):
        code, assignment = Code.INCONSISTENT_GROUP_PROTOCOL, b""
    else:
        assignments = {entry.member_id: entry.assignment for entry in body.assignments}
        ask = Sync(body.member_id, body.group_instance_id, body.generation_id, assignments)
        synced = await service.coordinator.sync(body.group_id, ask)
        code, assignment = synced.code, synced.assignment
    return responses.SyncGroupResponse(
        error_code=code, protocol_type=protocol_type, protocol_name=protocol, assignment=assignment
    )


async def heartbeat(
    service: Service, request: Request[requests.HeartbeatRequest], peer: Peer
) -> responses.ErrorResponse:
    """Say that a member lives, and learn whether it has to join again."""
    body = request.body
    group = service.coordinator.group(body.group_id)
    code = peer.refusal(Kind.GROUP, body.group_id) or group.heartbeat(
        body.member_id, body.group_instance_id, body.generation_id
    )
    return responses.ErrorResponse(error_code=code)


async def leave_group(
    service: Service, request: Request[requests.LeaveGroupRequest], peer: Peer
) -> responses.LeaveGroupResponse:
    """Let members go."""
    body = request.body
    group = service.coordinator.group(body.group_id)
    if refused := peer.refusal(Kind.GROUP, body.group_id):
        return responses.LeaveGroupResponse(error_code=refused)
    if request.head.version < _LEAVE_MANY_SINCE:
        return responses.LeaveGroupResponse(error_code=group.leave(body.member_id))
    members = tuple(
        responses.LeftMember(
            member_id=entry.member_id,
            group_instance_id=entry.group_instance_id,
            error_code=group.leave(entry.member_id, entry.group_instance_id),
        )
        for entry in body.members
    )
    return responses.LeaveGroupResponse(members=members)


def _visible_groups(service: Service, peer: Peer) -> list[str]:
    """The groups that `peer` may know of."""
    return [name for name in service.coordinator.names() if not peer.refusal(Kind.GROUP, name)]


async def list_groups(
    service: Service, request: Request[requests.ListGroupsRequest], peer: Peer
) -> responses.ListGroupsResponse:
    """Every group with members or offsets, in the states asked for."""
    wanted = {state.lower() for state in request.body.states_filter}
    types = {kind.lower() for kind in request.body.types_filter or (_CLASSIC,)}
    found = [service.coordinator.group(name) for name in _visible_groups(service, peer)]
    groups = tuple(
        responses.ListedGroup(
            group_id=group.id,
            protocol_type=group.protocol_type,
            group_state=group.state.value,
            group_type=_CLASSIC,
        )
        for group in found
        if _CLASSIC in types and (not wanted or group.state.value.lower() in wanted)
    )
    return responses.ListGroupsResponse(groups=groups)


async def describe_groups(
    service: Service, request: Request[requests.DescribeGroupsRequest], peer: Peer
) -> responses.DescribeGroupsResponse:
    """The members of groups and what they own; a group that nobody knows is `Dead`."""
    known = set(_visible_groups(service, peer))
    operations = _OPERATIONS if request.body.include_authorized_operations else responses.NOT_ASKED
    groups = tuple(_describe(service, peer, name, name in known, operations) for name in request.body.groups)
    return responses.DescribeGroupsResponse(groups=groups)


def _describe(service: Service, peer: Peer, name: str, known: bool, operations: int) -> responses.DescribedGroup:
    if refused := peer.refusal(Kind.GROUP, name):
        return responses.DescribedGroup(error_code=refused, group_id=name, authorized_operations=operations)
    group = service.coordinator.group(name)
    return responses.DescribedGroup(
        group_id=name,
        group_state=group.state.value if known or group.members else "Dead",
        protocol_type=group.protocol_type,
        protocol_data=group.protocol or "",
        members=tuple(
            responses.DescribedMember(
                member_id=member.id,
                group_instance_id=member.join.instance_id,
                client_id=member.join.client_id,
                client_host=member.join.host,
                member_metadata=member.metadata(group.protocol),
                member_assignment=member.assignment,
            )
            for member in group.members.values()
        ),
        authorized_operations=operations,
    )


async def consumer_group_heartbeat(
    _: Service, request: Request[requests.NewGroupHeartbeatRequest], __: Peer
) -> responses.NewGroupHeartbeatResponse:
    """Refused: groups agree by the classic protocol. Offered at all so that a client is told, and does not wait."""
    why = "set group.protocol to classic: the consumer protocol of KIP-848 is not offered"
    return _no_such_group(request.body, why)


async def share_group_heartbeat(
    _: Service, request: Request[requests.NewGroupHeartbeatRequest], __: Peer
) -> responses.NewGroupHeartbeatResponse:
    """Refused, and offered at all for the same reason."""
    return _no_such_group(request.body, "the share groups of KIP-932 are not offered")


def _no_such_group(body: requests.NewGroupHeartbeatRequest, why: str) -> responses.NewGroupHeartbeatResponse:
    return responses.NewGroupHeartbeatResponse(
        error_code=Code.UNSUPPORTED_VERSION, error_message=why, member_id=body.member_id
    )
