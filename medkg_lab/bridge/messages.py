"""Requests as the lab itself puts them on the work queue: signed, so that they may name bytes that the lab keeps."""

from typing import NamedTuple

import orjson

from medkg_lab.models.submission import Submission
from medkg_lab.signing import Signer


class RequestMessage(NamedTuple):
    """A Kafka message."""

    key: bytes
    value: bytes
    headers: dict[str, bytes]


def request_message(submission: Submission, signer: Signer) -> RequestMessage:
    """The message that asks for `submission`."""
    value = orjson.dumps(submission.model_dump(mode="json", exclude_none=True))
    return RequestMessage(submission.doc_id.encode(), value, signer.headers(value))
