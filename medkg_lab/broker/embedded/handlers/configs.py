"""DescribeConfigs, AlterConfigs and IncrementalAlterConfigs: the settings of topics, and those of the broker to look at."""

from collections.abc import Callable
from typing import Any

from medkg_lab.broker.embedded import topic_config
from medkg_lab.broker.embedded.codec import Request
from medkg_lab.broker.embedded.codes import Code
from medkg_lab.broker.embedded.errors import Refused
from medkg_lab.broker.embedded.service import NODE_ID, Peer, Service
from medkg_lab.broker.embedded.store import DEFAULT_PARTITIONS

_TOPIC, _BROKER = 2, 4
_FROM_TOPIC, _FROM_BROKER, _DEFAULT = 1, 4, 5
_SET, _DELETE = 0, 1

Config = dict[str, str]


async def describe_configs(service: Service, request: Request, _: Peer) -> dict[str, Any]:
    """The settings of topics and of the broker."""
    results = []
    for resource in request.body["resources"] or ():
        answer = {
            "error_code": Code.NONE,
            "error_message": None,
            "resource_type": resource["resource_type"],
            "resource_name": resource["resource_name"],
            "configs": [],
        }
        try:
            answer["configs"] = _settings(service, resource)
        except Refused as refusal:
            answer |= {"error_code": refusal.code, "error_message": refusal.fields["detail"]}
        results.append(answer)
    return {"throttle_time": 0, "results": results}


def _settings(service: Service, resource: dict[str, Any]) -> list[dict[str, Any]]:
    if resource["resource_type"] == _TOPIC:
        given = service.store.topic(resource["resource_name"]).config
        found = topic_config.effective(given)
        entries = [
            _setting(name, value, _DEFAULT if default else _FROM_TOPIC, name not in topic_config.NUMBERS)
            for name, (value, default) in found.items()
        ]
    elif resource["resource_type"] == _BROKER and resource["resource_name"] in ("", str(NODE_ID)):
        entries = [_setting(name, value, _FROM_BROKER, True) for name, value in _broker_settings(service).items()]
    else:
        raise Refused(Code.INVALID_REQUEST, "settings are those of a topic or of broker 0")
    wanted = resource["configuration_keys"]
    return [entry for entry in entries if wanted is None or entry["name"] in wanted]


def _broker_settings(service: Service) -> dict[str, str]:
    limits = service.limits
    return {
        "auto.create.topics.enable": str(service.auto_create).lower(),
        "broker.id": str(NODE_ID),
        "group.initial.rebalance.delay.ms": str(int(limits.initial_rebalance_seconds * 1000)),
        "log.cleanup.policy": "delete",
        "max.connections": str(limits.connections),
        "num.partitions": str(DEFAULT_PARTITIONS),
        "socket.request.max.bytes": str(limits.request_bytes),
    }


def _setting(name: str, value: str, source: int, read_only: bool) -> dict[str, Any]:
    return {
        "name": name,
        "value": value,
        "read_only": read_only,
        "config_source": source,
        "is_sensitive": False,
        "is_default": source == _DEFAULT,
        "synonyms": [],
        "documentation": None,
    }


async def alter_configs(service: Service, request: Request, _: Peer) -> dict[str, Any]:
    """Replace all settings of topics; what is not named gets its default again."""
    return await _alter(service, request, lambda _, entries: {entry["name"]: entry["value"] for entry in entries})


async def incremental_alter_configs(service: Service, request: Request, _: Peer) -> dict[str, Any]:
    """Change single settings of topics."""
    return await _alter(service, request, _changed)


def _changed(config: Config, entries: list[dict[str, Any]]) -> Config:
    result = dict(config)
    for entry in entries:
        if entry["config_operation"] == _SET:
            result[entry["name"]] = entry["value"]
        elif entry["config_operation"] == _DELETE:
            result.pop(entry["name"], None)
        else:
            raise Refused(Code.INVALID_CONFIG, f"{entry['name']} is no list: it is set or deleted")
    return result


async def _alter(
    service: Service, request: Request, change: Callable[[Config, list[dict[str, Any]]], Config]
) -> dict[str, Any]:
    responses = []
    for resource in request.body["resources"] or ():
        answer = {"error_code": Code.NONE, "error_message": None}
        answer |= {"resource_type": resource["resource_type"], "resource_name": resource["resource_name"]}
        try:
            if resource["resource_type"] != _TOPIC:
                raise Refused(Code.INVALID_REQUEST, "only a topic's settings can be changed while the broker runs")
            topic = service.store.topic(resource["resource_name"])
            config = change(topic.config, resource["configs"] or [])
            await service.store.configure(topic.name, config, request.body["validate_only"])
        except Refused as refusal:
            answer |= {"error_code": refusal.code, "error_message": refusal.fields["detail"]}
        responses.append(answer)
    return {"throttle_time": 0, "responses": responses}
