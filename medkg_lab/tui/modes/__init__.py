"""The modes of the screen, by their number keys."""

from medkg_lab.tui.modes.base import Mode
from medkg_lab.tui.modes.events import EventsMode
from medkg_lab.tui.modes.gate import GateMode
from medkg_lab.tui.modes.jobs import JobsMode
from medkg_lab.tui.modes.lab import LabMode
from medkg_lab.tui.modes.logs import LogsMode
from medkg_lab.tui.modes.pipelines import PipelinesMode
from medkg_lab.tui.modes.replay import ReplayMode
from medkg_lab.tui.modes.search import SearchMode

MODES: tuple[type[Mode], ...] = (
    LabMode,
    JobsMode,
    EventsMode,
    PipelinesMode,
    GateMode,
    SearchMode,
    LogsMode,
    ReplayMode,
)
