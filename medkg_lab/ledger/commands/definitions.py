"""Registering topologies, policies and profiles: each version is kept for ever."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from pydantic import ValidationError

from medkg_lab.ledger.answers import Registered
from medkg_lab.ledger.commands.command import Args, Command
from medkg_lab.ledger.errors import DefinitionConflict, MalformedCommand
from medkg_lab.ledger.plans import Plans, plan_of
from medkg_lab.ledger.state import Definition, State
from medkg_lab.models.events import DefinitionRegistered, Event, EventData, EventType

KINDS = ("topology", "policies", "profile")
MAX_CONTENT_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Register(Command):
    """Make a version of a definition known; the same version again changes nothing."""

    kind: str
    name: str
    version: str
    content: str

    op = "register"
    first_events = frozenset({EventType.DEFINITION_REGISTERED})

    @classmethod
    def parse(cls, args: Mapping[str, object]) -> Self:
        read = Args(cls.op, args)
        command = cls(read.id(), read.text("kind"), read.text("name"), read.text("version"), read.text("content"))
        if command.kind not in KINDS:
            raise read.wrong(f"kind must be one of {', '.join(KINDS)}, not {command.kind!r:.80}")
        if len(command.content) > MAX_CONTENT_BYTES:
            raise read.wrong(f"content is longer than {MAX_CONTENT_BYTES} characters")
        return command

    def decide(self, state: State, plans: Plans) -> list[EventData]:
        definition = Definition(self.kind, self.name, self.version, self.content, 0)
        known = state.definitions.get((self.kind, self.name, self.version))
        if known is not None:
            if known.content != self.content:
                raise DefinitionConflict(kind=self.kind, name=self.name, version=self.version)
            return []
        if self.kind == "topology":
            _check(definition)
        return [DefinitionRegistered(self.kind, self.name, self.version, self.content)]

    def answer(self, state: State, plans: Plans, events: Sequence[Event]) -> Registered:
        return Registered(new=bool(events))


def _check(definition: Definition) -> None:
    try:
        plan_of(definition, offline=False)
    except ValidationError as error:
        raise MalformedCommand(op="register", detail=f"topology {definition.name}: {error}") from None
