"""What an error says about the service that was called, and whether another attempt may help."""

from medkg_lab.errors import LabError, ServiceError
from medkg_lab.resilience.errors import BreakerOpen, DeadlineExceeded

_OUTSIDE = (ServiceError, ConnectionError, TimeoutError)
_REFUSALS = (BreakerOpen, DeadlineExceeded)


def counts_against_service(error: BaseException) -> bool:
    """Whether a breaker counts the error: only what is surely the service's fault.

    A document's error says nothing about the service. Neither does an unknown error: one document that trips a bug would
    otherwise shut out all others.
    """
    return isinstance(error, _OUTSIDE) and not isinstance(error, _REFUSALS)


def worth_retrying(error: BaseException) -> bool:
    """Whether another attempt may help: with what counts against the service, and with errors that are not the lab's own.

    The lab's other errors (a bad document, a wrong option) stay what they are however often they are tried.
    """
    return counts_against_service(error) or (isinstance(error, Exception) and not isinstance(error, LabError))
