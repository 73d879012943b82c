"""PubMed: records with abstracts, by NCBI's E-utilities and as files of the baseline and update sets.

The format is NLM's PubMed XML (https://www.nlm.nih.gov/bsd/licensee/elements_descriptions.html): a `PubmedArticleSet` of
`PubmedArticle` and `PubmedBookArticle`.
"""

from collections.abc import Iterator

from lxml import etree

from medkg_lab.models.identifiers import Scheme, parse
from medkg_lab.models.submission import Payload, Submission
from medkg_lab.sources.adapter import SourceSettings
from medkg_lab.sources.entrez import Entrez
from medkg_lab.sources.errors import BadAnswer, BadKey, NotFound
from medkg_lab.sources.exchanges import without_secrets
from medkg_lab.stages.contracts import StageContext
from medkg_lab.xml_source import NotXml, local_name, parse_xml, text_of

MEDIA_TYPE = "application/xml"
RECORD_SET = "PubmedArticleSet"
RECORDS = ("PubmedArticle", "PubmedBookArticle")


class Pubmed:
    """The source `pubmed`: a record's XML by `efetch`, ids for a query by `esearch`."""

    name = "pubmed"
    base_url = "https://eutils.ncbi.nlm.nih.gov/entrez/eutils"

    def __init__(self, settings: SourceSettings) -> None:
        self._entrez = Entrez(self.name, self.base_url, settings)

    async def fetch(self, context: StageContext, key: str) -> Payload:
        """The record with its abstract. Raises BadKey, NotFound, BadAnswer, and what Service.get raises."""
        asked = parse(key)
        if asked is None or asked.scheme is not Scheme.PMID:
            raise BadKey(key=key, source=self.name, detail="a PubMed id is a number of up to eight digits")
        answer = await self._entrez.fetch(context, "pubmed", asked.value)
        self._require_record(answer.body, key)
        return Payload(
            sha256=context.store(answer.body),
            media_type=MEDIA_TYPE,
            size=len(answer.body),
            name=f"{asked.value}.pubmed.xml",
            source=self.name,
            key=key,
            url=without_secrets(answer.url),
        )

    async def search(self, context: StageContext, query: Submission) -> tuple[Submission, ...]:
        """The PubMed ids that match the query. Raises BadAnswer, and what Service.get raises."""
        return await self._entrez.search(context, "pubmed", query)

    def _require_record(self, body: bytes, key: str) -> None:
        try:
            root = parse_xml(body)
        except NotXml as error:
            raise BadAnswer(host=self._entrez.host, detail=f"not XML: {error}") from None
        if local_name(root) != RECORD_SET:
            raise BadAnswer(host=self._entrez.host, detail=f"not a record but {local_name(root)}")
        if not any(local_name(child) in RECORDS for child in root):
            raise NotFound(host=self._entrez.host, what=key)


def record_key(record: etree._Element) -> str:
    """The PubMed id of one record, or an empty string."""
    found = record.find("{*}MedlineCitation/{*}PMID")
    if found is None:
        found = record.find("{*}BookDocument/{*}PMID")
    one = parse(text_of(found))
    return one.value if one is not None and one.scheme is Scheme.PMID else ""


def split_records(root: etree._Element) -> Iterator[tuple[bytes, str]]:
    """Each record of a set as a set of its own, with its PubMed id or an empty string."""
    for record in list(root):
        if local_name(record) in RECORDS:
            key = record_key(record)
            alone = etree.Element(RECORD_SET)
            alone.append(record)
            yield bytes(etree.tostring(alone, encoding="UTF-8", xml_declaration=True)), key
