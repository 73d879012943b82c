"""A pipeline's graph with the live state of its stages: laid out once per version, repainted where something changed."""

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import ClassVar

from rich.style import Style
from textual import events, work
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.worker import get_current_worker

from medkg_lab.errors import LabError
from medkg_lab.topology.graph import Graph
from medkg_lab.tui.theme import Line, palette_of
from medkg_lab.tui.widgets.dag_layout import COMPACT, ROOMY, SNUG, Density, Layout, lay_out
from medkg_lab.tui.widgets.dag_paint import Scene, StageStyle
from medkg_lab.tui.widgets.panel import strip_of

KEPT_LAYOUTS = 32

Frozen = tuple[tuple[str, tuple[str, ...]], ...]


@lru_cache(maxsize=KEPT_LAYOUTS)
def layout_of(graph: Frozen, density: Density) -> Layout:
    """The layout of a graph, made once. Raises TopologyCyclic and GraphTooDense."""
    return lay_out(dict(graph), density)


def frozen(graph: Graph) -> Frozen:
    """The graph as a key."""
    return tuple((name, tuple(needs)) for name, needs in graph.items())


class Dag(ScrollView):
    """The graph of a pipeline. Arrows move along edges and within a layer; a click chooses a stage."""

    DEFAULT_CSS = """
    Dag { border: round $lab-line; border-title-color: $lab-muted; border-subtitle-color: $lab-muted;
          background: $lab-bg; padding: 0 1; scrollbar-size: 1 1; }
    Dag:focus { border: round $lab-accent; border-title-color: $lab-accent; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(0, -1)", show=False),
        Binding("down,j", "move(0, 1)", show=False),
        Binding("left", "move(-1, 0)", show=False),
        Binding("right", "move(1, 0)", show=False),
        Binding("home,g", "end(0)", show=False),
        Binding("end,G", "end(-1)", show=False),
    ]
    can_focus = True

    @dataclass
    class Chosen(Message):
        """The cursor came to a stage."""

        name: str

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.scene: Scene | None = None
        self.chosen = ""
        self.refused = ""
        self._graph: Frozen = ()
        self._gates: frozenset[str] = frozenset()
        self._looks: Mapping[str, StageStyle] = {}

    # What is shown

    def show_graph(self, graph: Graph, gates: Set[str]) -> None:
        """Show this graph from now on; its layout is made in a thread unless it is known."""
        if (frozen(graph), frozenset(gates)) != (self._graph, self._gates):
            self._graph, self._gates = frozen(graph), frozenset(gates)
            self._lay_out()

    def show_looks(self, looks: Mapping[str, StageStyle]) -> None:
        """Show these states; only the boxes and lines that look different are painted again."""
        before, self._looks = self._looks, dict(looks)
        if self.scene is None:
            return
        self.scene = replace(self.scene, looks=self._looks)
        for name, box in self.scene.layout.boxes.items():
            if before.get(name) != looks.get(name):
                # A gate's state is drawn on the line below it too.
                rows = self.scene.layout.height - box.y if name in self._gates else box.height
                self._paint_again(Region(0, box.y, self.virtual_size.width, rows))

    def choose(self, name: str) -> None:
        """Put the cursor on a stage."""
        if self.scene is None or name not in self.scene.layout.boxes:
            return
        if name != self.chosen:
            self.chosen = name
            self.scene = replace(self.scene, chosen=name)
            self.refresh()
            self.post_message(self.Chosen(name))
        box = self.scene.layout.boxes[name]
        self.scroll_to_region(Region(box.x, box.y, box.width, box.height), animate=False)

    # Laying out

    @work(thread=True, exclusive=True)
    def _lay_out(self) -> None:
        graph, room = self._graph, self._room
        found: Layout | None = None
        refused = ""
        try:
            for density in (ROOMY, SNUG, COMPACT):
                found = layout_of(graph, density)
                if found.width <= room.width and found.height <= room.height:
                    break
        except LabError as error:
            refused = str(error)
        if not get_current_worker().is_cancelled:
            taken: Callable[..., None] = self._apply_layout
            self.app.call_from_thread(taken, found, refused)

    @property
    def _room(self) -> Size:
        return self.scrollable_content_region.size

    def _apply_layout(self, layout: Layout | None, refused: str) -> None:
        self.refused = refused
        if layout is None:
            self.scene = None
            self.virtual_size = Size(0, 0)
        else:
            names = [name for row in layout.layers for name in row]
            if self.chosen not in names:
                self.chosen = names[0] if names else ""
            self.scene = Scene(layout, self._gates, self._looks, self.chosen, self.has_focus)
            self.virtual_size = Size(layout.width, layout.height)
        self.refresh()
        if self.chosen and layout is not None:
            self.post_message(self.Chosen(self.chosen))

    def _on_resize(self, event: events.Resize) -> None:
        if self._graph:
            self._lay_out()

    # Painting

    @property
    def _left(self) -> int:
        """Columns that a graph smaller than the region is moved to the right, so that it stands in the middle."""
        return max(0, (self._room.width - self.virtual_size.width) // 2)

    def _paint_again(self, region: Region) -> None:
        shown = region.translate((-int(self.scroll_offset.x) + self._left, -int(self.scroll_offset.y)))
        self.refresh(Region(0, shown.y, self.size.width, shown.height).translate(self.content_offset_now))

    @property
    def content_offset_now(self) -> tuple[int, int]:
        """Where the content starts inside of border and padding."""
        gutter = self.gutter
        return gutter.left, gutter.top

    def render_line(self, y: int) -> Strip:
        """Paint one row of the region."""
        ground = Style(bgcolor=self.rich_style.bgcolor)
        width = self.scrollable_content_region.width
        palette = palette_of(self)
        if self.scene is None:
            line: Line = [(self.refused if y == 0 else "", "bad")]
            return strip_of(line, palette, width, ground)
        row = y + int(self.scroll_offset.y)
        spans = self.scene.row(row) if row < self.scene.layout.height else []
        left = int(self.scroll_offset.x)
        whole = strip_of([(" " * self._left, "text"), *spans], palette, left + width + self.virtual_size.width, ground)
        return whole.crop(left, left + width)

    # Moving

    def action_move(self, dx: int, dy: int) -> None:
        """Go to the next stage of the layer, or along an edge."""
        if self.scene is not None and self.chosen:
            self.choose(self.scene.layout.neighbour(self.chosen, dx, dy))

    def action_end(self, place: int) -> None:
        """Go to the first or the last stage."""
        if self.scene is not None and self.scene.layout.layers:
            self.choose(self.scene.layout.layers[place][0])

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None or self.scene is None:
            return
        found = self.scene.layout.at(
            offset.x + int(self.scroll_offset.x) - self._left, offset.y + int(self.scroll_offset.y)
        )
        if found:
            self.choose(found)

    def _on_focus(self, event: events.Focus) -> None:
        self._mark_focus(True)
        super()._on_focus(event)

    def _on_blur(self, event: events.Blur) -> None:
        self._mark_focus(False)
        super()._on_blur(event)

    def _mark_focus(self, focused: bool) -> None:
        if self.scene is not None:
            self.scene = replace(self.scene, focused=focused)
