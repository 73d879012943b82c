"""`python -m medkg_lab.pdf --home DIR`: the process that turns PDFs into documents."""

from medkg_lab import process, settings
from medkg_lab.artifacts.store import ArtifactStore
from medkg_lab.broker.client import Consumer
from medkg_lab.broker.topics import Topics
from medkg_lab.ledger.client import LedgerClient
from medkg_lab.pdf.converter import Bounds, Converter, DocvortexConverter
from medkg_lab.pdf.loop import Loop
from medkg_lab.pdf.mineru import MineruConverter
from medkg_lab.pdf.worker import Worker
from medkg_lab.settings import PdfSettings
from medkg_lab.sources.outside import HttpOutside, trusted_hosts

GROUP = "medkg-pdf"


def converter_for(chosen: PdfSettings) -> Converter:
    """The converter that the settings name."""
    bounds = Bounds(chosen.timeout_seconds, chosen.memory_mib, chosen.max_bytes)
    if chosen.tool == "docvortex":
        return DocvortexConverter(bounds)
    outside = HttpOutside(trusted=trusted_hosts([chosen.base_url]))
    return MineruConverter(outside, chosen.base_url.rstrip("/"), chosen.tier, bounds)


def main() -> None:
    """Run until SIGTERM."""
    _, locations = process.arguments("pdf")
    chosen = settings.load(locations)
    stopping = process.Stopping()
    stopping.listen()
    consumer = Consumer(chosen.bootstrap(locations), GROUP, [Topics(chosen.broker.topic_prefix).pdf_requests])
    artifacts = ArtifactStore(locations.data / "artifacts", writer="pdf")
    worker = Worker(LedgerClient(locations.socket("ledger")), artifacts, converter_for(chosen.pdf))
    process.announce("pdf", tool=chosen.pdf.tool)
    try:
        Loop(consumer, worker, stopping).run()
    finally:
        artifacts.close()


if __name__ == "__main__":
    process.run("pdf", main)
