"""Embedding speed: the packaged model through ONNX Runtime, full and int8, against sentence-transformers where that is installed,
and against batches of texts as they come, padded to the longest among them.

The ways alternate in one sitting, so that a slow moment of the machine meets all of them.
"""

import argparse
import importlib.util
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from medkg_lab.bench import texts
from medkg_lab.bench.figures import Report, Target, spread
from medkg_lab.locations import locate

RATIO = 1.2
TORCH = "sentence-transformers"
IN_ORDER = "fp32, padded in order"
_PLAIN_BATCH = 32

Encode = Callable[[Sequence[str]], object]


@dataclass(frozen=True)
class Options:
    """What is measured: `texts` texts per round, in `rounds` rounds; models are kept in `cache`."""

    texts: int = 64
    rounds: int = 3
    cache: Path | None = None


def measure(options: Options) -> Report:
    """Texts per second of each way, and the ratio to torch; without torch the target is not judged."""
    ways = _ways(options.cache or locate().cache)
    args = texts.passages(options.texts)
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for encode in ways.values():
        encode(args[:2])
    for _ in range(options.rounds):
        for name, encode in ways.items():
            began = time.perf_counter()
            encode(args)
            rates[name].append(len(args) / (time.perf_counter() - began))
    return Report(
        bench="embed",
        targets=[_target(rates)],
        detail={
            "texts": options.texts,
            "words_per_text": round(statistics.mean(len(text.split()) for text in args)),
            "texts_per_second": {name: spread(each) for name, each in rates.items()},
            "int8_to_fp32": round(_ratio(rates, "int8", "fp32"), 2),
            "fp32_to_padded_in_order": round(_ratio(rates, "fp32", IN_ORDER), 2),
            "torch": "measured" if TORCH in rates else f"not installed, so the ratio is not judged: no {TORCH}",
        },
    )


def _ways(cache: Path) -> dict[str, Encode]:
    from medkg_lab.stages.embed.minilm import MiniLM

    ways: dict[str, Encode] = {
        "fp32": MiniLM(cache, precision="fp32").encode,
        "int8": MiniLM(cache).encode,
        IN_ORDER: MiniLM(cache, precision="fp32", plan=in_order).encode,
    }
    if importlib.util.find_spec("sentence_transformers") is not None:
        ways[TORCH] = _torch()
    return ways


def in_order(lengths: Sequence[int], limit: int, tokens: int) -> Iterator[tuple[int, list[int]]]:
    """Batches of `_PLAIN_BATCH` texts as they come, padded to the longest of each: what is done where nobody sorts."""
    for start in range(0, len(lengths), _PLAIN_BATCH):
        members = list(range(start, min(start + _PLAIN_BATCH, len(lengths))))
        yield min(max(lengths[number] for number in members), limit), members


def _torch() -> Encode:
    """The way that the model's authors publish, on the same weights."""
    library = importlib.import_module("sentence_transformers")
    from medkg_lab.stages.embed.weights import model_folder

    model = library.SentenceTransformer(str(model_folder()), device="cpu")
    return lambda args: model.encode(list(args), normalize_embeddings=True)


def _ratio(rates: dict[str, list[float]], one: str, other: str) -> float:
    return statistics.median(a / b for a, b in zip(rates[one], rates[other], strict=True))


def _target(rates: dict[str, list[float]]) -> Target:
    value = round(_ratio(rates, "fp32", TORCH), 2) if TORCH in rates else None
    name = "fp32 through ONNX Runtime, texts/s / sentence-transformers on torch"
    return Target(name, value, RATIO, None if value is None else value >= RATIO)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this measurement."""
    default = Options()
    parser.add_argument("--texts", type=int, default=default.texts, help="texts in a round")
    parser.add_argument("--rounds", type=int, default=default.rounds, help="how often the ways alternate")


def options_from(args: argparse.Namespace) -> Options:
    """The options that were given."""
    return Options(args.texts, args.rounds, locate(getattr(args, "home", None)).cache)
