"""What can go wrong with what extraction works by."""

from typing import ClassVar

from medkg_lab import exit_codes
from medkg_lab.errors import LabError, ServiceError


class VocabularyMissing(LabError):
    """There is no vocabulary of version {version!r} at {path}. Import it with `medkg-lab mesh import`, or set `vocabulary:
    bundled` in the profile's extract options."""

    exit_code: ClassVar[int] = exit_codes.NO_RESTART


class VocabularyDamaged(LabError):
    """The vocabulary {path} is not what was imported: its content does not have the version that its name says. Import it again
    with `medkg-lab mesh import`."""

    exit_code: ClassVar[int] = exit_codes.NO_RESTART


class _LlmError(ServiceError):
    """The language model's endpoint {url} is of no use: {detail}."""

    failure_kind: ClassVar[str] = "gpu_unavailable"
    """Without its endpoint the stage has no GPU, and nothing else takes its place."""


class LlmDown(_LlmError):
    """The language model's endpoint {url} did not answer: {detail}. Start the server that the profile names, or fix
    `base_url`."""


class LlmFailed(_LlmError):
    """The language model's endpoint {url} answered with an error: {detail}. Its own log says why."""


class LlmUnusable(_LlmError):
    """The language model behind {url} gave no usable claims for {chunk}: {detail}. Raise `max_tokens`, or choose a model that
    follows a JSON schema."""


class LlmOutOfMemory(ServiceError):
    """The GPU behind {url} ran out of memory: {detail}. Give its server a larger share of the GPU."""

    failure_kind: ClassVar[str] = "gpu_oom"
