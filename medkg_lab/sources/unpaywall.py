"""Unpaywall (https://unpaywall.org/products/api): where an open copy of a DOI's article lies."""

import re
from urllib.parse import quote

from medkg_lab.models.submission import Payload, Submission
from medkg_lab.sources.adapter import Service, SourceSettings
from medkg_lab.sources.errors import BadAnswer, BadKey, NoOpenCopy, QueryNotSupported
from medkg_lab.stages.contracts import StageContext

_DOI = re.compile(r"10\.\d{4,9}/\S+")


class Unpaywall:
    """The source `unpaywall`: `GET /{doi}?email=...`; the service wants its users' e-mail address."""

    name = "unpaywall"
    base_url = "https://api.unpaywall.org/v2"

    def __init__(self, settings: SourceSettings) -> None:
        self._service = Service(self.name, self.base_url, settings)

    async def fetch(self, context: StageContext, key: str) -> Payload:
        """The DOI's record, with the address of its best open PDF as `pdf_url`.

        Raises BadKey, SourceNotConfigured, NoOpenCopy, BadAnswer, and what Service.get raises.
        """
        doi = key.lower()
        if not _DOI.fullmatch(doi):
            raise BadKey(key=key, source=self.name, detail="a DOI looks like 10.1234/name")
        email = self._service.required("email", "the service wants to know whom to write to")
        answer = await self._service.get(context, quote(doi, safe="/"), {"email": email}, doi)
        location = self._best(self._service.json(answer), doi)
        return Payload(
            sha256=context.store(answer.body),
            media_type="application/json",
            size=len(answer.body),
            name=f"{doi.replace('/', '_')}.unpaywall.json",
            source=self.name,
            key=key,
            url=f"{self._service.base_url}/{quote(doi, safe='/')}",
            metadata=location,
        )

    async def search(self, context: StageContext, query: Submission) -> tuple[Submission, ...]:
        """Raises QueryNotSupported: the service knows DOIs only."""
        raise QueryNotSupported(source=self.name)

    def _best(self, record: dict[str, object], doi: str) -> dict[str, str]:
        others = record.get("oa_locations") or []
        if "is_oa" not in record or not isinstance(others, list):
            raise BadAnswer(host=self._service.host, detail="the record does not say whether there is an open copy")
        for location in [record.get("best_oa_location"), *others]:
            if isinstance(location, dict) and isinstance(location.get("url_for_pdf"), str):
                described = {name: str(location.get(name) or "") for name in ("license", "version", "host_type")}
                return {"pdf_url": location["url_for_pdf"], "doi": doi, **described}
        raise NoOpenCopy(host=self._service.host, key=doi)
