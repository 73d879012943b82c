"""What a mode is: one number key's worth of the screen.

To add a mode, subclass `Mode`, set its class variables, and list it in `modes/__init__.py`. A key of the registry
(`keys.py`) works in a mode exactly when the mode has a method `do_<action>` for it: there are no dead keys.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from textual.containers import Vertical

from medkg_lab.errors import LabError
from medkg_lab.lab.facade import Lab
from medkg_lab.tui.messages import Snapshot, Subject
from medkg_lab.tui.theme import Line, Palette

if TYPE_CHECKING:
    from medkg_lab.tui.app import LabApp

T = TypeVar("T")


class Mode(Vertical):
    """A mode; its children are its regions.

    Class variables: `number` is its key, `word` its `:` command (`:jobs`), `title` and `short` its names in the bar of a wide
    and a narrow terminal, `about` one sentence for the help, `footer` at most six action ids of `keys.py` for the last row (`?`
    is always the seventh), `twins` the commands of the command line that do the same.

    Hooks, all called in the event loop and none of them may block: `on_snapshot`, `shown`, `hidden`, `now`, `badge`,
    `subject`, `narrow`, `narrowed`, `back`, `words`, `can`, `take_focus`, `completions`, `command`. The lab is asked by
    `ask`, never directly.
    """

    number: ClassVar[int] = 0
    word: ClassVar[str] = ""
    title: ClassVar[str] = ""
    short: ClassVar[str] = ""
    about: ClassVar[str] = ""
    footer: ClassVar[tuple[str, ...]] = ()
    twins: ClassVar[str] = ""

    @property
    def screen_app(self) -> "LabApp":
        """The program that this mode is in, typed."""
        return cast("LabApp", self.app)

    @property
    def palette(self) -> Palette:
        """The colours now."""
        return self.screen_app.palette

    @property
    def active(self) -> bool:
        """Whether this mode is the one that is seen."""
        return self.screen_app.mode is self

    def on_snapshot(self, snapshot: Snapshot) -> None:
        """Take in a new snapshot; called about once a second, also while hidden: then only keep what `badge` needs."""

    def shown(self) -> None:
        """The mode came to be seen: start polling, put the focus where it belongs."""

    def hidden(self) -> None:
        """The mode is no longer seen: stop polling."""

    def now(self, snapshot: Snapshot) -> Line | None:
        """The mode's own sentence for the now-line, most important clause first; None leaves the lab's own."""
        return None

    def badge(self, snapshot: Snapshot) -> str:
        """What stands behind the mode's name in the bar, such as `◇3`."""
        return ""

    def subject(self) -> Subject | None:
        """The thing under the cursor: the keys w, l, E, c, y and b act on it."""
        return None

    def narrow(self, text: str) -> None:
        """Narrow the list to what fits `text`, as typed after `/`; an empty text shows all again.

        `/` is a key of a mode exactly when the mode overrides this.
        """

    def narrowed(self) -> str:
        """What the list is narrowed to now; esc clears it."""
        return ""

    def back(self) -> bool:
        """Undo one step of depth, such as closing a detail; False when there is none."""
        return False

    def words(self) -> dict[str, str]:
        """What actions are called here where the registry's word is too general, such as {"again": "restart"}."""
        return {}

    def can(self, action: str) -> bool:
        """Whether the mode's own `do_<action>` has something to act on now; while it has not, its key is none."""
        return True

    def take_focus(self) -> None:
        """Give the focus to the region that had it, or to the first; called when a line to type in was left."""
        for each in self.query("Table, Panel, Input"):
            if each.focusable:
                each.focus()
                return

    def completions(self) -> list[str]:
        """What may stand behind the mode's word after `:`, for tab."""
        return []

    def command(self, words: list[str]) -> bool:
        """Take what stands behind the mode's word after `:`, such as `["failed"]` of `:jobs failed`; False refuses it."""
        return not words

    def ask(
        self,
        group: str,
        work: Callable[[Lab], T],
        then: Callable[[T], None],
        failed: Callable[[LabError], Any] | None = None,
    ) -> None:
        """Run `work(lab)` in a thread, then `then(answer)` in the event loop.

        Of one `group` only one question is under way; while it is, only the newest of the waiting ones is kept. A LabError goes
        to `failed`, or becomes a toast with its remedy. For what must not be dropped (opening a gate) use `act`.
        """
        self.screen_app.asker.ask(f"{self.word}.{group}", work, then, failed or self.screen_app.toast_error)

    def act(self, work: Callable[[Lab], T], then: Callable[[T], None] | None = None, done: str = "") -> None:
        """Run `work(lab)`, which changes something, in a thread of its own; then toast `done` and call `then`. Never dropped."""
        self.screen_app.act(work, then, done)
