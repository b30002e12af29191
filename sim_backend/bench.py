# SPDX-License-Identifier: MIT
"""A bench: a simulated world of routers, links and stations, run in virtual time.

    bench = Bench.from_config("two_ports.toml")
    bench.port("p0").send(frame, at_us=10)
    bench.run_until_idle()
    frames = bench.port("p1").received()

All calls are plain functions; time passes in run() and run_until_idle() only. The same calls with
the same seed give the same bytes and times on any machine.
"""

import heapq
from collections.abc import Callable
from ipaddress import IPv4Interface
from pathlib import Path
from typing import Any, Protocol, Self

from twinroute.config import Config, build_config, load_config
from twinroute.config_rules import INTERFACE
from twinroute.sim._sim import lib
from twinroute.sim.link import Faults, Link, link_config
from twinroute.sim.profile import Profile, load_profile
from twinroute.sim.router import Port, Router, RouterFaults, add_router
from twinroute.sim.station import OnFrame, Station, add_station
from twinroute.sim.trace import TraceEvent, read_trace, start_trace
from twinroute.sim.world import NEVER_PS, PS_PER_US, BenchError, End, World, argument, picoseconds

RUN_ENDS = {
    lib.TR_RUN_TIME: "time",
    lib.TR_RUN_IDLE: "idle",
    lib.TR_RUN_STOPPED: "stopped",
}


class Linkable(Protocol):
    """A station, a router's port, or a port's twin."""

    @property
    def end(self) -> End:
        """What C calls it."""


class Bench:
    """A simulated world and its clock."""

    def __init__(
        self,
        seed: int = 1,
        profile: str | Path | Profile = "functional",
        guard_tables: bool = False,
    ) -> None:
        """Make an empty world.

        seed: decides ties and faults. profile: what processing costs, unless a router has its own.
        guard_tables: a router's tables are protected from whoever may not touch them.
        """
        self.world = World(seed)
        self.profile = profile if isinstance(profile, Profile) else load_profile(profile)
        self.guard_tables = guard_tables
        self.routers: dict[str, Router] = {}
        self._timed: list[tuple[int, int, Callable[[], object]]] = []
        self._timed_count = 0
        self._until_ps = 0
        self._stopped = False
        self._split = False  # a run ended only because a timed function comes sooner

    @classmethod
    def from_config(
        cls,
        config: Config | str | Path,
        *,
        seed: int | None = None,
        profile: str | Path | Profile | None = None,
        guard_tables: bool = False,
        faults: RouterFaults | None = None,
    ) -> Self:
        """Make a world of one router and a station at each of its ports, which records.

        config: a Config or the path of a TOML file; its `[sim]` has seed and profile. The stations
        answer ARP for their whole subnet, if the configuration says so. Routes are in place.
        """
        if not isinstance(config, Config):
            config = load_config(config)
        bench = cls(
            config.sim.seed if seed is None else seed,
            config.sim.profile if profile is None else profile,
            guard_tables,
        )
        router = bench.router(config, faults=faults)
        for name, port in config.ports.items():
            station = bench._at_port(name, port.addresses, config.sim.neighbors)
            link = config.sim.port[name]
            bench.link(station, router.port(name), rate=link.rate, delay_us=link.delay_us)
        bench.settle()
        return bench

    def _at_port(self, name: str, own: list[IPv4Interface], neighbors: str) -> Station:
        """Make the station at a port: all neighbours of the port in one."""
        if not own:
            return add_station(self.world, name=f"at-{name}")
        network = own[0].network
        taken = {interface.ip for interface in own}
        free = (host for host in network.hosts() if host not in taken)
        return add_station(
            self.world,
            name=f"at-{name}",
            address=IPv4Interface((next(free, network.network_address), network.prefixlen)),
            answers_for_all=True,
            arp="subnet" if neighbors == "answer" else "silent",
        )

    # --- building ---------------------------------------------------------------------------------

    def router(
        self,
        config: Config | None = None,
        *,
        name: str | None = None,
        profile: str | Path | Profile | None = None,
        faults: RouterFaults | None = None,
        **tables: Any,
    ) -> Router:
        """Add a router, from a Config or from the tables of a configuration file as arguments.

        `router(port={"p0": "10.1.0.1/24"}, route=[{"to": "0.0.0.0/0", "via": "10.1.0.2"}])`; a
        port may be given by its address alone. The profile is the bench's, if there is none here.
        """
        if config is None:
            config = build_config(_tables(name or f"r{len(self.routers) + 1}", tables))
        elif tables:
            raise ValueError(f"router: a Config, or tables ({', '.join(tables)}), not both")
        elif name is not None:
            config = config.model_copy(update={"name": name})
        if config.name in self.routers:
            raise ValueError(f'router "{config.name}": expected another name, there is one')
        if profile is None:
            profile = self.profile
        router = add_router(
            self.world,
            config,
            profile=profile if isinstance(profile, Profile) else load_profile(profile),
            faults=faults or RouterFaults(),
            guard_tables=self.guard_tables,
        )
        self.routers[config.name] = router
        return router

    def station(
        self,
        name: str | None = None,
        *,
        address: str | None = None,
        mac: str | None = None,
        arp: str = "silent",
        echo: bool = False,
        record: bool = True,
        on_frame: OnFrame | None = None,
        silent: float = 0.0,
    ) -> Station:
        """Add a station; by default it only sends what it is told to, and records.

        address: with prefix length. arp: it answers for its "own" address, for every address of
        its "subnet", or is "silent". echo: it answers pings. on_frame: called with the station and
        each frame that it did not answer. silent: chance that an ARP request stays unanswered.
        """
        return add_station(
            self.world,
            name=name,
            address=None if address is None else argument("address", address, INTERFACE),
            mac=mac,
            arp=arp,
            echo=echo,
            record=record,
            on_frame=on_frame,
            silent=silent,
        )

    def host(
        self,
        name: str,
        address: str,
        *,
        mac: str | None = None,
        arp: str = "own",
        echo: bool = True,
        record: bool = True,
        on_frame: OnFrame | None = None,
        silent: float = 0.0,
    ) -> Station:
        """Add a station that behaves as a host: it answers ARP and pings. See station()."""
        return self.station(
            name,
            address=address,
            mac=mac,
            arp=arp,
            echo=echo,
            record=record,
            on_frame=on_frame,
            silent=silent,
        )

    def link(
        self,
        a: Linkable,
        b: Linkable,
        *,
        rate: str | int = "10G",
        delay_us: float = 0.0,
        faults: Faults | None = None,
        back_faults: Faults | None = None,
    ) -> Link:
        """Link two ends: stations, ports, twins. Direction 0, with `faults`, is from a to b.

        rate: bit/s, or like "2.5G"; "unlimited": frames take no time. delay_us: of propagation.
        """
        config = link_config(rate, delay_us, faults, back_faults)
        return Link(self.world, self.world.connect((a.end, b.end), config))

    @property
    def only(self) -> Router:
        """The router, where there is just one."""
        if len(self.routers) != 1:
            raise BenchError(f"the bench has {len(self.routers)} routers: name the one you mean")
        return next(iter(self.routers.values()))

    def port(self, name: str) -> Port:
        """Return a port of the only router."""
        return self.only.port(name)

    # --- time -------------------------------------------------------------------------------------

    @property
    def now_ps(self) -> int:
        """Virtual time, picoseconds."""
        return self.world.now_ps

    @property
    def now_us(self) -> float:
        """Virtual time, microseconds."""
        return self.now_ps / PS_PER_US

    def at(self, us: float, function: Callable[[], object]) -> None:
        """Call a function at a virtual time in mid-run; what it raises ends the run."""
        time_ps = picoseconds(us=us, name="at")
        assert time_ps is not None
        self._timed_count += 1
        heapq.heappush(self._timed, (max(time_ps, self.now_ps), self._timed_count, function))
        if self.world.running and time_ps < self._until_ps:
            self._split = True
            lib.tr_world_stop(self.world.pointer)

    def stop(self) -> None:
        """End the run from a callback."""
        self._stopped = True
        if self.world.running:
            lib.tr_world_stop(self.world.pointer)

    def run(
        self, *, us: float | None = None, ps: int | None = None, stop_idle: bool = False
    ) -> str:
        """Run for a time, from now; return "time", or "stopped" if stop() was called.

        stop_idle: return "idle" as soon as no frame is on its way or held anywhere.
        """
        length = picoseconds(us=us, ps=ps, name="run")
        if length is None:
            raise ValueError("run: expected us or ps")
        end = self._run(min(self.now_ps + length, NEVER_PS - 1), stop_idle=stop_idle)
        if stop_idle and end == "time" and not self._timed and not self.in_flight:
            return "idle"
        return end

    def run_until_idle(self, limit_us: float = 300_000_000) -> str:
        """Run until no frame is on its way or held anywhere; return "idle", or "stopped".

        limit_us: virtual time after which BenchError names what is still on its way.
        """
        end = self.run(us=limit_us, stop_idle=True)
        if end == "time":
            raise BenchError(f"not idle after {limit_us:g} us: {self._still()}")
        return end

    def settle(self, limit_us: float = 1_000_000) -> None:
        """Run until every change of routes so far is in the tables of every unit."""
        limit_ps = self.now_ps + round(limit_us * PS_PER_US)
        step_ps = 0
        while True:
            self.run(ps=step_ps)
            step_ps = PS_PER_US
            infos = [router.table_info() for router in self.routers.values()]
            if not any(info.pending or info.swap_outstanding for info in infos):
                return
            if self.now_ps >= limit_ps:
                raise BenchError(f"tables still change after {limit_us:g} us")

    def _run(self, until_ps: int, *, stop_idle: bool) -> str:
        """Run up to a time, calling the timed functions in between."""
        self.world.at_rest("run")
        self._stopped = False
        while not self._stopped:
            # At its time a function is called after the events of that time.
            timed_ps = self._timed[0][0] if self._timed else NEVER_PS
            self._until_ps = min(timed_ps, until_ps)
            self._split = False
            end = RUN_ENDS[self.world.run(self._until_ps, stop_idle=stop_idle and not self._timed)]
            if self._split or end != "time":
                if self._split and not self._stopped:
                    continue
                return end
            if timed_ps > until_ps:
                return end
            while self._timed and self._timed[0][0] <= self.now_ps and not self._stopped:
                heapq.heappop(self._timed)[2]()
        return "stopped"

    # --- looking at it ----------------------------------------------------------------------------

    @property
    def in_flight(self) -> int:
        """Frames on wires, in queues, in routers, and not yet sent."""
        return int(lib.tr_world_in_flight(self.world.pointer))

    @property
    def hash(self) -> int:
        """Hash over every event so far: two runs that agree in it did the same."""
        return int(lib.tr_world_hash(self.world.pointer))

    def trace(self, filter: str = "", *, most: int = 10) -> None:
        """Trace the first `most` frames that stations send from now on and match.

        filter: a libpcap filter like "icmp or udp port 53"; "" matches every frame.
        """
        start_trace(self.world, filter, most)

    def trace_events(self, first: int = 0) -> list[TraceEvent]:
        """Return the events of traced packets up to now; format_trace() writes them.

        first: the number of events to leave out, which an earlier call returned.
        """
        return read_trace(self.world, first)

    def _still(self) -> str:
        """Name what keeps the world from being idle."""
        held = [(name, router.held()) for name, router in self.routers.items()]
        parts = [f"{count} held by {name}" for name, count in held if count]
        rest = self.in_flight - sum(count for _, count in held)
        if rest > 0:
            parts.append(f"{rest} on wires, in queues or not yet sent")
        if self._timed:
            first = self._timed[0][0] / PS_PER_US
            parts.append(f"{len(self._timed)} timed functions, the first at {first:.6f} us")
        return "frames " + ", ".join(parts)

    def check_conservation(self) -> None:
        """Raise BenchError unless every packet of every router is accounted for."""
        idle = self.in_flight == 0
        problems = []
        for name, router in self.routers.items():
            counters, held = router.counters(), router.held()
            if counters.came != counters.left + held:
                problems.append(
                    f"{name}: received + twin + generated = {counters.came}, but sent + twin"
                    f" + dropped + held = {counters.left} + {held} = {counters.left + held}"
                )
            for port in router.info.ports:
                nic = router.nic(port)
                for what, outer, inner in (
                    ("received", nic.received, counters.received[port]),
                    ("sent", counters.sent[port], nic.sent),
                ):
                    if outer < inner or (idle and outer != inner):
                        first, second = ("NIC", "core") if what == "received" else ("core", "NIC")
                        problems.append(
                            f"{name}.{port}: {first} {what} {outer}, {second} {what} {inner}"
                        )
        if problems:
            raise BenchError("\n".join(problems))


def _tables(name: str, tables: dict[str, Any]) -> dict[str, Any]:
    """Fill the tables of a configuration up from their short forms."""
    short = tables.get("port", {})
    if isinstance(short, dict):
        ports = {
            port: {"address": value} if isinstance(value, str | list) else value
            for port, value in short.items()
        }
        tables = {**tables, "port": ports}
    return {"router": {"name": name}, **tables}
