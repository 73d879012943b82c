"""The doctor says what a profile lacks and how to get it, by trying it."""

from pathlib import Path

from medkg_lab import settings
from medkg_lab.lab.doctor import Finding, examine
from medkg_lab.locations import locate
from medkg_lab.stages.embed import own_models
from medkg_lab.stages.embed.own_models import EncoderSettings
from tests.unit.embed.fake_endpoint import answer, failure, models, serving
from tests.unit.extract.test_extract_llm import claims


def examined(home: Path, chosen: str, profile: str = "") -> dict[str, Finding]:
    config = home / "config"
    (config / "profiles").mkdir(parents=True)
    (config / "settings.yaml").write_text(chosen)
    if profile:
        (config / "profiles" / "own.yaml").write_text(profile)
    locations = locate(home)
    return {one.name: one for one in examine(locations, settings.load(locations))}


def own(url: str) -> str:
    bundled = Path(__file__).parents[3] / "bundled_pipelines" / "profiles" / "gpu.yaml"
    text = bundled.read_text().replace("name: gpu", "name: own")
    return text.replace("http://127.0.0.1:8000/v1", url).replace("dimension: 1024", "dimension: 4")


def test_the_cpu_profile_has_all_it_needs(tmp_path: Path) -> None:
    found = examined(tmp_path, "profile: cpu\n")
    assert [one.name for one in found.values() if not one.ok] == []
    assert found["MiniLM weights"].found == "there, with the right hash"


def test_a_working_endpoint_passes_and_a_server_that_is_down_is_named(tmp_path: Path) -> None:
    with serving() as endpoint:
        found = examined(tmp_path, "profile: own\n", own(endpoint.url))
    assert found["embedding endpoint"].ok, found["embedding endpoint"]
    assert not found["MinerU server"].ok
    assert "127.0.0.1" in found["MinerU server"].remedy


def test_a_wrong_dimension_is_found(tmp_path: Path) -> None:
    with serving() as endpoint:
        endpoint.respond = lambda _: answer([[1.0, 2.0]])
        found = examined(tmp_path, "profile: own\n", own(endpoint.url))
    assert found["embedding endpoint"].found == "EndpointWrongVectors"
    assert "instead of 4" in found["embedding endpoint"].remedy


def language_model(url: str) -> str:
    return own("http://127.0.0.1:9/v1").replace("http://127.0.0.1:8001/v1", url)


def test_a_working_language_model_reads_a_sentence(tmp_path: Path) -> None:
    with serving() as endpoint:
        endpoint.listed = models("Qwen/Qwen3-4B-Instruct-2507")
        endpoint.respond = lambda _: claims()
        found = examined(tmp_path, "profile: own\n", language_model(endpoint.url))["language model endpoint"]
        assert found.ok, found
        assert endpoint.requests[0]["model"] == "Qwen/Qwen3-4B-Instruct-2507"


def test_a_language_model_that_is_not_served_or_has_no_memory_is_found(tmp_path: Path) -> None:
    with serving() as endpoint:
        found = examined(tmp_path / "a", "profile: own\n", language_model(endpoint.url))["language model endpoint"]
        assert "it serves m, and the profile asks for Qwen/Qwen3-4B" in found.remedy
        endpoint.listed = models("Qwen/Qwen3-4B-Instruct-2507")
        endpoint.respond = failure(500, "CUDA out of memory")
        found = examined(tmp_path / "b", "profile: own\n", language_model(endpoint.url))["language model endpoint"]
        assert (found.ok, found.found) == (False, "LlmOutOfMemory")


def test_every_part_of_the_gpu_profile_is_tested_and_named(tmp_path: Path) -> None:
    found = examined(tmp_path, "profile: gpu\n")
    assert {name for name, one in found.items() if "GPU for" in name} == {
        "GPU for openai.embedder",
        "GPU for openai.embedder (0)",
        "GPU for extract.llm",
        "GPU for knowledge.index (0)",
    }
    for name in (
        "vectors on the GPU",
        "sparse model",
        "server embedding",
        "server language-model",
        "server mineru",
        "MinerU server",
    ):
        assert found[name].ok or found[name].remedy
    assert found["vector index"].ok


def test_models_of_the_users_own_are_checked_and_a_missing_one_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "models"
    how = EncoderSettings(pooling="mean", dimension=3, max_tokens=8, output="last_hidden_state")
    for name in ("whole", "broken"):
        own_models.add(folder, name, how, b"graph", b"tokenizer")
    (folder / "broken" / "model.onnx").write_bytes(b"another")
    bundled = (Path(__file__).parents[3] / "bundled_pipelines" / "profiles" / "cpu.yaml").read_text()
    profile = bundled.replace("name: cpu", "name: own").replace(
        "implementation: minilm.onnx", "implementation: onnx.encoder\n    with: {model: absent}"
    )
    found = examined(tmp_path, "profile: own\n", profile)
    assert found["model whole"].ok
    assert "3 dimensions" in found["model whole"].found
    assert (found["model broken"].found, found["model absent"].found) == ("ModelDamaged", "ModelNotFound")
    assert "models remove broken" in found["model broken"].remedy
