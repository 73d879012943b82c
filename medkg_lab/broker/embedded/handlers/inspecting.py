"""What administrators' tools look at: producers, accounts, and the transactions and quotas that there are none of here."""

from medkg_lab.broker.embedded import requests, responses
from medkg_lab.broker.embedded.codec import Request
from medkg_lab.broker.embedded.codes import Code
from medkg_lab.broker.embedded.errors import Refused
from medkg_lab.broker.embedded.rights import Kind
from medkg_lab.broker.embedded.service import Peer, Service

_SCRAM_SHA_256 = 1


async def describe_producers(
    service: Service, request: Request[requests.DescribeProducersRequest], peer: Peer
) -> responses.DescribeProducersResponse:
    """The idempotent producers that partitions remember; when each last wrote is not kept."""
    topics = tuple(
        responses.TopicProducers(
            name=topic.name,
            partitions=tuple(_producers(service, peer, topic.name, number) for number in topic.partition_indexes),
        )
        for topic in request.body.topics
    )
    return responses.DescribeProducersResponse(topics=topics)


def _producers(service: Service, peer: Peer, topic: str, partition: int) -> responses.PartitionProducers:
    try:
        peer.check(Kind.TOPIC, topic)
        known = service.store.log(topic, partition).producers()
    except Refused as refusal:
        return responses.PartitionProducers(
            partition_index=partition, error_code=refusal.code, error_message=refusal.detail
        )
    active = tuple(
        responses.ActiveProducer(producer_id=one.id, producer_epoch=one.epoch, last_sequence=one.last_sequence)
        for one in known
    )
    return responses.PartitionProducers(partition_index=partition, active_producers=active)


async def list_transactions(
    _: Service, request: Request[requests.ListTransactionsRequest], __: Peer
) -> responses.ListTransactionsResponse:
    """None."""
    return responses.ListTransactionsResponse(unknown_state_filters=request.body.state_filters)


async def describe_transactions(
    _: Service, request: Request[requests.DescribeTransactionsRequest], __: Peer
) -> responses.DescribeTransactionsResponse:
    """Each is not there."""
    states = tuple(
        responses.NoTransaction(transactional_id=one, error_code=Code.TRANSACTIONAL_ID_NOT_FOUND)
        for one in request.body.transactional_ids
    )
    return responses.DescribeTransactionsResponse(transaction_states=states)


async def describe_user_scram_credentials(
    service: Service, request: Request[requests.DescribeUserScramCredentialsRequest], peer: Peer
) -> responses.DescribeUserScramCredentialsResponse:
    """The accounts, all or those asked for, with how they log in."""
    if refused := peer.refusal(Kind.CLUSTER):
        return responses.DescribeUserScramCredentialsResponse(error_code=refused)
    accounts = service.accounts.verifiers if service.accounts else {}
    asked = [user.name for user in request.body.users] or list(accounts)
    results = []
    for name in asked:
        if found := accounts.get(name):
            credential = responses.ScramCredential(mechanism=_SCRAM_SHA_256, iterations=found.iterations)
            results.append(responses.ScramUser(user=name, credential_infos=(credential,)))
        else:
            message = "there is no such account"
            results.append(responses.ScramUser(user=name, error_code=Code.RESOURCE_NOT_FOUND, error_message=message))
    return responses.DescribeUserScramCredentialsResponse(results=tuple(results))


async def describe_client_quotas(
    _: Service, __: Request[requests.DescribeClientQuotasRequest], peer: Peer
) -> responses.DescribeClientQuotasResponse:
    """None."""
    return responses.DescribeClientQuotasResponse(error_code=peer.refusal(Kind.CLUSTER))
