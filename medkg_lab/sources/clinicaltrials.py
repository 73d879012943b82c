"""ClinicalTrials.gov by its API v2 (https://clinicaltrials.gov/data-api/api): studies by NCT id and by query."""

from medkg_lab.models.submission import Payload, Submission
from medkg_lab.sources import studies
from medkg_lab.sources.adapter import Service, SourceSettings, found
from medkg_lab.sources.errors import BadAnswer, BadKey
from medkg_lab.stages.contracts import StageContext

_PAGE = 1000
"""Studies on one page at most, as the API allows."""


class ClinicalTrials:
    """The source `clinicaltrials`: `GET /studies/{nctId}`, and `GET /studies?query.term=...` page by page."""

    name = "clinicaltrials"
    base_url = "https://clinicaltrials.gov/api/v2"

    def __init__(self, settings: SourceSettings) -> None:
        self._service = Service(self.name, self.base_url, settings)

    async def fetch(self, context: StageContext, key: str) -> Payload:
        """The study's JSON record, as the API gives it. Raises BadKey, BadAnswer, and what Service.get raises."""
        if not studies.NCT_ID.fullmatch(key):
            raise BadKey(key=key, source=self.name, detail="an NCT id is NCT and eight digits")
        answer = await self._service.get(context, f"studies/{key}", {"format": "json"}, key)
        if not studies.is_study(self._service.json(answer)):
            raise BadAnswer(host=self._service.host, detail="the record has no protocolSection")
        return Payload(
            sha256=context.store(answer.body),
            media_type=studies.MEDIA_TYPE,
            size=len(answer.body),
            name=f"{key}.json",
            source=self.name,
            key=key,
            url=answer.url,
        )

    async def search(self, context: StageContext, query: Submission) -> tuple[Submission, ...]:
        """The NCT ids that match the query, in the API's order. Raises BadAnswer, and what Service.get raises."""
        keys: list[str] = []
        token, seen = "", {""}
        while len(keys) < query.limit:
            page = await self._page(context, query, min(_PAGE, query.limit - len(keys)), token)
            keys += self._keys(page)
            token = str(page.get("nextPageToken") or "")
            if token in seen:
                break
            seen.add(token)
        return found(query, keys)

    async def _page(self, context: StageContext, query: Submission, size: int, token: str) -> dict[str, object]:
        params = {"query.term": query.query or "", "fields": "NCTId", "pageSize": str(size), "format": "json"}
        if token:
            params["pageToken"] = token
        return self._service.json(await self._service.get(context, "studies", params, f"the query {query.query!r}"))

    def _keys(self, page: dict[str, object]) -> list[str]:
        items = page.get("studies")
        if not isinstance(items, list):
            raise BadAnswer(host=self._service.host, detail="the page has no list of studies")
        return [key for item in items if studies.is_study(item) and (key := studies.study_key(item))]
