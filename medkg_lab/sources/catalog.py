"""The sources by name, built from the settings under `sources`."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from medkg_lab.sources.adapter import Adapter, SourceSettings
from medkg_lab.sources.clinicaltrials import ClinicalTrials
from medkg_lab.sources.core import Core
from medkg_lab.sources.errors import SourceNotConfigured, UnknownSource
from medkg_lab.sources.idconv import IdConverter
from medkg_lab.sources.pmc import Pmc, PmcFulltext
from medkg_lab.sources.pubmed import Pubmed
from medkg_lab.sources.unpaywall import Unpaywall

Settings = Mapping[str, Mapping[str, Any]]

ADAPTERS = {kind.name: kind for kind in (ClinicalTrials, Core, IdConverter, Pmc, PmcFulltext, Pubmed, Unpaywall)}


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
    return {adapter.name: adapter for adapter in every}


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
