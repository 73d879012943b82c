"""`python -m medkg_lab.broker.redpanda --home DIR`: Redpanda as the lab's broker process."""

from medkg_lab import ports, process, settings
from medkg_lab.broker.redpanda.engine import redpanda_engine
from medkg_lab.broker.redpanda.process import RedpandaProcess


def main() -> None:
    """Run Redpanda until SIGTERM. Raises LabError."""
    _, locations = process.arguments("broker")
    chosen = settings.load(locations)
    engine = redpanda_engine(locations, chosen)
    stopping = process.Stopping()
    stopping.listen()
    facts = engine.note_installation()
    running = RedpandaProcess(engine.plan, engine.installation(), locations.state / ports.REDPANDA_PORTS)
    try:
        running.wait_ready(chosen.broker.redpanda_start_seconds, stopping)
        if not stopping():
            process.announce("broker", running.answers, engine="redpanda", port=engine.plan.kafka, **facts)
        running.watch(stopping)
    finally:
        running.end()


if __name__ == "__main__":
    process.run("broker", main)
