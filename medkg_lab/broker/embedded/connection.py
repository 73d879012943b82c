"""One client connection: frames in, answers out in the same order, with a bound on what is in between."""

import asyncio
import logging
import struct

from medkg_lab.broker.embedded import codec
from medkg_lab.broker.embedded.access import Session
from medkg_lab.broker.embedded.codes import Code
from medkg_lab.broker.embedded.errors import MalformedFrame, Refused
from medkg_lab.broker.embedded.handlers import registry
from medkg_lab.broker.embedded.places import Places
from medkg_lab.broker.embedded.rights import Rights
from medkg_lab.broker.embedded.service import Peer, Service

_log = logging.getLogger("medkg_lab.broker")
_refusals = logging.getLogger("medkg_lab.broker.refusals")
_LENGTH = struct.Struct(">i")
_WRITE_BUFFER_BYTES = 1024 * 1024
_LAST_ANSWERS_S = 1.0
_MAX_BYTES_BEFORE_LOGIN = 64 * 1024
_NOBODY = ""

Answer = asyncio.Task[bytes | None]


class Connection:
    """Serves one client until it goes, sends what is not a request, or the broker stops.

    Requests are begun in their order and may wait side by side, for example several produce requests for one fdatasync;
    only what changes topics, groups or offsets is finished before the next begins, as with Kafka's own brokers.
    When `limits.pipeline` of them are unanswered, or the client does not read its answers, nothing more is read from it.
    """

    def __init__(
        self,
        service: Service,
        places: "Places[Connection]",
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._service = service
        self._places = places
        self._reader = reader
        self._writer = writer
        self._host = str((writer.get_extra_info("peername") or ["unknown"])[0])
        self._session = Session(service.accounts)
        self._inside = False
        self._rights = Rights(_NOBODY, service.requests)
        self._slots = asyncio.Semaphore(service.limits.pipeline)
        self._answers: asyncio.Queue[Answer | None] = asyncio.Queue()
        self._waiting: dict[Answer, int] = {}
        self._in_flight = 0
        self._began = self._heard = asyncio.get_running_loop().time()
        writer.transport.set_write_buffer_limits(high=_WRITE_BUFFER_BYTES)

    def overdue(self, now: float) -> str | None:
        """Why the connection has been open for too long by the loop's time `now`, or None."""
        limits = self._service.limits
        if not self._inside:
            return "it was not let in in time" if now - self._began > limits.login_seconds else None
        return (
            "it asked nothing for too long" if not self._waiting and now - self._heard > limits.idle_seconds else None
        )

    def abort(self) -> None:
        """Close it without waiting for anything."""
        self._writer.transport.abort()

    async def run(self) -> None:
        """Serve until the end; closes the connection."""
        receiver = asyncio.create_task(self._receive())
        sender = asyncio.create_task(self._send())
        stop = asyncio.create_task(self._service.stopping.wait())
        try:
            await asyncio.wait({receiver, sender, stop}, return_when=asyncio.FIRST_COMPLETED)
            # A request that was begun has done its writing by its first wait; so that one with acks=0 is kept although its
            # sender has gone, every task gets to that point.
            await asyncio.sleep(0)
            if stop.done() and not sender.done():
                receiver.cancel()
                self._answers.put_nowait(None)
                await asyncio.wait({sender}, timeout=_LAST_ANSWERS_S)
        finally:
            unfinished = [receiver, sender, stop, *self._waiting]
            for task in unfinished:
                task.cancel()
            self._writer.close()
            await asyncio.gather(*unfinished, return_exceptions=True)

    async def _receive(self) -> None:
        try:
            while True:
                await self._slots.acquire()
                frame = await self._frame()
                answer = asyncio.create_task(self._answer(frame))
                self._waiting[answer] = len(frame)
                self._in_flight += len(frame)
                answer.add_done_callback(self._answered)
                self._answers.put_nowait(answer)
                too_much = self._in_flight > self._service.limits.in_flight_bytes
                if too_much or codec.read_head(frame).api_key in registry.CHANGES:
                    await asyncio.wait({answer})
        except MalformedFrame as error:
            _refusals.warning("%s: %s", self._host, error)
        except (ConnectionError, asyncio.IncompleteReadError, TimeoutError):
            pass  # the client is gone or stalled in the middle of a frame

    def _answered(self, answer: Answer) -> None:
        self._in_flight -= self._waiting.pop(answer)

    async def _frame(self) -> bytes:
        (size,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
        self._heard = asyncio.get_running_loop().time()
        largest = self._service.limits.request_bytes if self._session.is_in else _MAX_BYTES_BEFORE_LOGIN
        if not 8 <= size <= largest:
            raise MalformedFrame(detail=f"a frame of {size} bytes; {largest} are taken at most")
        async with asyncio.timeout(self._service.limits.frame_seconds):
            return await self._reader.readexactly(size)

    async def _answer(self, frame: bytes) -> bytes | None:
        """The encoded answer to one request, None when it gets none. Raises MalformedFrame, Refused."""
        if self._session.is_bare:
            return self._login_message(frame)
        head = codec.read_head(frame)
        api = registry.find(head)
        if api is None:
            if head.api_key == registry.API_VERSIONS:
                return codec.encode_response(*registry.newer_api_versions(head))
            refusal = codec.encode_refusal(head, Code.UNSUPPORTED_VERSION)
            if refusal is None:
                raise MalformedFrame(detail=f"API {head.api_key} is not known in version {head.version}")
            return refusal
        if not self._session.is_in and head.api_key not in registry.OPEN:
            self._session.refuse("it did not log in")
            return codec.encode_refusal(head, Code.ILLEGAL_SASL_STATE)
        request = codec.decode_request(frame, api.request)
        self._enter_when_let_in()
        peer = Peer(self._host, request.client_id, self._session, head.api_key, self._rights)
        body = await api.handler(self._service, request, peer)
        self._enter_when_let_in()
        return None if body is None else codec.encode_response(head, body)

    def _login_message(self, message: bytes) -> bytes:
        """The answer to a message of the login that came without a request around it; the client learns of a refusal by the
        connection's end."""
        _, answer = self._session.authenticate(message)
        self._enter_when_let_in()
        return _LENGTH.pack(len(answer)) + answer

    def _enter_when_let_in(self) -> None:
        """Take one of the places of those who are let in; without one, the next answer is the last."""
        account = self._session.account
        if self._inside or account is None:
            return
        self._inside = self._places.enter(self, account)
        if self._inside:
            self._rights = Rights(account, self._service.requests)
        else:
            self._session.refuse(f"all places of account {account} are taken")

    async def _send(self) -> None:
        """Send answers in the order of their requests; the first failure ends the connection."""
        try:
            while (answer := await self._answers.get()) is not None:
                encoded = await answer
                if encoded is not None:
                    self._writer.write(encoded)
                    await self._writer.drain()
                if self._session.failed:
                    _refusals.warning("%s: not let in: %s", self._host, self._session.reason)
                    return
                self._slots.release()
        except (MalformedFrame, Refused) as error:
            _refusals.warning("%s: %s", self._host, error)
        except ConnectionError:
            pass  # the client is gone
        except Exception:  # noqa: BLE001 - process boundary: a fault in one handler ends this connection, not the broker
            _log.exception("%s: a request failed", self._host)
