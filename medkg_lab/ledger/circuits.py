"""The ops by which processes share circuit breakers and rate limits."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from medkg_lab import rpc
from medkg_lab.ledger.answers import CircuitRow
from medkg_lab.ledger.commands.breakers import BreakerProbe, BreakerReport, describe_circuit
from medkg_lab.ledger.commands.command import Args
from medkg_lab.ledger.core import Core, Request
from medkg_lab.ledger.rates import Rates, Spent
from medkg_lab.ledger.state import Circuit
from medkg_lab.ledger.writer_bridge import Bridge
from medkg_lab.models.circuits import CircuitState, RateLease

MAX_RATE_PER_SECOND = 1_000_000.0
MAX_WANT = 10_000


class Circuits:
    """Answers for one ledger."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge
        self._rates = Rates(bridge.clock)

    def handlers(self) -> Mapping[str, rpc.Handler]:
        """The ops by name."""
        return {
            "breaker_report": self.report,
            "breaker_probe": self.probe,
            "breakers": self.breakers,
            "rate_lease": self.rate_lease,
            "rates": self.rates,
        }

    async def report(self, args: rpc.Arguments) -> Any:
        """Count what a call came to, and open or close its circuit if that follows."""
        report = BreakerReport.parse(args)
        failures = await self._bridge.do(read_state=lambda core: core.failure_counts.note(report, core.state))
        command = replace(report, failures=failures, at=self._bridge.now())
        return await self._bridge.do(Request(command, bool(args.get("resend"))))

    async def probe(self, args: rpc.Arguments) -> Any:
        """Grant the one probe, if its time has come."""
        command = replace(BreakerProbe.parse(args), at=self._bridge.now())
        return await self._bridge.do(Request(command, bool(args.get("resend"))))

    async def breakers(self, args: rpc.Arguments) -> Any:
        """All circuits that have ever opened, and those with failures in a row."""

        def evaluate(core: Core) -> list[CircuitRow]:
            known = dict(core.state.breakers)
            for place, failures in core.failure_counts.counts().items():
                last = known.get(place)
                if last is None or last.state is CircuitState.CLOSED:
                    opened_at = last.opened_at if last else None
                    known[place] = Circuit(*place, CircuitState.CLOSED, failures, opened_at)
            return [describe_circuit(circuit) for _, circuit in sorted(known.items())]

        return await self._bridge.do(read_state=evaluate)

    async def rate_lease(self, args: rpc.Arguments) -> RateLease:
        """Calls that may be made now, of all that processes share."""
        read = Args("rate_lease", args)
        rate, want = read.number("rate_per_s", 1e-6, MAX_RATE_PER_SECOND), int(read.number("want", 1, MAX_WANT))
        granted, wait_s = self._rates.lease(read.text("policy"), read.text("key"), rate, want)
        return RateLease(granted=granted, wait_s=wait_s)

    async def rates(self, args: rpc.Arguments) -> list[Spent]:
        """The rate limits that somebody waits for now."""
        return self._rates.spent()
