"""How many calls in a row have failed while their circuit was closed. Not in the log: only what follows from it is."""

from collections import OrderedDict

from medkg_lab.ledger.commands.breakers import BreakerReport
from medkg_lab.ledger.state import State
from medkg_lab.models.circuits import CircuitState

REMEMBERED = 10_000
"""Reports by id, so that one that is sent again does not count twice."""


class FailureCounts:
    """Counts for all circuits; for one thread. A restart forgets them: the next failures are counted anew."""

    def __init__(self) -> None:
        self._failures: dict[tuple[str, str], int] = {}
        self._seen: OrderedDict[str, None] = OrderedDict()

    def note(self, report: BreakerReport, state: State) -> int:
        """Count a report and return the failures in a row."""
        place = report.policy, report.key
        circuit = state.breakers.get(place)
        if report.outcome == "success" or (circuit is not None and circuit.state is not CircuitState.CLOSED):
            self._failures.pop(place, None)
        elif report.outcome == "failure" and report.id not in self._seen:
            self._failures[place] = self._failures.get(place, 0) + 1
            self._seen[report.id] = None
            if len(self._seen) > REMEMBERED:
                self._seen.popitem(last=False)
        return self._failures.get(place, 0)

    def counts(self) -> dict[tuple[str, str], int]:
        """The failures in a row by policy and key, where there are any."""
        return dict(self._failures)
