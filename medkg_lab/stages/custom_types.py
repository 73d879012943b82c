"""Stage types of plug-ins: what one takes and gives, by kind. Published under the entry-point group `medkg_lab.stage_types`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from medkg_lab.plugins import published

GROUP = "medkg_lab.stage_types"
_NAME = re.compile(r"[A-Z][A-Za-z0-9]{0,40}Stage")
_KIND = re.compile(r"[a-z][a-z0-9_]{0,40}")


@dataclass(frozen=True)
class CustomStageType:
    """A stage type such as `DedupStage`: its stages get the values of the kinds in `takes` and return one of the kind `gives`.

    With one kind in `takes` a stage gets that value, with several a tuple of them in that order. A kind that the lab does not
    know is JSON: any value that `json.dumps` writes. What is given replaces the value of that kind for all stages after it.
    """

    name: str
    takes: tuple[str, ...]
    gives: str
    summary: str

    def __post_init__(self) -> None:
        """Raises ValueError where a name is not one."""
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} is not a stage type's name; write it as DedupStage")
        if not self.takes or not all(map(_KIND.fullmatch, (*self.takes, self.gives))):
            raise ValueError(f"the kinds of {self.name} are not names such as document or summary")


@cache
def custom_types() -> Mapping[str, CustomStageType]:
    """The stage types of the plug-ins that are installed, by name."""
    return {one.name: one for one in published(GROUP).values() if isinstance(one, CustomStageType)}
