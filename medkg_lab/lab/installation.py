"""What the chosen profile needs and is not installed, so that whoever starts a lab hears of it before the first job fails."""

from medkg_lab.errors import LabError
from medkg_lab.lab.facade import Lab
from medkg_lab.stages import registry


def missing_parts(lab: Lab) -> list[str]:
    """A sentence for each implementation of the lab's profile whose jobs will fail, with what to do."""
    found = []
    try:
        choices = lab.catalog.profile(lab.settings.profile).stages.values()
    except LabError as error:
        return [str(error)]
    for choice in choices:
        try:
            registry.find(choice.implementation).require_packages()
        except LabError as error:
            found.append(str(error))
    return found
