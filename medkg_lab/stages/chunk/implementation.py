"""The chunk implementations that the lab publishes."""

from medkg_lab.stages.chunk.options import SplitterOptions
from medkg_lab.stages.contracts import Stage, StageType
from medkg_lab.stages.registry import Implementation, Resources


def _build(resources: Resources, options: SplitterOptions) -> Stage:
    from medkg_lab.stages.chunk.splitter import HaystackSplitter
    from medkg_lab.stages.chunk.splitters import build_splitter
    from medkg_lab.stages.embed.weights import load_tokenizer

    splitter = build_splitter(options.split_by, options.split_length, options.split_overlap, options.split_threshold)
    return HaystackSplitter(options, splitter, load_tokenizer())


SPLITTER = Implementation(
    name="haystack.splitter",
    stage_type=StageType.CHUNK,
    summary="Haystack's splitters: sentences, words, passages, sections, recursive or hierarchical, within a token limit",
    build=_build,
    options=SplitterOptions,
)
