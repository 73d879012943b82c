"""Keys take effect in the order in which they were typed, however busy the program is.

Textual posts a key to the queue of the widget that has the focus. What the widget does not take for text climbs from queue to
queue up to the program, which then runs the binding: letters overtake it on the way, and what follows a key that moves the
focus still goes to the old place. Here the next key is looked at only when the one before has had its effect.
"""

import time
from collections import deque
from collections.abc import Sequence
from typing import TypeVar

from textual import events
from textual._callback import invoke
from textual.app import App
from textual.dom import DOMNode
from textual.driver import Driver
from textual.message_pump import MessagePump

Result = TypeVar("Result")
AT_ONCE = 64
"""Keys of text that are handled before anything else has its turn."""
STUCK_S = 15.0
"""Seconds after which a new key no longer waits for what the one before has set going: more than under full load it takes."""
EDITS = frozenset({"backspace", "delete", "left", "right", "home", "end", "ctrl+w", "ctrl+u", "ctrl+k", "ctrl+f"})


def takes_text(node: DOMNode | None) -> bool:
    """Whether letters are text where they are typed now, as in an input or an editor."""
    return node is not None and node.check_consume_key("a", "a")


class OrderedKeysApp(App[Result]):
    """A program whose keys and pastes are handled one after the other."""

    def __init__(self, driver_class: type[Driver] | None = None) -> None:
        super().__init__(driver_class=driver_class)
        self._typed: deque[events.Key | events.Paste] = deque()
        self._turn = 0
        self._asked_at = 0.0

    @property
    def is_typing(self) -> bool:
        """Whether keys wait, or one has not had its effect yet."""
        return bool(self._typed or self._asked_at)

    async def on_event(self, event: events.Event) -> None:
        """Put a fresh key or paste in the row; everything else goes Textual's way."""
        if not isinstance(event, events.Key | events.Paste) or event.is_forwarded:
            await super().on_event(event)
            return
        self._typed.append(event)
        if not self._asked_at or time.monotonic() - self._asked_at > STUCK_S:
            await self._work_off()

    async def _work_off(self) -> None:
        """Handle keys until one of them has to have its effect first."""
        for _ in range(AT_ONCE):
            if not self._typed:
                self._asked_at = 0.0
                return
            event, target, screen = self._typed.popleft(), self.focused or self.screen, self.screen
            await self._handle(event, target)
            if not _is_text(event, target) or self.focused is not target or self.screen is not screen:
                break
        self._turn, self._asked_at = self._turn + 1, time.monotonic()
        path = [node for node in target.ancestors_with_self if node is not self]
        self._hop(self._turn, [*path, *([] if self.screen in path else [self.screen])])

    def _hop(self, turn: int, path: Sequence[DOMNode]) -> None:
        """Go on behind all that a key has set going: in the queues from its widget up, and in that of the screen it opened,
        which works it off once it is composed."""
        for at, node in enumerate(path):
            if node.call_later(self._hop, turn, path[at + 1 :]):
                return
        self.call_later(self._next, turn)

    async def _next(self, turn: int) -> None:
        if turn == self._turn:
            await self._work_off()

    async def _handle(self, event: events.Key | events.Paste, target: DOMNode) -> None:
        """What Textual does with a key, but from node to node at once."""
        self.app_focus = True
        if isinstance(event, events.Key):
            if self.screen.maximized is not None and event.key == "escape" and self.escape_to_minimize:
                self.screen.minimize()
                return
            if await self._check_bindings(event.key, priority=True):
                return
        event._set_forwarded()
        node: MessagePump | None = target
        while node is not None and not event._stop_propagation:
            with node._context():
                for _, method in node._get_dispatch_methods(event.handler_name, event):
                    await invoke(method, event)
            event.prevent_default(False)
            node = node._parent


def _is_text(event: events.Key | events.Paste, target: DOMNode) -> bool:
    """Whether the key changes the text of what has the focus, and nothing else."""
    if not takes_text(target):
        return False
    return isinstance(event, events.Paste) or event.is_printable or event.key in EDITS
