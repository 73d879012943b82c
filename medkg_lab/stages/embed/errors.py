"""What can go wrong while vectors are made."""

from typing import ClassVar

from medkg_lab import exit_codes
from medkg_lab.errors import LabError, ServiceError


class WeightsMissing(LabError):
    """The weights of {model} are not installed: the package {package} was not found. Install it with
    `pip install {package}` in the lab's environment, and retry the jobs."""

    exit_code: ClassVar[int] = exit_codes.NO_RESTART
    failure_kind: ClassVar[str] = "not_configured"


class WeightsDamaged(LabError):
    """{path} has sha256 {found}, but {expected} was expected, so its vectors could not be trusted. Install the package again with
    `pip install --force-reinstall --no-deps medkg-lab-minilm`."""

    exit_code: ClassVar[int] = exit_codes.NO_RESTART
    failure_kind: ClassVar[str] = "not_configured"


class ModelFolderBad(LabError):
    """The folder {path} cannot be added as a model: {detail}. It needs an ONNX graph or BERT's weights, tokenizer.json, and
    modules.json with 1_Pooling/config.json, as sentence-transformers saves them."""

    exit_code: ClassVar[int] = exit_codes.USAGE


class ModelUnusable(LabError):
    """The model {name} cannot be used: {detail}. Export it again as a sentence encoder with one graph, and add it anew."""

    failure_kind: ClassVar[str] = "not_configured"


class ModelNameBad(LabError):
    """{name!r} cannot be a model's name: letters, digits, `.`, `_` and `-` can, 64 at most. Give another one with `--name`."""

    exit_code: ClassVar[int] = exit_codes.USAGE


class ModelExists(LabError):
    """The lab has another model called {name}. Choose another name with `--name`, or remove that one with `medkg-lab models
    remove {name}`."""


class ModelNotFound(LabError):
    """The lab has no model called {name!r}; it has: {known}. Add one with `medkg-lab models add DIR --name NAME`."""

    failure_kind: ClassVar[str] = "not_configured"


class ModelDiffers(LabError):
    """The model called {name} is {found}, and {wanted} is what is needed: its files or its settings are others. Bring the right
    one with `medkg-lab models add DIR --name {name}`, after `medkg-lab models remove {name}`."""


class ModelDamaged(LabError):
    """The model {name} is not what was added: {detail}. Remove it with `medkg-lab models remove {name}` and add it again."""

    failure_kind: ClassVar[str] = "not_configured"


class _EndpointError(ServiceError):
    """The embedding endpoint {url} is of no use: {detail}."""

    failure_kind: ClassVar[str] = "gpu_unavailable"
    """Without its endpoint the stage has no GPU, and nothing else takes its place."""


class EndpointDown(_EndpointError):
    """The embedding endpoint {url} did not answer: {detail}. Start the server that the profile names, or fix `base_url`."""


class EndpointFailed(_EndpointError):
    """The embedding endpoint {url} answered with an error: {detail}. Its own log says why."""


class EndpointRefused(_EndpointError):
    """The embedding endpoint {url} refused the request: {detail}. Check `model` and the key in the profile's embed options."""


class EndpointWrongVectors(_EndpointError):
    """The embedding endpoint {url} gave vectors that cannot be used: {detail}. Check `model` and `dimension` in the profile."""


class GpuOutOfMemory(ServiceError):
    """The GPU behind {url} ran out of memory: {detail}. Give its server a larger share of the GPU, or set a smaller
    `batch_size`."""

    failure_kind: ClassVar[str] = "gpu_oom"


class _SpladeError(LabError):
    """The sparse model {model} cannot be used: {detail}."""

    failure_kind: ClassVar[str] = "gpu_unavailable"
    """Without its GPU or its package the stage ends its jobs, and nothing else takes its place."""


class SpladePackageMissing(_SpladeError):
    """The sparse model {model} needs sentence-transformers, which is not installed: {detail}. Fetch what the gpu profile needs
    with `pip install 'medkg-lab[gpu]'`, or take `sparse` out of the profile's embed options."""


class SpladeWithoutGpu(_SpladeError):
    """The sparse model {model} was to run on GPU {device}, but PyTorch found {found}. Check the driver with `nvidia-smi` and the
    number in `sparse.device`; it never runs on the processor instead."""


class SpladeUnloadable(_SpladeError):
    """The sparse model {model} could not be loaded: {detail}. Put it into a folder or into the local Hugging Face cache, and name
    that in `sparse.model`; nothing is downloaded at run time."""


class SpladeOutOfMemory(ServiceError):
    """GPU {device} ran out of memory in the sparse model {model}: {detail}. Set a smaller `sparse.batch_size`, or leave it more
    memory."""

    failure_kind: ClassVar[str] = "gpu_oom"
