from medkg_lab.errors import LabError as LabError
from medkg_lab.sdk.lab import Lab as Lab

__version__: str
