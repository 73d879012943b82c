"""CORE (https://api.core.ac.uk/docs/v3): works of open-access repositories by id and by query."""

from medkg_lab.models.submission import Payload, Submission
from medkg_lab.sources.adapter import Service, SourceSettings, found
from medkg_lab.sources.errors import BadAnswer, BadKey, NoOpenCopy
from medkg_lab.stages.contracts import StageContext

_PAGE = 100
"""Works on one page at most, as the API allows."""


class Core:
    """The source `core`: `GET /works/{id}`, and `GET /search/works?q=...` page by page; a key raises the service's limits."""

    name = "core"
    base_url = "https://api.core.ac.uk/v3"

    def __init__(self, settings: SourceSettings) -> None:
        self._service = Service(self.name, self.base_url, settings)

    async def fetch(self, context: StageContext, key: str) -> Payload:
        """The work's record, with the address of its PDF as `pdf_url`.

        Raises BadKey, NoOpenCopy, BadAnswer, and what Service.get raises.
        """
        if not (key.isascii() and key.isdigit()):
            raise BadKey(key=key, source=self.name, detail="a CORE id is a number")
        answer = await self._service.get(context, f"works/{key}", {}, key, self._headers())
        work = self._service.json(answer)
        address = work.get("downloadUrl")
        if not isinstance(address, str) or not address:
            raise NoOpenCopy(host=self._service.host, key=key)
        described = {name: str(work.get(name) or "") for name in ("doi", "title")}
        return Payload(
            sha256=context.store(answer.body),
            media_type="application/json",
            size=len(answer.body),
            name=f"{key}.core.json",
            source=self.name,
            key=key,
            url=answer.url,
            metadata={"pdf_url": address, **described},
        )

    async def search(self, context: StageContext, query: Submission) -> tuple[Submission, ...]:
        """The ids of works with a full text that match the query. Raises BadAnswer, and what Service.get raises."""
        keys: list[str] = []
        offset = 0
        while len(keys) < query.limit:
            page = await self._page(context, query, offset)
            keys += [str(work["id"]) for work in page if work.get("downloadUrl") and work.get("id") is not None]
            offset += len(page)
            if len(page) < _PAGE:
                break
        return found(query, keys)

    async def _page(self, context: StageContext, query: Submission, offset: int) -> list[dict[str, object]]:
        params = {"q": query.query or "", "limit": str(_PAGE), "offset": str(offset)}
        what = f"the query {query.query!r}"
        answer = await self._service.get(context, "search/works", params, what, self._headers())
        results = self._service.json(answer).get("results")
        if not isinstance(results, list):
            raise BadAnswer(host=self._service.host, detail="the page has no list of results")
        return [work for work in results if isinstance(work, dict)]

    def _headers(self) -> dict[str, str]:
        key = self._service.settings.api_key
        return {"authorization": f"Bearer {key}"} if key else {}
