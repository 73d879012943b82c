"""The ID converter of PubMed Central: under which id a source gives the full text of what a DOI or a PubMed id names.

PMC ID Converter API: https://pmc.ncbi.nlm.nih.gov/tools/id-converter-api/ . It knows the articles of PubMed Central only.
"""

from collections.abc import Mapping

from medkg_lab.models.identifiers import Identifier, Scheme, parse
from medkg_lab.models.submission import Payload, Submission
from medkg_lab.sources.adapter import Service, SourceSettings
from medkg_lab.sources.errors import BadAnswer, BadKey
from medkg_lab.stages.contracts import StageContext

TOOL = "medkg-lab"


class IdConverter:
    """The source `identifier`: a DOI or a PubMed id becomes a request to the source that gives most of its document.

    That is the article's JATS where PubMed Central has it, else a DOI's open PDF, else PubMed's abstract.
    """

    name = "identifier"
    base_url = "https://pmc.ncbi.nlm.nih.gov/tools/idconv/api/v1"

    def __init__(self, settings: SourceSettings) -> None:
        self._service = Service(self.name, self.base_url, settings)

    async def fetch(self, context: StageContext, key: str) -> Payload:
        """Raises BadKey: identifiers are looked up, and have no documents of their own."""
        raise BadKey(key=key, source=self.name, detail="submit it without --source")

    async def search(self, context: StageContext, query: Submission) -> tuple[Submission, ...]:
        """The one submission that the identifier stands for. Raises BadKey, BadAnswer, and what Service.get raises."""
        asked = parse(query.query or "")
        if asked is None or asked.scheme is Scheme.NCT:
            raise BadKey(key=query.query, source=self.name, detail="it looks up a DOI, a PubMed id or a PMC id")
        known = await self._known(context, asked)
        pmc, doi, pmid = (known.get(name, "") for name in ("pmcid", "doi", "pmid"))
        if asked.scheme is Scheme.DOI:
            doi = asked.value
        if asked.scheme is Scheme.PMID:
            pmid = asked.value
        if asked.scheme is Scheme.PMC:
            pmc = asked.value
        source, key = ("pmc", pmc) if pmc else ("unpaywall", doi) if doi else ("pubmed", pmid)
        return (query.model_copy(update={"source": source, "key": key, "query": None}),)

    async def _known(self, context: StageContext, asked: Identifier) -> dict[str, str]:
        """The ids of the article, by the converter's names, in their canonical form; empty when it has none."""
        params = {"ids": asked.value, "format": "json", "tool": TOOL}
        if self._service.settings.email:
            params["email"] = self._service.settings.email
        answer = self._service.json(await self._service.get(context, "articles/", params, asked.value))
        records = answer.get("records")
        if not isinstance(records, list):
            raise BadAnswer(host=self._service.host, detail="there is no list of records")
        record = records[0] if records and isinstance(records[0], dict) else {}
        return {} if record.get("status") == "error" else _identifiers(record)


def _identifiers(record: Mapping[str, object]) -> dict[str, str]:
    schemes = {"pmcid": Scheme.PMC, "doi": Scheme.DOI, "pmid": Scheme.PMID}
    found = {name: parse(str(record.get(name) or "")) for name in schemes}
    return {name: one.value for name, one in found.items() if one is not None and one.scheme is schemes[name]}
