"""Whether what the chosen profile needs is here: one check each, what it found, and how to get what is missing."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed

from medkg_lab.errors import LabError
from medkg_lab.gpu.guard import require
from medkg_lab.knowledge.endpoint import EndpointEncoder
from medkg_lab.locations import Locations
from medkg_lab.settings import Settings
from medkg_lab.sources.outside import HttpOutside
from medkg_lab.stages import registry
from medkg_lab.stages.embed.implementation import OPENAI
from medkg_lab.stages.embed.options import OpenAIOptions
from medkg_lab.stages.embed.weights import WEIGHTS_SHA256, checked_bytes, model_folder
from medkg_lab.stages.extract.implementation import LLM, LlmOptions
from medkg_lab.topology.catalog import Catalog
from medkg_lab.topology.profiles import Profile

_SYNC = "uv pip sync requirements/cpu.lock"
_SECONDS = 5.0
_MOST_BYTES = 1024 * 1024


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
    return [_judged(name, check) for name, check in _checks(profile, settings)]


def _judged(name: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, check())
    except LabError as error:
        return Finding(name, False, type(error).__name__, str(error))
    except PackageNotFoundError as error:
        return Finding(name, False, f"the package {error} is not installed", f"`{_SYNC}`")


def _checks(profile: Profile, settings: Settings) -> Iterator[tuple[str, Callable[[], str]]]:
    chosen = {kind: registry.find(choice.implementation) for kind, choice in profile.stages.items()}
    for name in ("haystack-ai", "tantivy", "faiss-cpu", "duckdb"):
        yield name, partial(installed, name)
    for kind, implementation in chosen.items():
        if implementation.gpu is not None:
            yield f"GPU for {implementation.name}", partial(_gpu, implementation)
        options = profile.stages[kind].with_
        if implementation.name == OPENAI.name:
            yield "embedding endpoint", partial(_embeds, OpenAIOptions.model_validate(options))
        elif implementation.name == LLM.name:
            yield "language model endpoint", partial(_lists, LlmOptions.model_validate(options))
        elif implementation.name == "minilm.onnx":
            yield "MiniLM weights", _weights
    if (profile.pdf.tool or settings.pdf.tool) == "docvortex":
        yield "docvortex", partial(installed, "docvortex")
    else:
        base = profile.pdf.base_url or settings.pdf.base_url
        yield "MinerU server", partial(_answers, f"{base.rstrip('/')}/v1/health")


def _gpu(implementation: registry.Implementation) -> str:
    require(implementation)
    return "there is one with enough free memory"


def _embeds(options: OpenAIOptions) -> str:
    """Ask for one vector: its dimension is checked on the way."""
    EndpointEncoder(options).encode(["self-test"])
    return f"{options.model} gives {options.dimension} dimensions"


def _lists(options: LlmOptions) -> str:
    return _answers(f"{options.base_url.rstrip('/')}/models")


def _answers(url: str) -> str:
    with HttpOutside() as outside:
        answer = outside.request("GET", url, timeout=_SECONDS, max_bytes=_MOST_BYTES, endpoint=True)
    if answer.status != 200:
        raise NotReady(url=url, status=answer.status)
    return f"{url} answers"


def _weights() -> str:
    checked_bytes(model_folder() / "model.safetensors", WEIGHTS_SHA256)
    return "there, with the right hash"


class NotReady(LabError):
    """{url} answers with HTTP {status}. Look at that server's log, or mend its address in the profile."""
