"""`download.fulltext`: the PDF at the address that the source's record names as `pdf_url`."""

from urllib.parse import urlsplit

from pydantic import Field

from medkg_lab.models.submission import Payload
from medkg_lab.sources import sniff
from medkg_lab.sources.adapter import accept
from medkg_lab.sources.errors import NoPdfAddress, NotAPdf
from medkg_lab.sources.exchanges import without_secrets
from medkg_lab.stages.contracts import Lane, StageContext, StageType
from medkg_lab.stages.registry import Implementation, Options, Resources


class DownloadOptions(Options):
    """How much one download may cost."""

    timeout_seconds: float = Field(default=120.0, gt=0, description="Seconds that one download may take.")
    max_bytes: int = Field(default=200 * 1024 * 1024, gt=0, description="Size in bytes of the largest PDF accepted.")


class FulltextDownload:
    """Fetches PDFs; a payload that is one already passes unchanged."""

    def __init__(self, options: DownloadOptions) -> None:
        self._options = options

    async def execute(self, context: StageContext, item: Payload) -> Payload:
        """The PDF's payload; the record it came from stays named in `metadata.record`.

        Raises NoPdfAddress, NotAPdf, NotFound, RequestRefused, AnswerTooBig, and what Outside raises.
        """
        if item.media_type == sniff.PDF:
            return item
        address = item.metadata.get("pdf_url")
        if not isinstance(address, str) or not address:
            raise NoPdfAddress(key=item.key)
        answer = await context.http.request_async(
            "GET",
            address,
            headers={"accept": sniff.PDF},
            timeout=self._options.timeout_seconds,
            max_bytes=self._options.max_bytes,
        )
        accept(answer, urlsplit(answer.url).netloc, f"the PDF of {item.key}")
        if not sniff.is_pdf(answer.body):
            given = answer.headers.get("content-type", "").partition(";")[0] or sniff.media_type(answer.body)
            raise NotAPdf(url=without_secrets(address), key=item.key, media_type=given)
        return Payload(
            sha256=context.store(answer.body),
            media_type=sniff.PDF,
            size=len(answer.body),
            name=f"{item.key.replace('/', '_')}.pdf",
            source=item.source,
            key=item.key,
            url=without_secrets(answer.url),
            metadata={**item.metadata, "record": item.sha256},
        )


def build(_: Resources, options: DownloadOptions) -> FulltextDownload:
    """Make the stage."""
    return FulltextDownload(options)


FULLTEXT = Implementation(
    name="download.fulltext",
    stage_type=StageType.DOWNLOAD,
    summary="The PDF that a record of Unpaywall, CORE or PubMed Central points to.",
    build=build,
    options=DownloadOptions,
    lane=Lane.NETWORK,
)
