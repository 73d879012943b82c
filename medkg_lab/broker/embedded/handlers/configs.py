"""DescribeConfigs, AlterConfigs and IncrementalAlterConfigs: the settings of topics, and those of the broker to look at."""

from collections.abc import Callable
from functools import partial

from medkg_lab.broker.embedded import requests, responses, topic_config
from medkg_lab.broker.embedded.codec import Request
from medkg_lab.broker.embedded.codes import Code
from medkg_lab.broker.embedded.errors import Refused
from medkg_lab.broker.embedded.rights import Kind
from medkg_lab.broker.embedded.service import NODE_ID, Peer, Service
from medkg_lab.broker.embedded.store import DEFAULT_PARTITIONS

_TOPIC, _BROKER = 2, 4
_FROM_TOPIC, _FROM_BROKER, _DEFAULT = 1, 4, 5
_SET, _DELETE, _APPEND, _SUBTRACT = range(4)
_BOOLEAN, _STRING, _INT, _LONG, _LIST = 1, 2, 3, 5, 7
_TYPES = {
    "advertised.listeners": _LIST,
    "auto.create.topics.enable": _BOOLEAN,
    "broker.id": _INT,
    "cleanup.policy": _LIST,
    "group.initial.rebalance.delay.ms": _INT,
    "listeners": _LIST,
    "log.cleanup.policy": _LIST,
    "log.dirs": _STRING,
    "max.connections": _INT,
    "max.message.bytes": _INT,
    "min.insync.replicas": _INT,
    "num.partitions": _INT,
    "retention.bytes": _LONG,
    "retention.ms": _LONG,
    "segment.bytes": _INT,
    "segment.ms": _LONG,
    "socket.request.max.bytes": _INT,
}
"""Kafka's types of the settings (KIP-569); the others are strings."""

Config = dict[str, str]


async def describe_configs(
    service: Service, request: Request[requests.DescribeConfigsRequest], peer: Peer
) -> responses.DescribeConfigsResponse:
    """The settings of topics and of the broker."""
    results = tuple(_describe(service, peer, resource) for resource in request.body.resources)
    return responses.DescribeConfigsResponse(results=results)


def _describe(service: Service, peer: Peer, resource: requests.DescribedResource) -> responses.DescribedConfigs:
    code, message = Code.NONE, None
    configs: tuple[responses.ConfigEntry, ...] = ()
    try:
        _check(peer, resource)
        configs = _settings(service, resource)
    except Refused as refusal:
        code, message = refusal.code, refusal.detail
    return responses.DescribedConfigs(
        error_code=code,
        error_message=message,
        resource_type=resource.resource_type,
        resource_name=resource.resource_name,
        configs=configs,
    )


def _check(peer: Peer, resource: requests.ConfigResource) -> None:
    kind = Kind.TOPIC if resource.resource_type == _TOPIC else Kind.CLUSTER
    peer.check(kind, resource.resource_name)


def _settings(service: Service, resource: requests.DescribedResource) -> tuple[responses.ConfigEntry, ...]:
    if resource.resource_type == _TOPIC:
        given = service.store.topic(resource.resource_name).config
        found = topic_config.effective(given)
        entries = [
            _setting(name, value, _DEFAULT if default else _FROM_TOPIC, False)
            for name, (value, default) in found.items()
        ]
    elif resource.resource_type == _BROKER and resource.resource_name in ("", str(NODE_ID)):
        entries = [_setting(name, value, _FROM_BROKER, True) for name, value in _broker_settings(service).items()]
    else:
        raise Refused(Code.INVALID_REQUEST, "settings are those of a topic or of broker 0")
    wanted = resource.configuration_keys
    return tuple(entry for entry in entries if wanted is None or entry.name in wanted)


def _broker_settings(service: Service) -> dict[str, str]:
    limits = service.limits
    listener = f"{'SASL_PLAINTEXT' if service.accounts else 'PLAINTEXT'}://{service.host}:{service.port}"
    return {
        "advertised.listeners": listener,
        "auto.create.topics.enable": str(service.auto_create).lower(),
        "broker.id": str(NODE_ID),
        "group.initial.rebalance.delay.ms": str(int(limits.initial_rebalance_seconds * 1000)),
        "listeners": listener,
        "log.cleanup.policy": "delete",
        "log.dirs": str(service.store.root),
        "max.connections": str(limits.connections),
        "num.partitions": str(DEFAULT_PARTITIONS),
        "socket.request.max.bytes": str(limits.request_bytes),
    }


def _setting(name: str, value: str, source: int, read_only: bool) -> responses.ConfigEntry:
    return responses.ConfigEntry(
        name=name,
        value=value,
        read_only=read_only,
        config_source=source,
        config_type=_TYPES.get(name, _STRING),
    )


async def list_config_resources(
    service: Service, request: Request[requests.ListConfigResourcesRequest], peer: Peer
) -> responses.ListConfigResourcesResponse:
    """What has settings: the topics and the broker, or those kinds of it that are asked for."""
    if refused := peer.refusal(Kind.CLUSTER):
        return responses.ListConfigResourcesResponse(error_code=refused)
    kinds = request.body.resource_types or (_TOPIC, _BROKER)
    names = [(_TOPIC, name) for name in service.store.topics] + [(_BROKER, str(NODE_ID))]
    found = tuple(
        requests.ConfigResource(resource_type=kind, resource_name=name) for kind, name in names if kind in kinds
    )
    return responses.ListConfigResourcesResponse(config_resources=found)


async def alter_configs(
    service: Service, request: Request[requests.AlterConfigsRequest], peer: Peer
) -> responses.AlterConfigsResponse:
    """Replace all settings of topics; what is not named gets its default again."""
    results = [
        await _alter(service, peer, resource, partial(_replaced, resource.configs), request.body.validate_only)
        for resource in request.body.resources
    ]
    return responses.AlterConfigsResponse(responses=tuple(results))


async def incremental_alter_configs(
    service: Service, request: Request[requests.IncrementalAlterConfigsRequest], peer: Peer
) -> responses.AlterConfigsResponse:
    """Change single settings of topics."""
    results = [
        await _alter(service, peer, resource, partial(_changed, resource.configs), request.body.validate_only)
        for resource in request.body.resources
    ]
    return responses.AlterConfigsResponse(responses=tuple(results))


def _replaced(entries: tuple[requests.ConfigValue, ...], _: Config) -> Config:
    return topic_config.by_name(entries)


def _changed(entries: tuple[requests.ConfigChange, ...], config: Config) -> Config:
    result = dict(config)
    for entry in entries:
        if entry.config_operation == _SET:
            result[entry.name] = topic_config.value_of(entry)
        elif entry.config_operation == _DELETE:
            result.pop(entry.name, None)
        elif entry.config_operation in (_APPEND, _SUBTRACT) and entry.name in topic_config.LISTS:
            words = topic_config.effective(result)[entry.name][0].split(",")
            given = (entry.value or "").split(",")
            kept = [word for word in words if word and word not in given]
            result[entry.name] = ",".join(kept if entry.config_operation == _SUBTRACT else [*kept, *given])
        else:
            raise Refused(Code.INVALID_CONFIG, f"{entry.name} is not a list: it is set or deleted")
    return result


async def _alter(
    service: Service,
    peer: Peer,
    resource: requests.ConfigResource,
    change: Callable[[Config], Config],
    validate_only: bool,
) -> responses.AlteredConfigs:
    code, message = Code.NONE, None
    try:
        _check(peer, resource)
        if resource.resource_type != _TOPIC:
            raise Refused(Code.INVALID_REQUEST, "only a topic's settings can be changed while the broker runs")
        topic = service.store.topic(resource.resource_name)
        await service.store.configure(topic.name, change(topic.config), validate_only)
    except Refused as refusal:
        code, message = refusal.code, refusal.detail
    return responses.AlteredConfigs(
        error_code=code,
        error_message=message,
        resource_type=resource.resource_type,
        resource_name=resource.resource_name,
    )
