"""Which commands were carried out lately, and which events they made: what a repeated command is answered from."""

from collections import OrderedDict
from collections.abc import Iterable

from medkg_lab.models.events import Event, command_of

SIZE_EVENTS = 50_000


class Window:
    """The last commands by id. `start` is the number of the first event that it is complete from."""

    def __init__(self, ids: Iterable[tuple[int, str]] = (), size: int = SIZE_EVENTS) -> None:
        self._spans: OrderedDict[str, tuple[int, int]] = OrderedDict()
        self._size = size
        self.start = 1
        for place, (seq, event_id) in enumerate(ids):
            if place == 0:
                self.start = seq
            command = command_of(event_id)
            first, _ = self._spans.get(command, (seq, seq))
            self._spans[command] = (first, seq)

    def __len__(self) -> int:
        return len(self._spans)

    def add(self, command_id: str, events: list[Event]) -> None:
        """Remember the events of a command."""
        self._spans[command_id] = (events[0].seq, events[-1].seq)
        while len(self._spans) > self._size:
            _, (_, last) = self._spans.popitem(last=False)
            self.start = last + 1

    def span(self, command_id: str) -> range | None:
        """The numbers of the events that a command made, if it is known."""
        span = self._spans.get(command_id)
        return None if span is None else range(span[0], span[1] + 1)

    @property
    def complete(self) -> bool:
        """Whether it knows every command there ever was."""
        return self.start <= 1
