"""Build the packages: medkg-lab as sdist and wheel, and the wheel of the weights, whose files come from the environment's own.

python scripts/build_packages.py FOLDER        called by scripts/build
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from medkg_lab.stages.embed import weights

ROOT = Path(__file__).resolve().parent.parent
WEIGHTS = ROOT / "packages" / "minilm"


def build(project: Path, out: Path, *targets: str) -> list[Path]:
    """The files that hatchling makes of the project at `project`. Raises CalledProcessError."""
    before = set(out.glob("*"))
    options = [option for target in targets for option in ("-t", target)]
    subprocess.run([sys.executable, "-P", "-m", "hatchling", "build", "-d", out, *options], cwd=project, check=True)
    return sorted(set(out.glob("*")) - before)


def build_weights(out: Path) -> list[Path]:
    """The wheel of the weights, made in a copy of its folder. Raises WeightsMissing and WeightsDamaged."""
    folder = weights.model_folder()
    weights.checked_bytes(folder / "model.safetensors", weights.WEIGHTS_SHA256)
    weights.checked_bytes(folder / "tokenizer.json", weights.TOKENIZER_SHA256)
    with tempfile.TemporaryDirectory() as scratch:
        project = Path(scratch) / "minilm"
        shutil.copytree(WEIGHTS, project)
        shutil.copytree(
            folder, project / "medkg_lab_minilm" / "model", ignore=shutil.ignore_patterns(".git*", "data_config.json")
        )
        return build(project, out, "wheel")


def main() -> None:
    """Build all of them and print what there is now."""
    parser = argparse.ArgumentParser(description="Build medkg-lab's packages.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--without-weights", action="store_true", help="build medkg-lab alone")
    args = parser.parse_args()
    out = args.folder.resolve()
    out.mkdir(parents=True, exist_ok=True)
    for old in (*out.glob("medkg_lab*.whl"), *out.glob("medkg_lab*.tar.gz")):
        old.unlink()
    made = build(ROOT, out, "sdist", "wheel")
    made += [] if args.without_weights else build_weights(out)
    for path in made:
        print(f"{path.stat().st_size / 1e6:7.1f} MB  {path}")


if __name__ == "__main__":
    main()
