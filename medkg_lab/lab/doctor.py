"""Whether what the chosen profile needs is here: one check each, what it found, and how to get what is missing."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from pathlib import Path

from medkg_lab.broker.embedded.engine import access
from medkg_lab.errors import LabError
from medkg_lab.gpu.guard import judge
from medkg_lab.gpu.nvml import survey
from medkg_lab.lab.hardware import (
    selftest_claims,
    selftest_sparse,
    selftest_vectors,
    selftest_vectors_on_gpu,
)
from medkg_lab.locations import Locations
from medkg_lab.services.errors import ServerUnstartable
from medkg_lab.settings import Settings
from medkg_lab.sources.http_client import HttpxClient
from medkg_lab.stages import registry
from medkg_lab.stages.embed import own_models
from medkg_lab.stages.embed.endpoint import probe as probe_embedding
from medkg_lab.stages.embed.implementation import ONNX
from medkg_lab.stages.embed.options import MiniLMOptions, OpenAIOptions
from medkg_lab.stages.embed.weights import WEIGHTS_SHA256, checked_bytes, model_folder
from medkg_lab.stages.extract.options import LlmOptions
from medkg_lab.stages.index.options import IndexOptions
from medkg_lab.topology.catalog import Catalog
from medkg_lab.topology.profiles import Profile, Server

_INSTALL = "pip install --force-reinstall --no-deps"
_TIMEOUT_S = 5.0
_MAX_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Finding:
    """One check's outcome: `found` in words, `remedy` where it is not `ok`."""

    name: str
    ok: bool
    found: str
    remedy: str = ""


def examine(locations: Locations, settings: Settings) -> list[Finding]:
    """Run every check that the settings' profile calls for. Raises UnknownProfile or ProfileInvalid."""
    profile = Catalog(locations).profile(settings.profile)
    checks = [*_checks(profile, settings), *_own_models(locations, profile)]
    return [_judged(name, check) for name, check in checks]


def _judged(name: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, check())
    except LabError as error:
        return Finding(name, False, type(error).__name__, str(error))
    except PackageNotFoundError as error:
        return Finding(name, False, f"the package {error} is not installed", f"`{_INSTALL} {error}`")


def _checks(profile: Profile, settings: Settings) -> Iterator[tuple[str, Callable[[], str]]]:
    for name in ("haystack-ai", "tantivy", "duckdb"):
        yield name, partial(installed, name)
    yield "vector index", selftest_vectors
    for choice in profile.stages.values():
        implementation = registry.find(choice.implementation)
        options = implementation.parse_options(choice.with_)
        for package in implementation.packages:
            yield f"package {package.module}", partial(_package, implementation, package)
        for need in implementation.needs(options):
            yield _gpu_name(implementation, need), partial(_gpu, implementation.name, need)
        yield from _selftests(options)
    for server in profile.servers:
        yield f"server {server.name}", partial(_command, server)
    if settings.broker.engine == "embedded":
        yield "broker access", partial(access, settings.broker)
    if (profile.pdf.tool or settings.pdf.tool) == "docvortex":
        yield "docvortex", partial(installed, "docvortex")
    else:
        base = profile.pdf.base_url or settings.pdf.base_url
        yield "MinerU server", partial(_answers, f"{base.rstrip('/')}/v1/health")


def _own_models(locations: Locations, profile: Profile) -> Iterator[tuple[str, Callable[[], str]]]:
    """The models that the user added, and those that the profile names and the lab does not have."""
    folder = locations.data / own_models.FOLDER
    chosen = {choice.with_["model"] for choice in profile.stages.values() if choice.implementation == ONNX.name}
    for name in sorted({*own_models.names(folder), *chosen}):
        yield f"model {name}", partial(_own_model, folder, name)


def _own_model(folder: Path, name: str) -> str:
    stored = own_models.find(folder, name)
    stored.check()
    return f"{stored.model_id}, {stored.settings.dimension} dimensions, with the right hashes"


def _selftests(options: registry.Options) -> Iterator[tuple[str, Callable[[], str]]]:
    if isinstance(options, OpenAIOptions):
        yield "embedding endpoint", partial(_embeds, options)
        if options.sparse is not None:
            yield "sparse model", partial(selftest_sparse, options.sparse)
    elif isinstance(options, IndexOptions) and options.vectors_on_gpu is not None:
        yield "vectors on the GPU", partial(selftest_vectors_on_gpu, options.vectors_on_gpu)
    elif isinstance(options, LlmOptions):
        yield "language model endpoint", partial(selftest_claims, options)
    elif isinstance(options, MiniLMOptions):
        yield "MiniLM weights", _weights


def _package(implementation: registry.Implementation, package: registry.Package) -> str:
    if not package.is_installed():
        raise registry.PackageMissing(name=implementation.name, package=package.module, install=package.install)
    return "installed"


def _gpu_name(implementation: registry.Implementation, need: registry.GpuNeed) -> str:
    return f"GPU for {implementation.name}" + ("" if need.device is None else f" ({need.device})")


def _gpu(name: str, need: registry.GpuNeed) -> str:
    judge(name, need, survey())
    return "there is one with enough memory"


def _embeds(options: OpenAIOptions) -> str:
    """Ask for one vector: its dimension is checked on the way."""
    probe_embedding(options)
    return f"{options.model} gives {options.dimension} dimensions"


def _command(server: Server) -> str:
    found = shutil.which(server.command[0])
    if found is None:
        raise ServerUnstartable(name=server.name, detail=f"{server.command[0]} is not on the PATH")
    return found


def _answers(url: str) -> str:
    with HttpxClient() as http:
        answer = http.request("GET", url, timeout=_TIMEOUT_S, max_bytes=_MAX_BYTES, endpoint=True)
    if answer.status != 200:
        raise NotReady(url=url, status=answer.status)
    return f"{url} answers"


def _weights() -> str:
    checked_bytes(model_folder() / "model.safetensors", WEIGHTS_SHA256)
    return "there, with the right hash"


class NotReady(LabError):
    """{url} answers with HTTP {status}. Look at that server's log, or fix its address in the profile."""
