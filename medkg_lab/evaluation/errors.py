"""What can be wrong with the data of an evaluation."""

from typing import ClassVar

from medkg_lab import exit_codes
from medkg_lab.errors import LabError


class DatasetMissing(LabError):
    """{path} has no {part}: looked for {looked_for}. Give the file by name; `medkg-lab eval --help` lists the options."""

    exit_code: ClassVar[int] = exit_codes.USAGE


class DatasetAmbiguous(LabError):
    """{path} has several files of {part}: {found}. Name the one to use with `{option}`."""

    exit_code: ClassVar[int] = exit_codes.USAGE


class DatasetUnreadable(LabError):
    """{path} cannot be read as {part}: {detail}. Check that it is the file that the data set's authors publish."""


class NothingJudged(LabError):
    """None of the {judged} judged queries of {qrels} has a text in {queries}. Take queries and judgements of the same split."""
