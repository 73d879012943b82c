"""`python -m medkg_lab.pdf --home DIR`: the process that turns PDFs into documents."""

from medkg_lab import process, settings
from medkg_lab.artifacts.recording import Recording
from medkg_lab.artifacts.store import ArtifactStore
from medkg_lab.broker.client import Consumer, Producer
from medkg_lab.broker.engine import broker_address
from medkg_lab.broker.topics import Topics
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.locations import Locations
from medkg_lab.pdf.converter import Bounds, Converter, DocvortexConverter
from medkg_lab.pdf.loop import Loop
from medkg_lab.pdf.mineru import MineruConverter
from medkg_lab.pdf.recorded_http import Exchanges, recorded
from medkg_lab.pdf.request_consumer import RequestConsumer
from medkg_lab.pdf.worker import Worker
from medkg_lab.settings import Settings
from medkg_lab.sources.http_client import trusted_hosts

GROUP = "medkg-pdf"


def converter_for(chosen: Settings, locations: Locations) -> tuple[Converter, Exchanges]:
    """The converter that the settings name, and the record of what it exchanges with its server."""
    pdf, limits = chosen.pdf, chosen.recording
    bounds = Bounds(pdf.timeout_seconds, pdf.memory_mib, pdf.max_bytes, pdf.ocr_pages)
    if pdf.tool == "docvortex":
        return DocvortexConverter(bounds), Exchanges()
    recording = Recording(locations.data, "pdf", limits) if limits.enabled else None
    exchanges = recorded(trusted_hosts([pdf.base_url]), recording, limits)
    assert exchanges.http is not None, "a recorded outside is there"
    return MineruConverter(exchanges.http, pdf.base_url.rstrip("/"), pdf.tier, bounds), exchanges


def main() -> None:
    """Run until SIGTERM."""
    _, locations = process.arguments("pdf")
    chosen = settings.load(locations)
    stopping = process.Stopping()
    stopping.listen()
    bootstrap, topics = broker_address(chosen, locations), Topics(chosen.broker.topic_prefix)
    consumer = Consumer(bootstrap, GROUP, [topics.pdf_requests])
    artifacts = ArtifactStore(locations.data / "artifacts", writer="pdf")
    converter, exchanges = converter_for(chosen, locations)
    ledger = LedgerClient(locations.socket("ledger"))
    wakeups = RequestConsumer(consumer, Producer(bootstrap), topics.deadletter, ledger, artifacts)
    worker = Worker(ledger, artifacts, converter, exchanges)
    process.announce("pdf", tool=chosen.pdf.tool)
    try:
        Loop(wakeups, worker, stopping).run()
    finally:
        artifacts.close()


if __name__ == "__main__":
    process.run("pdf", main)
