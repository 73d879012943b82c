"""The names that definitions may use, read from the lab for completion."""

from medkg_lab.errors import LabError
from medkg_lab.lab.facade import Lab
from medkg_lab.models.events import PDF_IR_READY
from medkg_lab.stages import registry
from medkg_lab.stages.contracts import StageType
from medkg_lab.topology import bundled
from medkg_lab.topology.loader import SHARED_FOLDER
from medkg_lab.tui.screens.pipelines.yaml_help import Words

TYPES = {
    StageType.INGEST: "takes a submission in",
    StageType.DOWNLOAD: "fetches the full text",
    StageType.PARSE: "makes structured text of it",
    StageType.CHUNK: "cuts it into passages",
    StageType.EMBED: "makes a vector of each passage",
    StageType.INDEX: "puts passages into search",
    StageType.EXTRACT: "finds claims in passages",
    StageType.KG: "puts claims into the graph",
    StageType.GATE: "holds jobs until a condition is met",
}


def words_of(lab: Lab) -> Words:
    """All names; those of a part that cannot be read are skipped. Slow at first: it imports the implementations."""
    implementations: dict[str, str] = {}
    types_of: dict[str, str] = {}
    for name in registry.names():
        try:
            found = registry.find(name)
        except LabError:
            continue
        implementations[name], types_of[name] = found.summary, found.stage_type.value
    try:
        policies = {one.name: one.description for one in lab.catalog.policies().policies}
    except LabError:
        policies = {}
    folders = (bundled.folder() / "pipelines" / SHARED_FOLDER, lab.locations.config / "pipelines" / SHARED_FOLDER)
    shared = {path.stem: "a shared sequence" for folder in folders for path in sorted(folder.glob("*.yaml"))}
    return Words(
        types={kind.value: about for kind, about in TYPES.items()},
        policies=policies,
        implementations=implementations,
        types_of=types_of,
        shared=shared,
        fields={PDF_IR_READY: "the PDF has been read whole"},
    )
