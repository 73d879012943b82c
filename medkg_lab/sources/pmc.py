"""PubMed Central: articles as JATS by NCBI's E-utilities, and PDFs by its open-access service.

E-utilities: https://www.ncbi.nlm.nih.gov/books/NBK25499/ ; OA service: https://pmc.ncbi.nlm.nih.gov/tools/oa-service/ . Both
can answer HTTP 200 with an error inside.
"""

import re

from lxml import etree

from medkg_lab.models.submission import Payload, Submission
from medkg_lab.sources import jats
from medkg_lab.sources.adapter import Service, SourceSettings
from medkg_lab.sources.entrez import Entrez
from medkg_lab.sources.errors import BadAnswer, BadKey, NoOpenCopy, NotFound, NotOpenAccess
from medkg_lab.sources.exchanges import without_secrets
from medkg_lab.stages.contracts import StageContext
from medkg_lab.xml_source import NotXml, local_name, parse_xml, text_of


class Pmc:
    """The source `pmc`: an article's JATS by `efetch`, ids for a query by `esearch`."""

    name = "pmc"
    base_url = "https://eutils.ncbi.nlm.nih.gov/entrez/eutils"

    def __init__(self, settings: SourceSettings) -> None:
        self._entrez = Entrez(self.name, self.base_url, settings)

    async def fetch(self, context: StageContext, key: str) -> Payload:
        """The article's JATS. Raises BadKey, NotFound, NotOpenAccess, BadAnswer, and what Service.get raises."""
        number = pmc_number(key, self.name)
        answer = await self._entrez.fetch(context, "pmc", number, key)
        article = _only_article(answer.body, key, self._entrez.host)
        return Payload(
            sha256=context.store(article),
            media_type=jats.MEDIA_TYPE,
            size=len(article),
            name=f"PMC{number}.nxml",
            source=self.name,
            key=key,
            url=without_secrets(answer.url),
        )

    async def search(self, context: StageContext, query: Submission) -> tuple[Submission, ...]:
        """The PMC ids that match the query. Raises BadAnswer, and what Service.get raises."""
        return await self._entrez.search(context, "pmc", query, prefix="PMC")


class PmcFulltext:
    """The source `pmc-fulltext`: the address of an open-access article's PDF, by the OA service."""

    name = "pmc-fulltext"
    base_url = "https://www.ncbi.nlm.nih.gov/pmc/utils/oa"
    asks = Pmc.name

    def __init__(self, settings: SourceSettings, articles: Pmc) -> None:
        self._service = Service(self.name, self.base_url, settings)
        self._articles = articles

    async def fetch(self, context: StageContext, key: str) -> Payload:
        """The OA record, with the PDF's address as `pdf_url`. Raises BadKey, NotOpenAccess, NoOpenCopy, BadAnswer."""
        number = pmc_number(key, self.name)
        answer = await self._service.get(context, "oa.fcgi", {"id": f"PMC{number}", "format": "pdf"}, key)
        root = _xml(answer.body, self._service.host)
        raise_embedded_error(root, key, self._service.host)
        links = [link.get("href", "") for link in root.iterfind(".//link[@format='pdf']")]
        if not links or not links[0]:
            raise NoOpenCopy(host=self._service.host, key=key)
        record = root.find(".//record")
        licence = record.get("license", "") if record is not None else ""
        return Payload(
            sha256=context.store(answer.body),
            media_type="application/xml",
            size=len(answer.body),
            name=f"PMC{number}.oa.xml",
            source=self.name,
            key=key,
            url=without_secrets(answer.url),
            # The service still gives ftp addresses; the same host serves the same paths over https.
            metadata={"pdf_url": re.sub(r"^ftp://", "https://", links[0]), "license": licence},
        )

    async def search(self, context: StageContext, query: Submission) -> tuple[Submission, ...]:
        """The PMC ids that match the query, as the source `pmc` finds them."""
        return await self._articles.search(context, query)


def pmc_number(key: str, source: str) -> str:
    """The digits of a PMC id, `PMC1234567` or `1234567`. Raises BadKey."""
    match = re.fullmatch(r"(?:PMC)?(\d{1,12})", key, re.IGNORECASE)
    if match is None:
        raise BadKey(key=key, source=source, detail="a PMC id is PMC and digits")
    return match.group(1)


def raise_embedded_error(root: etree._Element, key: str, host: str) -> None:
    """Raise what an answer says inside: NotOpenAccess, NotFound or BadAnswer; nothing when it is not an error.

    The shapes are `<OA><error code=...>`, `<errorBean><errMsg>`, `<eFetchResult><ERROR>`, and `<Reply error=...>` in a set.
    """
    reply = root.find("Reply[@error]")
    if reply is not None:
        raise NotFound(host=host, what=key)
    message = text_of(next(iter(root.xpath("/OA/error | /errorBean/errMsg | //ERROR")), None))  # type: ignore[arg-type]
    if "not open access" in message.lower():
        raise NotOpenAccess(key=key, host=host, detail=message)
    if message:
        raise BadAnswer(host=host, detail=message)
    if local_name(root) == "errorBean":
        raise BadAnswer(host=host, detail="an error without a message")


def _only_article(body: bytes, key: str, host: str) -> bytes:
    root = _xml(body, host)
    raise_embedded_error(root, key, host)
    if jats.is_article(root):
        return body
    if local_name(root) != jats.ARTICLE_SET:
        raise BadAnswer(host=host, detail=f"neither an article nor a set but {local_name(root)}")
    articles = list(jats.split_article_set(root))
    if not articles:
        raise NotFound(host=host, what=key)
    if len(articles) > 1 or not articles[0].recognised:
        raise BadAnswer(host=host, detail=f"not one article but {len(articles)} elements")
    return articles[0].data


def _xml(body: bytes, host: str) -> etree._Element:
    try:
        return parse_xml(body)
    except NotXml as error:
        raise BadAnswer(host=host, detail=f"not XML: {error}") from None
