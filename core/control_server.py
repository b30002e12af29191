# SPDX-License-Identifier: MIT
"""The control server: JSON lines on a UNIX socket, for any number of clients.

One thread has an event loop for the connections; what they ask for is done in the thread of the
Controller. A client that reads slowly holds up nobody but itself, and is cut off if it does not
read at all. control-protocol.md tells the protocol.
"""

import asyncio
import json
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from twinroute.config_log import AuditEvent
from twinroute.control import Controller
from twinroute.control_methods import EVENTS, Object, Session, Stream, begin
from twinroute.errors import TwinrouteError
from twinroute.event_log import Who, peer
from twinroute.socket_file import SocketFile

LINE_BYTES_MAX = 1 << 20
CLIENTS_MAX = 64
REQUESTS_WAITING_MAX = 8
POLL_S = 0.02  # between two looks at a stream that has nothing new
CANCEL_S = 0.1  # after which a client that goes on is told again to end
STALL_S = 30.0  # a client that has not read anything for so long is cut off


class _TooLong(Exception):
    """A line is longer than LINE_BYTES_MAX."""


class ControlServer:
    """Serves a Controller on a listening socket, from start() to stop()."""

    def __init__(
        self,
        controller: Controller,
        listener: SocketFile,
        *,
        on_failure: Callable[[BaseException], object] | None = None,
        stall_s: float = STALL_S,
    ) -> None:
        """Make a server.

        on_failure: called in the server's thread if that ends by an error. stall_s: how long a
        client may take to read what it was sent.
        """
        self._controller = controller
        self._listener = listener
        self._on_failure = on_failure
        self._stall_s = stall_s
        self._loop = asyncio.new_event_loop()
        self._end = asyncio.Event()
        self._clients: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, name="control-server", daemon=True)

    def start(self) -> None:
        """Begin to serve, in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Cut all clients off and return once the thread is gone. May be repeated."""
        if self._thread.is_alive():
            with suppress(RuntimeError):  # the loop has ended meanwhile
                self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join()

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._serve())
        except BaseException as error:
            if self._on_failure is None:
                raise
            self._on_failure(error)

    async def _serve(self) -> None:
        server = await asyncio.start_unix_server(
            self._accept, sock=self._listener.socket, limit=LINE_BYTES_MAX
        )
        try:
            await self._end.wait()
        finally:
            # One that is being accepted gets its connection before the server is closed to it.
            self._loop.remove_reader(self._listener.socket)
            await asyncio.sleep(0)
            server.close()
            while self._clients:
                for client in self._clients:
                    client.cancel()
                await asyncio.wait(self._clients, timeout=CANCEL_S)

    # --- a client ---------------------------------------------------------------------------------

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Attend to a client, known from here on: one that comes at the end is cut off, too."""
        transport = writer.transport
        if self._end.is_set():
            transport.abort()
            return

        def forget(task: asyncio.Task[None]) -> None:
            self._clients.discard(task)
            transport.abort()  # of one that was cancelled before its first step

        task = asyncio.create_task(self._attend(reader, writer))
        self._clients.add(task)
        task.add_done_callback(forget)

    async def _attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = _Client(self._controller, reader, writer, self._stall_s)
        try:
            if len(self._clients) > CLIENTS_MAX:
                await client.refuse(f"expected at most {CLIENTS_MAX} clients at a time")
            else:
                await client.audit("access")
                await client.serve()
        except (OSError, TimeoutError, asyncio.CancelledError):
            pass  # it is gone, does not read, or the server stops
        finally:
            await client.close()


class _Client:
    """One connection: its requests are answered one after the other."""

    def __init__(
        self,
        controller: Controller,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        stall_s: float,
    ) -> None:
        self._controller = controller
        self._session = Session(controller)
        self._who: Who = peer(writer.get_extra_info("socket"))
        self._reader = reader
        self._writer = writer
        self._stall_s = stall_s
        self._lines: asyncio.Queue[bytes | _TooLong | None] = asyncio.Queue(REQUESTS_WAITING_MAX)
        self._hung_up = asyncio.Event()  # it will send no more
        self._cut_off = True  # until the connection ends well

    async def audit(self, event: AuditEvent, **fields: Any) -> None:
        """Write down what the client does."""
        await self._call(partial(self._controller.audit, event, self._who, **fields))

    async def serve(self) -> None:
        feeder = asyncio.create_task(self._feed())
        try:
            while (line := await self._lines.get()) is not None:
                if isinstance(line, _TooLong):
                    await self.refuse(f"expected lines of at most {LINE_BYTES_MAX} bytes")
                    break
                if line.strip():
                    await self._request(line)
            self._cut_off = False
        finally:
            feeder.cancel()

    async def close(self) -> None:
        """Hang up, once what was sent has been read if the connection has ended well."""
        if self._cut_off:
            self._writer.transport.abort()
        self._writer.close()
        try:
            async with asyncio.timeout(self._stall_s):
                await self._writer.wait_closed()
        except (OSError, TimeoutError, asyncio.CancelledError):
            self._writer.transport.abort()

    async def _feed(self) -> None:
        """Take lines in, so that the end of them is known even while a request is at work."""
        try:
            while line := await self._reader.readline():
                await self._lines.put(line)
        except ValueError:
            await self._lines.put(_TooLong())
            return
        except OSError:
            pass
        self._hung_up.set()
        await self._lines.put(None)

    async def _request(self, line: bytes) -> None:
        number: Any = None
        try:
            request = json.loads(line)
            if not isinstance(request, dict):
                raise ValueError("expected an object")
            number = request.get("id")
            if unknown := request.keys() - {"id", "method", "params"}:
                raise ValueError(f"expected id, method and params, not {min(unknown)!r:.60}")
        except (ValueError, RecursionError) as error:
            await self.answer(number, error=f"request: expected JSON on a line: {error}")
            return
        asked = {"method": request.get("method"), "params": request.get("params")}
        try:
            result = await self._perform(number, **asked)
        except (TwinrouteError, ValueError) as error:
            await self.answer(number, error=str(error), asked=asked)
        except OSError:
            raise  # of the connection
        except Exception as error:
            traceback.print_exc()
            text = f"internal error: {type(error).__name__}: {error}"
            await self.answer(number, error=text, kind="internal", asked=asked)
        else:
            await self._send({"id": number, "result": result})

    async def refuse(self, error: str) -> None:
        """Tell why the connection ends here."""
        await self.answer(None, error=error)
        self._cut_off = False

    async def answer(
        self, number: Any, *, error: str, kind: str = "input", asked: Object | None = None
    ) -> None:
        """Send an error, and write down what was asked for."""
        await self.audit("failure", **asked or {}, error=error)
        await self._send({"id": number, "error": {"message": error, "kind": kind}})

    async def _perform(self, number: Any, method: object, params: object) -> Object:
        done = await self._call(begin, self._session, method, params)
        if event := EVENTS.get(str(method)):
            came = {"result": done} if isinstance(done, dict) else {}
            await self.audit(event, method=method, params=params, **came)
        if isinstance(done, dict):
            return done
        result: Object | None = None
        try:
            told = None
            while result is None:
                event, result = await self._call(_advance, done, told)
                if event is not None:
                    await self._send({"id": number, "event": event})
                elif result is None:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(POLL_S):
                            await self._hung_up.wait()
                told = self._hung_up.is_set()
        finally:
            self._controller.executor.submit(done.close)
        return result

    async def _call(self, function: Callable[..., Any], *args: Any) -> Any:
        """Do something in the management's thread."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._controller.executor, function, *args)
        except OSError as error:
            raise TwinrouteError(str(error)) from error

    async def _send(self, message: Object) -> None:
        self._writer.write(json.dumps(message).encode() + b"\n")
        async with asyncio.timeout(self._stall_s):
            await self._writer.drain()


def _advance(stream: Stream, told: bool | None) -> tuple[Object | None, Object | None]:
    """Take the next event of a stream, or its result."""
    try:
        return stream.send(told), None
    except StopIteration as end:
        return None, end.value
