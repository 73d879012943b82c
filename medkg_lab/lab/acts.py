"""Noting what a person did by a command that concerns no job."""

from medkg_lab import folders
from medkg_lab.errors import LabError
from medkg_lab.lab.facade import Lab
from medkg_lab.lab.lookup import person
from medkg_lab.ledger import acts
from medkg_lab.models.events import ActNoted

IMPORTED, EXPORTED, SAVED = "incident.imported", "incident.exported", "definition.saved"


def note(lab: Lab, action: str, subject: str, before: str = "", after: str = "", why: str = "") -> None:
    """Have the ledger keep what the person who runs this process did; without one that answers it is kept for its next start."""
    act = ActNoted(action, person(), subject, before, after, why)
    try:
        lab.ledger.note_act(act)
    except LabError:
        folders.make(lab.locations.state)
        acts.append(lab.locations.state, act)
