"""The files of all-MiniLM-L6-v2, for medkg-lab."""

from pathlib import Path

FOLDER = Path(__file__).parent / "model"
"""Where they are: `model.safetensors`, `tokenizer.json`, `config.json` and the rest."""
