# SPDX-License-Identifier: MIT
"""The life of a running router: start, serve, signals, and an end that leaves nothing behind."""

import queue
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import ExitStack, contextmanager, suppress
from types import FrameType

from twinroute.config import Config
from twinroute.config_errors import on_one_line
from twinroute.control import Controller
from twinroute.control_server import ControlServer
from twinroute.control_tables import reload_text
from twinroute.errors import Failure, TwinrouteError
from twinroute.event_log import EventLog, own_process
from twinroute.metrics import MetricsServer
from twinroute.reload import Difference
from twinroute.room import Unplaced
from twinroute.socket_file import SocketFile
from twinroute.systemd import Watch, notify
from twinroute.target import Engine

PROGRESS_S = 1.0  # between two lines about a start that takes long
EXTENSION_US = 30_000_000  # for as long systemd is asked to wait each time
WATCH_S = 1.0  # between two looks at what the engine says of itself
ENDING = (signal.SIGTERM, signal.SIGINT)

Event = int | BaseException  # a signal, or why the management has failed


def serve(config: Config, make_engine: Callable[[Config], Engine]) -> int:
    """Run a router until SIGTERM or SIGINT; return the exit status.

    SIGHUP reloads the configuration. make_engine: makes what runs the router, and frees whatever
    it took if it raises.
    """
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    with _signals(events), ExitStack() as stack:
        # First of all: a second instance is refused before it touches a device.
        listener = stack.enter_context(SocketFile(config.control.socket))
        log = EventLog(config)
        engine = make_engine(config)
        stack.callback(_stop, engine)
        # Before a packet comes in, and again for what links that come up have brought.
        engine.settle(Progress(config.name))
        engine.start()
        engine.settle(Progress(config.name))
        controller = Controller(engine, config, log)
        stack.callback(controller.close)
        server = ControlServer(controller, listener, on_failure=events.put)
        stack.callback(server.stop)
        server.start()
        served = f"control {config.control.socket}"
        if config.metrics.listen:
            metrics = MetricsServer(controller, config.metrics.listen)
            stack.callback(metrics.stop)
            address = config.metrics.listen[0]
            where = f"[{address}]" if ":" in address else address
            served += f", metrics http://{where}:{metrics.port}/metrics"
        _say(f"{config.name} ready: {len(config.ports)} ports, {served}")
        controller.audit("change", own_process("start"), file=str(config.path))
        notify("READY=1")
        status = _wait(events, controller, engine)
        notify("STOPPING=1")
    return status


class Progress:
    """Tells a terminal how many changes are to come if that takes long, and systemd to wait."""

    def __init__(self, name: str) -> None:
        """Tell nothing yet."""
        self._name = name
        self._due_s = time.monotonic() + PROGRESS_S

    def __call__(self, left: int) -> None:
        """Take notice of what is left."""
        if time.monotonic() < self._due_s:
            return
        self._due_s += PROGRESS_S
        notify(f"EXTEND_TIMEOUT_USEC={EXTENSION_US}")
        if sys.stderr.isatty():
            _say(f"{self._name}: {left:,} changes of the tables are to come")


def _wait(events: "queue.SimpleQueue[Event]", controller: Controller, engine: Engine) -> int:
    """Handle events until one of them is the end; look after the router meanwhile."""
    watch = Watch(engine.turns, _say)
    every_s = min(WATCH_S, watch.still_s / 2)
    logged = controller.executor.submit(controller.log_drops)
    while True:
        event: Event | None = None
        with suppress(queue.Empty):
            event = events.get(timeout=every_s)
        watch.look()
        if event is None:
            if problem := engine.problem():
                raise Failure(f"the router has failed: {problem}")
            if logged.done():  # else the management has other work
                logged.result()
                logged = controller.executor.submit(controller.log_drops)
            continue
        if isinstance(event, BaseException):
            traceback.print_exception(event)
            raise Failure(f"the management has failed: {type(event).__name__}: {event}")
        if event in ENDING:
            return 0
        notify("RELOADING=1")
        reloading = controller.executor.submit(controller.reload)
        while not wait([reloading], timeout=every_s).done:
            watch.look()
        _tell(controller, reloading)
        notify("READY=1")


def _tell(controller: Controller, reloading: "Future[Difference]") -> None:
    """Say what came of a reload."""
    who = own_process("SIGHUP")
    try:
        done = reloading.result().summary()
    except Unplaced as error:
        controller.audit("failure", who, method="config.reload", error=str(error))
        _say(f"reload: {error}")
    except (TwinrouteError, OSError) as error:
        controller.audit("failure", who, method="config.reload", error=str(error))
        for line in str(error).splitlines():
            _say(f"reload refused: {line}")
    else:
        controller.audit("change", who, method="config.reload", result=done)
        _say(reload_text(done))


def _stop(engine: Engine) -> None:
    """Drain and stop, and tell what was still held."""
    held = engine.stop()
    _say("stopped" + (f" with {held} packets still held" if held else ""))


@contextmanager
def _signals(events: "queue.SimpleQueue[Event]") -> Iterator[None]:
    """Put signals into the queue, from here to the end: one in mid-start counts once it runs."""

    def keep(number: int, frame: FrameType | None) -> None:
        events.put(number)

    before = {number: signal.signal(number, keep) for number in (*ENDING, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say(text: str) -> None:
    with suppress(OSError):  # nobody reads it
        print(f"twinroute: {on_one_line(text)}", file=sys.stderr, flush=True)
