# SPDX-License-Identifier: MIT
"""The counters of a running router for Prometheus, over HTTP.

Values are read when somebody scrapes, in the management's thread; between scrapes this costs
nothing. Names follow https://prometheus.io/docs/practices/naming/: base units, _total for counters.
"""

from collections.abc import Iterator, Mapping
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

import twinroute
from twinroute.control import Controller
from twinroute.errors import TwinrouteError

Family = CounterMetricFamily | GaugeMetricFamily
PORT_COUNTERS = {
    "received": ("port_receive_packets", "Packets that the router took from a port."),
    "received_bytes": ("port_receive_bytes", "Bytes of the frames that it took from a port."),
    "sent": ("port_transmit_packets", "Packets that the router gave to a port."),
    "sent_bytes": ("port_transmit_bytes", "Bytes of the frames that it gave to a port."),
    "received_twin": ("twin_receive_packets", "Packets that the host sent by a port's twin."),
    "sent_twin": ("twin_transmit_packets", "Packets for the host, by a port's twin."),
}
UNIT_COUNTERS = {
    "forwarded": ("forwarded_packets", "Packets of others that a unit has sent on."),
    "generated": ("generated_packets", "Packets that a unit has made."),
    "bursts": ("bursts", "Receive calls that found packets."),
    "swaps": ("table_switches", "Times that a unit has switched to a new table."),
}
NIC_TRAFFIC = ("received", "received_bytes", "sent", "sent_bytes")


class RouterCollector(Collector):
    """Reads a router's state whenever it is scraped."""

    def __init__(self, controller: Controller) -> None:
        """Read through this Controller."""
        self._controller = controller

    def describe(self) -> list[Family]:
        """Return nothing: names are not needed before a scrape."""
        return []

    def collect(self) -> list[Family]:
        """Read everything, at one moment as the management sees it."""
        return self._controller.call(lambda: list(self._families()))

    def _families(self) -> Iterator[Family]:
        yield from self._router()
        yield from self._ports()
        yield from self._units()
        yield from self._reasons()
        yield from self._filters()
        yield from self._tables()

    def _router(self) -> Iterator[Family]:
        labels = {
            "name": self._controller.config.name,
            "backend": self._controller.target.backend,
            "version": twinroute.__version__,
        }
        info = _gauge("info", "The router; always 1.", *labels)
        info.add_metric(list(labels.values()), 1)
        yield info

    def _ports(self) -> Iterator[Family]:
        counters = self._controller.target.router.counters()
        for field, (name, text) in PORT_COUNTERS.items():
            yield _filled(_counter(name, text, "port"), getattr(counters, field))
        states = self._controller.target.port_states()
        nic = _counter("nic_lost_frames", "Frames that a port's NIC has lost.", "port", "reason")
        for state in states:
            for reason, count in state.nic.items():
                if reason not in NIC_TRAFFIC:
                    nic.add_metric([state.name, reason], count)
        yield nic
        link = _gauge("port_link_up", "Whether a port has a link.", "port")
        yield _filled(link, {state.name: state.link_up for state in states})
        usable = _gauge("port_usable", "Whether routes by a port are used.", "port")
        router = self._controller.target.router
        yield _filled(
            usable, {state.name: router.port_status(state.name).usable for state in states}
        )

    def _units(self) -> Iterator[Family]:
        router = self._controller.target.router
        states = self._controller.target.unit_states()
        units = [router.counters(state.index) for state in states]
        for field, (name, text) in UNIT_COUNTERS.items():
            values = {str(state.index): 0 for state in states}
            values |= {str(index): getattr(unit, field) for index, unit in enumerate(units)}
            yield _filled(_counter(name, text, "unit"), values)
        held = _gauge("held_packets", "Packets in a unit's queues, about.", "unit")
        yield _filled(held, {str(state.index): state.held for state in states})
        turns = _counter("unit_turns", "Turns of a unit's loop.", "unit", "state")
        for state in states:
            turns.add_metric([str(state.index), "busy"], state.turns - state.idle)
            turns.add_metric([str(state.index), "idle"], state.idle)
        yield turns
        flushes = _counter("flushes", "Times that buffers were sent.", "unit", "cause")
        for index, unit in enumerate(units):
            flushes.add_metric([str(index), "full"], unit.flushes_full)
            flushes.add_metric([str(index), "timeout"], unit.flushes_timeout)
        yield flushes
        labels = ("unit", "step")
        steps = {
            "calls": _counter("step_calls", "Calls of a step.", *labels),
            "lanes": _counter("step_packets", "Packets that a step was called with.", *labels),
            "cycles": _counter("step_cycles", "Processor cycles of timed packets.", *labels),
            "timed_lanes": _counter(
                "step_timed_packets", "Packets whose cycles were counted.", *labels
            ),
        }
        for index, unit in enumerate(units):
            for step, counted in unit.steps.items():
                for field, family in steps.items():
                    family.add_metric([str(index), step], getattr(counted, field))
        yield from steps.values()

    def _reasons(self) -> Iterator[Family]:
        router = self._controller.target.router
        counters, native = router.counters(), router.native
        dropped = _counter("dropped_packets", "Packets lost, by reason.", "reason")
        lost = (one.name for one in native.drops if not one.consumed)
        yield _filled(dropped, {name: counters.dropped[name] for name in lost})
        consumed = _counter("consumed_packets", "Packets answered or used up.", "reason")
        used = (one.name for one in native.drops if one.consumed)
        yield _filled(consumed, {name: counters.dropped[name] for name in used})
        punted = _counter("punted_packets", "Packets handed to the slow path.", "reason")
        yield _filled(punted, {one.name: counters.punted[one.name] for one in native.punts})

    def _filters(self) -> Iterator[Family]:
        labels = ("rule", "action", "match", "ports")
        packets = _counter("filter_packets", "Packets that a rule has decided on.", *labels)
        for index, rule in enumerate(self._controller.target.router.filters()):
            ports = ",".join(rule.ports)
            packets.add_metric([str(index + 1), rule.action, rule.match, ports], rule.packets)
        yield packets

    def _tables(self) -> Iterator[Family]:
        router = self._controller.target.router
        info = router.table_info()
        for name, text, value in (
            ("routes", "Prefixes with a route.", info.routes),
            ("next_hops", "Next hops in use.", info.next_hops),
            ("table_pending_changes", "Changes not yet in the fast path's table.", info.pending),
            ("table_unplaced_routes", "Prefixes for which there is no room.", info.unplaced),
        ):
            yield _filled(_gauge(name, text), {"": value})
        lost = _counter("route_changes_lost", "Changes of routes without memory for them.")
        yield _filled(lost, {"": info.lost})
        yield _filled(_counter("table_swaps", "Tables published."), {"": info.generation})
        neighbors = _gauge("neighbors", "Entries of the neighbour table.", "port", "state")
        waiting = _gauge("neighbor_waiting_packets", "Packets that wait for neighbours.", "port")
        entries: dict[tuple[str, str], int] = {}
        packets = dict.fromkeys(router.info.ports, 0)
        for entry in router.neighbors():
            key = (entry.port, "static" if entry.static else entry.state)
            entries[key] = entries.get(key, 0) + 1
            packets[entry.port] += entry.pending
        for labels, count in entries.items():
            neighbors.add_metric(labels, count)
        yield neighbors
        yield _filled(waiting, packets)


def _counter(name: str, text: str, *labels: str) -> CounterMetricFamily:
    return CounterMetricFamily(f"twinroute_{name}", text, labels=labels)


def _gauge(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"twinroute_{name}", text, labels=labels)


def _filled(family: Family, values: Mapping[str, float]) -> Family:
    """Add a value for each label; the label "" is none."""
    for label, value in values.items():
        family.add_metric([label] if label else [], value)
    return family


class MetricsServer:
    """Serves a router's counters at http://ADDRESS:PORT/metrics until stop()."""

    def __init__(self, controller: Controller, listen: tuple[str, int]) -> None:
        """Begin to serve. Raises TwinrouteError where nobody can listen there."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(RouterCollector(controller))
        address, port = listen
        try:
            server, self._thread = start_http_server(port, addr=address, registry=registry)
        except OSError as error:
            where = f"[{address}]" if ":" in address else address
            raise TwinrouteError(f"metrics.listen = {where}:{port}: {error.strerror}") from None
        self._server: WSGIServer = server

    @property
    def port(self) -> int:
        """The port, which the kernel has chosen if it was 0."""
        return self._server.server_port

    def stop(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
