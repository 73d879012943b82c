"""What can go wrong with what extraction works by."""

from typing import ClassVar

from medkg_lab import exit_codes
from medkg_lab.errors import LabError


class VocabularyMissing(LabError):
    """There is no vocabulary of version {version!r} at {path}. Import it with `medkg-lab mesh import`, or set `vocabulary:
    bundled` in the profile's extract options."""

    exit_code: ClassVar[int] = exit_codes.NO_RESTART


class VocabularyDamaged(LabError):
    """The vocabulary {path} is not what was imported: its content does not have the version that its name says. Import it again
    with `medkg-lab mesh import`."""

    exit_code: ClassVar[int] = exit_codes.NO_RESTART
