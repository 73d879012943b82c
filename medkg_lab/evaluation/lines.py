"""Reading the text files of data sets: plain or gzipped, of bounded size, always UTF-8."""

import csv
import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

import orjson

from medkg_lab.evaluation.errors import DatasetUnreadable
from medkg_lab.files import open_regular

MAX_BYTES = 2 * 1024**3
"""The largest file that is read, after decompression; BEIR's largest corpora are far beyond one laptop."""


def text_lines(path: Path, part: str) -> Iterator[str]:
    """The lines of a file without their ends. Raises DatasetUnreadable."""
    left = MAX_BYTES
    try:
        with open_regular(path, MAX_BYTES) as opened, gzip.open(opened) if path.suffix == ".gz" else opened as file:
            while line := file.readline(left + 1):
                left -= len(line)
                if left < 0:
                    raise DatasetUnreadable(path=path, part=part, detail=f"it is larger than {MAX_BYTES} bytes")
                yield line.decode("utf-8").rstrip("\r\n")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise DatasetUnreadable(path=path, part=part, detail=str(error)) from None


def json_lines(path: Path, part: str) -> Iterator[dict[str, object]]:
    """The JSON objects of a file, one per line. Raises DatasetUnreadable."""
    for number, line in enumerate(text_lines(path, part), start=1):
        if not line.strip():
            continue
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise DatasetUnreadable(path=path, part=part, detail=f"line {number}: {error}") from None
        if not isinstance(value, dict):
            raise DatasetUnreadable(path=path, part=part, detail=f"line {number} is not a JSON object")
        yield value


def csv_rows(path: Path, part: str) -> Iterator[dict[str, str]]:
    """The rows of a CSV file with a header line; cells may hold line breaks. Raises DatasetUnreadable."""
    lines = (line + "\n" for line in text_lines(path, part))
    try:
        yield from csv.DictReader(lines)
    except csv.Error as error:
        raise DatasetUnreadable(path=path, part=part, detail=str(error)) from None
