"""Who asks Dagster's pages, carried from the guard to where a run is started or ended, and to what the pages allow."""

from contextvars import ContextVar
from typing import Any

from medkg_lab.guard.caller import Caller, Scope
from medkg_lab.orchestration.compat import WorkspaceProcessContext, WorkspaceRequestContext

OWNER = "dagster"
"""Who acts when the lab's own user does it on the pages, by session or by the lab's token."""
CALLER = "medkg_lab.caller"
"""Where a request's ASGI scope holds the Caller of a JSON Web Token."""
_acting: ContextVar[str] = ContextVar("acting", default=OWNER)


def acting() -> str:
    """The name to record with what is done now."""
    return _acting.get()


def act_for(caller: Caller | None) -> None:
    """Have what this request does recorded with the caller's name."""
    _acting.set(OWNER if caller is None else caller.subject)


class LabProcessContext(WorkspaceProcessContext):
    """The workspace of the pages, read-only for a request whose caller may only read."""

    def create_request_context(self, source: object | None = None) -> WorkspaceRequestContext:
        """The context of one request; `source` is its connection. A connection without a known caller is the owner's."""
        caller = _caller(source)
        return WorkspaceRequestContext(
            instance=self.instance,
            current_workspace=self.get_current_workspace(),
            process_context=self,
            version=self.version,
            source=source,
            read_only=caller is not None and not caller.may(Scope.WRITE),
        )


def _caller(source: object | None) -> Caller | None:
    scope: Any = getattr(source, "scope", None)
    found = scope.get(CALLER) if scope is not None else None
    assert found is None or isinstance(found, Caller), "only the guard writes it"
    return found
