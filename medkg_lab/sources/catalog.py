"""The sources by name, built from the settings under `sources`."""

from collections.abc import Mapping
from typing import Any, Protocol, cast

from pydantic import ValidationError

from medkg_lab.plugins import published
from medkg_lab.sources.adapter import Adapter, SourceSettings
from medkg_lab.sources.clinicaltrials import ClinicalTrials
from medkg_lab.sources.core import Core
from medkg_lab.sources.errors import SourceNotConfigured, UnknownSource
from medkg_lab.sources.idconv import IdConverter
from medkg_lab.sources.pmc import Pmc, PmcFulltext
from medkg_lab.sources.pubmed import Pubmed
from medkg_lab.sources.unpaywall import Unpaywall

Settings = Mapping[str, Mapping[str, Any]]

GROUP = "medkg_lab.sources"
_OWN = (ClinicalTrials, Core, IdConverter, Pmc, PmcFulltext, Pubmed, Unpaywall)


class AdapterType(Protocol):
    """A source's class: `base_url` is where it answers unless the settings say otherwise."""

    name: str
    base_url: str

    def __call__(self, settings: SourceSettings) -> Adapter: ...


def _plugins() -> dict[str, AdapterType]:
    """The sources of plug-ins, under the entry-point group `medkg_lab.sources`; the lab's own names stay its own."""
    own = {kind.name for kind in _OWN}
    return {name: cast(AdapterType, kind) for name, kind in published(GROUP).items() if name not in own}


PLUGINS = _plugins()
ADAPTERS: dict[str, Any] = {**{kind.name: kind for kind in _OWN}, **PLUGINS}


def adapters(settings: Settings) -> dict[str, Adapter]:
    """Every source, with its own part of `settings`. Raises UnknownSource or SourceNotConfigured for settings that are wrong."""
    for name in settings:
        if name not in ADAPTERS:
            raise UnknownSource(source=name, known=", ".join(ADAPTERS))
    of = {name: _settings(name, settings) for name in ADAPTERS}
    articles = Pmc(of["pmc"])
    every: tuple[Adapter, ...] = (
        ClinicalTrials(of["clinicaltrials"]),
        Core(of["core"]),
        IdConverter(of["identifier"]),
        articles,
        PmcFulltext(of["pmc-fulltext"], articles),
        Pubmed(of["pubmed"]),
        Unpaywall(of["unpaywall"]),
    )
    others = {name: kind(of[name]) for name, kind in PLUGINS.items()}
    return {adapter.name: adapter for adapter in every} | others


def base_urls(settings: Settings) -> dict[str, str]:
    """The address of every source, those that the settings change included: these hosts may be asked wherever they are."""
    return {name: str(settings.get(name, {}).get("base_url") or kind.base_url) for name, kind in ADAPTERS.items()}


def _settings(name: str, settings: Settings) -> SourceSettings:
    try:
        return SourceSettings.model_validate(dict(settings.get(name, {})))
    except ValidationError as error:
        first = error.errors()[0]
        setting = ".".join(map(str, first["loc"]))
        raise SourceNotConfigured(source=name, setting=setting, detail=first["msg"]) from None
