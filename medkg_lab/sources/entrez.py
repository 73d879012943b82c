"""NCBI's E-utilities (https://www.ncbi.nlm.nih.gov/books/NBK25499/): records by number, and numbers for a query."""

from medkg_lab.models.submission import Submission
from medkg_lab.sources.adapter import Service, SourceSettings, found
from medkg_lab.sources.errors import BadAnswer
from medkg_lab.stages.contracts import HttpAnswer, StageContext

TOOL = "medkg-lab"
_PAGE = 500
"""Ids asked for at once."""


class Entrez:
    """The E-utilities as the source `name` asks them; both ways can answer HTTP 200 with an error inside."""

    def __init__(self, name: str, base_url: str, settings: SourceSettings) -> None:
        self._service = Service(name, base_url, settings)

    @property
    def host(self) -> str:
        """The host that messages name."""
        return self._service.host

    async def fetch(self, context: StageContext, database: str, number: str, what: str = "") -> HttpAnswer:
        """The XML that `efetch` gives for one number; `what` names it in messages. Raises what Service.get raises."""
        params = {"db": database, "id": number, "retmode": "xml"} | self._identity()
        return await self._service.get(context, "efetch.fcgi", params, what or number)

    async def search(
        self, context: StageContext, database: str, query: Submission, prefix: str = ""
    ) -> tuple[Submission, ...]:
        """A submission for each number that `esearch` finds, behind `prefix`. Raises BadAnswer, and what Service.get raises."""
        keys: list[str] = []
        while len(keys) < query.limit:
            page = await self._page(context, database, query, len(keys), min(_PAGE, query.limit - len(keys)))
            keys += [f"{prefix}{number}" for number in page]
            if not page:
                break
        return found(query, keys)

    async def _page(self, context: StageContext, database: str, query: Submission, start: int, size: int) -> list[str]:
        params = {
            "db": database,
            "term": query.query or "",
            "retstart": str(start),
            "retmax": str(size),
            "retmode": "json",
        }
        answer = await self._service.get(
            context, "esearch.fcgi", params | self._identity(), f"the query {query.query!r}"
        )
        result = self._service.json(answer).get("esearchresult")
        ids = result.get("idlist") if isinstance(result, dict) else None
        if not isinstance(result, dict) or not isinstance(ids, list):
            reason = result.get("ERROR") if isinstance(result, dict) else None
            raise BadAnswer(host=self._service.host, detail=f"no list of ids ({reason or 'no reason given'})")
        return [number for number in ids if isinstance(number, str) and number.isdigit()]

    def _identity(self) -> dict[str, str]:
        settings = self._service.settings
        given = {"email": settings.email, "api_key": settings.api_key}
        return {"tool": TOOL} | {name: value for name, value in given.items() if value}
