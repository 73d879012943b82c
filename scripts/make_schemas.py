"""Write the JSON Schemas of the files that people write, from the models that read them.

python scripts/make_schemas.py           writes bundled_pipelines/schemas/*.schema.json
python scripts/make_schemas.py --check   exit code 1 and the names of the files that are not current
"""

import json
import sys
from pathlib import Path

from pydantic import BaseModel

from medkg_lab.models.submission import Submission
from medkg_lab.resilience.policies import Policies
from medkg_lab.topology.models import TopologyFile
from medkg_lab.topology.profiles import Profile

FOLDER = Path(__file__).resolve().parent.parent / "bundled_pipelines" / "schemas"
MODELS: dict[str, type[BaseModel]] = {
    "topology": TopologyFile,
    "policies": Policies,
    "profile": Profile,
    "ingest-request": Submission,
}


def schema_text(model: type[BaseModel]) -> str:
    """The JSON Schema of `model`, draft 2020-12."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **model.model_json_schema(by_alias=True)}
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> int:
    """Write or check the files; returns the exit code."""
    wanted = {FOLDER / f"{name}.schema.json": schema_text(model) for name, model in MODELS.items()}
    if "--check" in arguments:
        old = [path.name for path, text in wanted.items() if not path.exists() or path.read_text() != text]
        print("\n".join(old), end="\n" if old else "")
        return 1 if old else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path, text in wanted.items():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
