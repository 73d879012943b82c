"""What administrators' tools look at: producers, accounts, and the transactions and quotas that there are none of here."""

from medkg_lab.broker.embedded import requests
from medkg_lab.broker.embedded.codec import Answer, Request
from medkg_lab.broker.embedded.codes import Code
from medkg_lab.broker.embedded.errors import Refused
from medkg_lab.broker.embedded.rights import Kind
from medkg_lab.broker.embedded.service import Peer, Service

_SCRAM_SHA_256 = 1
_UNKNOWN_TIME = -1


async def describe_producers(service: Service, request: Request[requests.DescribeProducers], peer: Peer) -> Answer:
    """The idempotent producers that partitions remember; when each last wrote is not kept."""
    topics = []
    for topic in request.body.topics or ():
        partitions = [_producers(service, peer, topic.name, number) for number in topic.partition_indexes or ()]
        topics.append({"name": topic.name, "partitions": partitions})
    return {"throttle_time": 0, "topics": topics}


def _producers(service: Service, peer: Peer, topic: str, partition: int) -> Answer:
    answer: Answer = {"partition_index": partition, "error_code": Code.NONE, "error_message": None}
    answer |= {"active_producers": []}
    try:
        peer.check(Kind.TOPIC, topic)
        known = service.store.log(topic, partition).producers()
    except Refused as refusal:
        return answer | {"error_code": refusal.code, "error_message": refusal.detail}
    none = {"last_timestamp": _UNKNOWN_TIME, "coordinator_epoch": -1, "current_txn_start_offset": -1}
    return answer | {
        "active_producers": [
            none | {"producer_id": one.id, "producer_epoch": one.epoch, "last_sequence": one.last_sequence}
            for one in known
        ]
    }


async def list_transactions(_: Service, request: Request[requests.ListTransactions], __: Peer) -> Answer:
    """None."""
    unknown = {"unknown_state_filters": request.body.state_filters or []}
    return {"throttle_time": 0, "error_code": Code.NONE, "transaction_states": []} | unknown


async def describe_transactions(_: Service, request: Request[requests.DescribeTransactions], __: Peer) -> Answer:
    """Each is not there."""
    nothing = {"transaction_state": "", "transaction_timeout": 0, "transaction_start_time": 0, "topics": []}
    nothing |= {"producer_id": -1, "producer_epoch": -1, "error_code": Code.TRANSACTIONAL_ID_NOT_FOUND}
    asked = request.body.transactional_ids or ()
    return {"throttle_time": 0, "transaction_states": [nothing | {"transactional_id": one} for one in asked]}


async def describe_user_scram_credentials(
    service: Service, request: Request[requests.DescribeUserScramCredentials], peer: Peer
) -> Answer:
    """The accounts, all or those asked for, with how they log in."""
    answer: Answer = {"throttle_time": 0, "error_code": Code.NONE, "error_message": None, "results": []}
    if refused := peer.refusal(Kind.CLUSTER):
        return answer | {"error_code": refused}
    accounts = service.accounts.verifiers if service.accounts else {}
    asked = [user.name for user in request.body.users or ()] or list(accounts)
    results = []
    for name in asked:
        found = accounts.get(name)
        infos = [{"mechanism": _SCRAM_SHA_256, "iterations": found.iterations}] if found else []
        code, message = (Code.NONE, None) if found else (Code.RESOURCE_NOT_FOUND, "there is no such account")
        results.append({"user": name, "error_code": code, "error_message": message, "credential_infos": infos})
    return answer | {"results": results}


async def describe_client_quotas(_: Service, __: Request[requests.Message], peer: Peer) -> Answer:
    """None."""
    return {"throttle_time": 0, "error_code": peer.refusal(Kind.CLUSTER), "error_message": None, "entries": []}
