"""Noting what someone did that concerns no job: settings, logins, incidents, definitions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from medkg_lab.ledger.commands.command import Args, Command
from medkg_lab.ledger.plans import Plans
from medkg_lab.ledger.state import State
from medkg_lab.models.events import ActNoted, Event, EventData, EventType

MAX_CHARACTERS = 2000
"""Of each text at most; the rest is cut."""
MAX_COUNT = 1_000_000_000
TEXTS = ("by", "subject", "before", "after", "why")


@dataclass(frozen=True, slots=True)
class NoteAct(Command):
    """Keep an act for whoever asks later who did what."""

    act: ActNoted

    op = "note_act"
    first_events = frozenset({EventType.ACT_NOTED})

    @classmethod
    def parse(cls, args: Mapping[str, Any]) -> Self:
        read = Args(cls.op, args)
        texts = {name: (read.maybe_text(name) or "")[:MAX_CHARACTERS] for name in TEXTS}
        count = int(read.number("count", 1, MAX_COUNT))
        return cls(read.id(), ActNoted(read.text("action")[:MAX_CHARACTERS], **texts, count=count))

    def decide(self, state: State, plans: Plans) -> list[EventData]:
        return [self.act]

    def answer(self, state: State, plans: Plans, events: Sequence[Event]) -> dict[str, int]:
        return {"seq": events[0].seq}
