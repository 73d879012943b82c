"""The modes of the screen, by their number keys."""

from medkg_lab.tui.screens.base import ModeScreen
from medkg_lab.tui.screens.events.screen import EventsScreen
from medkg_lab.tui.screens.gate.screen import GateScreen
from medkg_lab.tui.screens.graph.screen import GraphScreen
from medkg_lab.tui.screens.jobs.screen import JobsScreen
from medkg_lab.tui.screens.lab.screen import LabScreen
from medkg_lab.tui.screens.logs.screen import LogsScreen
from medkg_lab.tui.screens.pipelines.screen import PipelinesScreen
from medkg_lab.tui.screens.replay.screen import ReplayScreen
from medkg_lab.tui.screens.search.screen import SearchScreen
from medkg_lab.tui.screens.sql.screen import SqlScreen

MODES: tuple[type[ModeScreen], ...] = (
    LabScreen,
    JobsScreen,
    EventsScreen,
    PipelinesScreen,
    GateScreen,
    SearchScreen,
    LogsScreen,
    ReplayScreen,
    GraphScreen,
    SqlScreen,
)
