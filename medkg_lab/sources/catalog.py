"""The sources by name, built from the settings under `sources`.

A source is published under the entry-point group `medkg_lab.sources`, the lab's own as anyone's.
"""

from collections.abc import Mapping
from typing import Any, Protocol, cast

from pydantic import ValidationError

from medkg_lab import plugins
from medkg_lab.sources.adapter import Adapter, SourceSettings
from medkg_lab.sources.errors import SourceNotConfigured, UnknownSource
from medkg_lab.validation import first_flaw

Settings = Mapping[str, Mapping[str, Any]]

GROUP = "medkg_lab.sources"


class AdapterType(Protocol):
    """A source's class: `base_url` is where it answers unless the settings say otherwise.

    One with `asks`, the name of another source, is made with that source as second argument.
    """

    name: str
    base_url: str

    def __call__(self, settings: SourceSettings, *others: Adapter) -> Adapter: ...


def names() -> tuple[str, ...]:
    """The names of all sources; none is imported."""
    return plugins.names(GROUP)


def _types() -> dict[str, AdapterType]:
    """The sources' classes; what is published and is none is left out, or one package would keep all documents from coming."""
    found = plugins.published(GROUP).items()
    return {name: cast(AdapterType, kind) for name, kind in found if isinstance(getattr(kind, "base_url", None), str)}


def adapters(settings: Settings) -> dict[str, Adapter]:
    """Every source, with its own part of `settings`. Raises UnknownSource or SourceNotConfigured for settings that are wrong."""
    types = _types()
    for name in settings:
        if name not in types:
            raise UnknownSource(source=name, known=", ".join(types))
    asked = {name: getattr(kind, "asks", None) for name, kind in types.items()}
    made: dict[str, Adapter] = {}
    for name in sorted(types, key=lambda one: asked[one] is not None):
        other = asked[name]
        made[name] = types[name](_settings(name, settings), *([] if other is None else [made[other]]))
    return made


def base_urls(settings: Settings) -> dict[str, str]:
    """The address of every source, those that the settings change included: these hosts may be asked wherever they are."""
    return {name: str(settings.get(name, {}).get("base_url") or kind.base_url) for name, kind in _types().items()}


def _settings(name: str, settings: Settings) -> SourceSettings:
    try:
        return SourceSettings.model_validate(dict(settings.get(name, {})))
    except ValidationError as error:
        flaw = first_flaw(error.errors())
        raise SourceNotConfigured(source=name, setting=flaw.field, detail=flaw.message) from None
