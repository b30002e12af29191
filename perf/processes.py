# SPDX-License-Identifier: MIT
"""Applications under measurement: `twinroute run` and DPDK's testpmd, each in a process."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from twinroute.control_client import ControlClient
from twinroute.perf.source import Source

WAIT_S = 120.0
POLL_S = 0.002


def wait_for(condition: Callable[[], object], what: str) -> None:
    """Poll until the condition holds."""
    end = time.monotonic() + WAIT_S
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {WAIT_S:g} s: {what}")
        time.sleep(POLL_S)


class Application:
    """A process that ends with the `with` that it is made for."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], log: IO[str] | int | None
    ) -> None:
        """Start it. log: where its output goes; by default stderr comes by a pipe."""
        streams: dict[str, Any] = {"stdout": log, "stderr": subprocess.PIPE if log is None else log}
        environment = {**os.environ, **environment}
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, text=True, env=environment, **streams
        )

    def __enter__(self) -> Self:
        """Return the application."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End it."""
        self.process.terminate()
        self.process.communicate()

    def memory_kb(self) -> dict[str, int]:
        """Return the sums that the kernel has of the process's memory: Rss, Pss and others."""
        lines = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text().splitlines()[1:]
        pairs = (line.split(":") for line in lines)
        return {name: int(value.split()[0]) for name, value in pairs}


class RunningRouter(Application):
    """`twinroute run`, ready."""

    def __init__(
        self, config: Path, control: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        """Start it and wait until it says that it is ready. control: its socket."""
        self._control = control
        command = [sys.executable, "-m", "twinroute", "run", str(config)]
        super().__init__(command, environment or {}, None)
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        self.ready_s = time.monotonic() - self.started
        if " ready: " not in line:
            raise RuntimeError(line + self.process.communicate()[1])

    def ask(self, method: str) -> dict[str, Any]:
        """Ask the router by its control socket."""
        with ControlClient(self._control) as client:
            return client.call(method)

    def settle(self) -> None:
        """Wait until all routes are in force."""
        wait_for(lambda: not self.ask("show.units")["table"]["pending"], "the table")


@dataclass(frozen=True)
class Rate:
    """What the thread that polls the ports of a source does."""

    cycles: float  # of the TSC for a packet, while the thread was on its CPU
    packets_per_burst: float
    on_cpu: float  # part of the time; less than 1 where others wanted the CPU


def forwarding_rate(source: Source, ports: int, seconds: float, *, queues: int = 1) -> Rate:
    """Measure an application that polls `ports` ports of a source by a thread for each queue.

    A port that receives nothing is left out. The cycles are those of all threads together: of two
    that do as much as one would alone, half.
    """
    streams = [(port, queue) for port in range(ports) for queue in range(queues)]
    wait_for(lambda: any(source.stream(*one).packets for one in streams), "traffic")
    time.sleep(seconds / 2)
    before = [source.stream(*one) for one in streams]
    time.sleep(seconds)
    pairs = [(begun, source.stream(*one)) for begun, one in zip(before, streams, strict=True)]
    pairs = [(a, b) for a, b in pairs if b.packets > a.packets]
    # Each queue was looked at in an interval of its own.
    per_ns = sum((b.packets - a.packets) / (b.cpu_ns - a.cpu_ns) for a, b in pairs)
    first, last = pairs[0]
    return Rate(
        cycles=last.hz / 1e9 / per_ns,
        packets_per_burst=(last.packets - first.packets) / (last.bursts - first.bursts),
        on_cpu=(last.cpu_ns - first.cpu_ns) * last.hz / 1e9 / (last.cycles - first.cycles),
    )
