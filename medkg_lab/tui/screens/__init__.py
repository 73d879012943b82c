"""The modes of the screen, by their number keys."""

from medkg_lab.tui.screens.base import Mode
from medkg_lab.tui.screens.events.screen import EventsMode
from medkg_lab.tui.screens.gate.screen import GateMode
from medkg_lab.tui.screens.jobs.screen import JobsMode
from medkg_lab.tui.screens.lab.screen import LabMode
from medkg_lab.tui.screens.logs.screen import LogsMode
from medkg_lab.tui.screens.pipelines.screen import PipelinesMode
from medkg_lab.tui.screens.replay.screen import ReplayMode
from medkg_lab.tui.screens.search.screen import SearchMode

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
