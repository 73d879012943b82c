"""The terminal of the screen: Textual's driver for Linux, made to survive whatever comes from it and to leave it in order."""

import asyncio
import contextlib
import os
import selectors
import signal
import sys
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from typing import Any, TextIO

from textual import events
from textual._xterm_parser import XTermParser
from textual.app import App
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

from medkg_lab.tui.terminal_input import READ_BYTES, Piece, TerminalInput

POLL_S = 0.1
"""Seconds without input after which an unfinished sequence is taken for a key: Textual's own delay for Escape."""
LONG_SILENCE_S = 1.0
"""Seconds without input after which a paste has ended, whether its end has come or not, and nothing more comes of what filled the
terminal and was cut: the rest comes as soon as its sender has its turn, which under full load takes a while."""
MOUSE_AGAIN_S = 0.5
"""Seconds between two requests for SGR mouse reports."""
MAX_WAITING = 1024
"""Messages that may wait for the program; until there are fewer the terminal is not read, and has to wait itself."""
AWAITED_EVERY = 64
"""Messages after which the input thread waits until the program's loop has them."""
MAX_CELLS = 5000
"""Columns or rows at most: more is not a terminal's size but a line of garbage."""
PASTE_START, PASTE_END = "\x1b[200~", "\x1b[201~"
ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)


class _Output:
    """The terminal to write to; once it is gone nothing is written, and `lost` has been called."""

    def __init__(self, file: TextIO, lost: Any) -> None:
        self._file = file
        self._lost = lost
        self._is_lost = False

    def fileno(self) -> int:
        return self._file.fileno()

    def write(self, text: str) -> None:
        self._try(lambda: self._file.write(text))

    def flush(self) -> None:
        self._try(self._file.flush)

    def _try(self, write: Any) -> None:
        if self._is_lost:
            return
        try:
            write()
        except (OSError, ValueError):
            self._is_lost = True
            self._lost()


class TerminalDriver(LinuxDriver):
    """Reads any bytes, asks again for mouse reports that it understands, and ends the program, terminal restored, by SIGTERM,
    SIGHUP, SIGINT, SIGQUIT, a lost terminal or a fault of its own. SIGTSTP and SIGCONT suspend and resume it."""

    def __init__(self, app: App[Any], **options: Any) -> None:
        super().__init__(app, **options)
        self.is_active = False
        """Whether the terminal is in the modes of the screen."""
        self._file: Any = _Output(sys.__stdout__ or sys.stdout, self._lost)
        self._suspended = False
        self._mouse_asked = -MOUSE_AGAIN_S
        self._sent: Future[Any] | None = None
        self._unawaited = 0
        self._pasting = False
        self._parser = XTermParser(self._debug)
        loop = asyncio.get_running_loop()
        # In the loop, between two of its steps: Textual's own handlers may interrupt one that holds the lock of the output.
        loop.add_signal_handler(signal.SIGTSTP, self._suspend)
        loop.add_signal_handler(signal.SIGCONT, self._resume)
        for number in ENDING:
            if signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, self._end, 128 + number)

    def start_application_mode(self) -> None:
        """Enter the modes of the screen."""
        self.is_active = True
        super().start_application_mode()  # type: ignore[no-untyped-call]

    def stop_application_mode(self) -> None:
        """Leave the modes of the screen."""
        super().stop_application_mode()
        self.is_active = False

    def leave(self) -> None:
        """Leave the modes of the screen if that has not happened yet; for the end of the program, however it came."""
        if self.is_active:
            with contextlib.suppress(Exception):
                self.suspend_application_mode()

    # Signals

    def _end(self, code: int) -> None:
        self._app.exit(return_code=code)

    def _lost(self) -> None:
        """The terminal is gone, as at SIGHUP."""
        with contextlib.suppress(RuntimeError):  # the loop has ended, and the program with it
            self._loop.call_soon_threadsafe(self._end, 128 + signal.SIGHUP)

    def _suspend(self) -> None:
        self._suspended = True
        self._sigtstp_application()

    def _resume(self) -> None:
        """Go on after a stop; one by SIGSTOP left no time to restore the terminal, and it may have been used since."""
        if not self._auto_restart:
            return
        if not self._suspended and self.is_active:
            self.suspend_application_mode()
        self._suspended = False
        self._must_signal_resume = True
        self._sigcont_application()
        self._app.refresh(layout=True)

    # Input

    def _run_input_thread(self) -> None:
        try:
            self.run_input_thread()
        except Exception as error:  # noqa: BLE001 - thread boundary: else the screen would stay, deaf
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._app._handle_exception, error)

    def run_input_thread(self) -> None:
        """Read the terminal until the program ends or the terminal is gone."""
        cutter, silent = TerminalInput(), LONG_SILENCE_S
        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                if cutter.x10_seen and time.monotonic() - self._mouse_asked > MOUSE_AGAIN_S:
                    cutter.x10_seen, self._mouse_asked = False, time.monotonic()
                    self._enable_mouse_support()
                if not selector.select(POLL_S):
                    silent += POLL_S
                    if cutter.is_cut and silent < LONG_SILENCE_S:
                        continue
                    self._feed(cutter.flush())
                    if LONG_SILENCE_S <= silent < LONG_SILENCE_S + POLL_S:
                        self._feed([Piece(PASTE_END, True)])
                    self._send(self._parser.tick())
                    continue
                silent = 0.0
                try:
                    data = os.read(self.fileno, READ_BYTES)
                except OSError:
                    data = b""
                if not data:
                    self._lost()
                    return
                self._feed(cutter.feed(data))

    def _feed(self, pieces: list[Piece]) -> None:
        for piece in pieces:
            if piece.text in (PASTE_START, PASTE_END):
                self._pasting = piece.text == PASTE_START
            elif self._pasting and piece.is_control:
                continue
            for character in piece.text:
                try:
                    self._send(self._parser.feed(character))
                except Exception:  # noqa: BLE001 - what came from outside: the parser fails on some sequences, and is then dead
                    self._renew_parser()
            if piece.is_control and self._parser._awaiting.timeout is not None and not self._pasting:
                # It is whole, and the parser does not know it: it would take it, and what follows, for typed keys.
                self._renew_parser()

    def _renew_parser(self) -> None:
        old, self._parser = self._parser, XTermParser(self._debug)
        for name in ("mouse_pixels", "terminal_size", "terminal_pixel_size", "last_x", "last_y"):
            setattr(self._parser, name, getattr(old, name))

    def _send(self, messages: Any) -> None:
        for message in messages:
            self.process_message(message)
            self._wait_for_room()

    def process_message(self, message: Message) -> None:
        """Hand a message on, unless it is a size that no terminal has."""
        if isinstance(message, events.Resize) and not all(0 < cells <= MAX_CELLS for cells in message.size):
            return
        super().process_message(message)

    def send_message(self, message: Message) -> None:
        """Hand a message to the program."""
        self._sent = asyncio.run_coroutine_threadsafe(self._app._post_message(message), loop=self._loop)

    def _wait_for_room(self) -> None:
        """Wait while too much that came from the terminal waits for the program; called in the input thread alone."""
        self._unawaited += 1
        if self._unawaited < AWAITED_EVERY:
            return
        self._unawaited = 0
        while self._sent is not None and not self.exit_event.is_set():
            try:
                self._sent.result(POLL_S)
            except (NotYet, asyncio.CancelledError):
                continue
            if self._app._message_queue.qsize() < MAX_WAITING:
                return
            self.exit_event.wait(POLL_S / 10)
