"""What can be wrong with a MeSH file."""

from typing import ClassVar

from medkg_lab import exit_codes
from medkg_lab.errors import LabError


class MeshUnreadable(LabError):
    """{path} cannot be read as MeSH: {detail}. Download it again from the National Library of Medicine: descriptors (desc*.xml),
    supplementary records (supp*.xml) or N-Triples (mesh*.nt)."""

    exit_code: ClassVar[int] = exit_codes.USAGE


class NothingInMesh(LabError):
    """None of the {records} records of {paths} is a disease, a chemical, a symptom or a procedure. Supplementary records and
    tables of terms say so only together with descriptors or tree numbers: import the files in one call."""

    exit_code: ClassVar[int] = exit_codes.USAGE


class TermsMissing(LabError):
    """The entry terms of the package {package} cannot be read: {detail}. Install it with
    `{command}`, or import without `--with-packages`."""

    exit_code: ClassVar[int] = exit_codes.USAGE
