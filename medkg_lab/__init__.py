"""medkg-lab: a desktop lab for a whole medical-document pipeline."""

__version__ = "0.1.0"
