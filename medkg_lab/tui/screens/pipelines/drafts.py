"""A definition as it is being edited."""

from collections.abc import Sequence
from dataclasses import dataclass

from medkg_lab.lab import definitions
from medkg_lab.lab.definitions import Checked, Definition, Opened, Version
from medkg_lab.lab.facade import Lab
from medkg_lab.resilience.policies import Policies
from medkg_lab.topology.models import Topology


@dataclass(frozen=True)
class Draft:
    """A definition as it is being edited: the file it began from, its text now, and what that comes to."""

    base: Opened
    text: str
    checked: Checked
    used: Topology | None
    """The pipeline in use, and what is drawn while the draft has errors: the last valid one."""
    drawn: Topology | None
    versions: Sequence[Version] = ()
    stale: bool = False
    policies: Policies | None = None

    @property
    def changed(self) -> bool:
        """Whether there is something to save."""
        return self.text != self.base.text


def opened_draft(lab: Lab, which: Definition) -> Draft:
    """The definition with the draft of it that was kept, if there is one."""
    base = definitions.opened(lab, which)
    in_use = definitions.check(lab, which, base.text)
    used = in_use.model if isinstance(in_use.model, Topology) else None
    kept = definitions.load_draft(lab, which)
    text = base.text if kept is None else kept
    checked = in_use if kept is None else definitions.check(lab, which, text)
    drawn = checked.model if isinstance(checked.model, Topology) else used
    policies = lab.catalog.policies()
    return Draft(base, text, checked, used, drawn, definitions.history(lab, which), policies=policies)
