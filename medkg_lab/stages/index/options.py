"""What a profile or topology may say about indexing."""

from pydantic import Field

from medkg_lab.stages.registry import Options


class VectorsOnGpu(Options):
    """Search by meaning on a GPU of this machine, through FAISS from the `gpu` extra."""

    device: int = Field(default=0, ge=0, le=63, description="The number of the GPU, as `nvidia-smi` shows it.")
    memory_mib: int = Field(
        default=1024, ge=1, description="Free GPU memory in MiB that must be there at the start, for the vectors."
    )


class IndexOptions(Options):
    """Where the knowledge process searches vectors. What it holds is the same either way."""

    vectors_on_gpu: VectorsOnGpu | None = Field(
        default=None, description="A GPU for the vectors; without it they are searched on the processor."
    )
