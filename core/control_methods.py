# SPDX-License-Identifier: MIT
"""The methods of the control protocol: parameters, what each does, and what it returns.

A method takes its checked parameters and returns an object for JSON. One that is a generator
yields an object for each event, or None while there is none yet, and is sent True when it shall
come to an end. All of it runs in the management's thread (control.py); control-protocol.md is for
those who write clients.
"""

import base64
import os
from collections.abc import Callable, Generator, Iterator
from dataclasses import asdict, dataclass
from ipaddress import IPv4Address, IPv4Network
from itertools import islice
from typing import Any

from pydantic import ValidationError

import twinroute
from twinroute import control_params as p
from twinroute import control_ports, routes
from twinroute.config_errors import validation_problems
from twinroute.config_log import AuditEvent
from twinroute.control import Controller
from twinroute.counters import Counters, StepCounters
from twinroute.errors import ConfigError, InputError
from twinroute.port_api import route_infos
from twinroute.routes import Array
from twinroute.target import TraceRecord

Object = dict[str, Any]
Stream = Generator[Object | None, bool | None, Object]

ROUTES_AN_EVENT = 500
DATA_AN_EVENT = 64 << 10  # bytes of frames
LOAD_BYTES_MAX = 256 << 20
HIDDEN = ("consuming", "steps")
NIC_TRAFFIC = ("received", "received_bytes", "sent", "sent_bytes")
SENDING = ("transmit", "slow_transmit")


class Session:
    """The methods as one connection has them; a route file in parts is kept here."""

    def __init__(self, controller: Controller) -> None:
        """Serve a connection."""
        self.controller = controller
        self._parts: list[str] = []
        self._parts_bytes = 0

    # --- show -------------------------------------------------------------------------------------

    def ping(self, params: p.Params) -> Object:
        """Tell who is there."""
        return {
            "version": twinroute.__version__,
            "name": self.controller.config.name,
            "backend": self.controller.target.backend,
            "pid": os.getpid(),
        }

    def show_routes(self, params: p.ShowRoutes) -> Stream:
        """Yield routes, some hundreds an event; return their number and the tables' state."""
        router = self.controller.target.router
        rows = _chosen(router.routes_array(all=params.all), params, router.native.route_sources)
        infos = route_infos(router, rows)
        while some := list(islice(infos, ROUTES_AN_EVENT)):
            if (yield {"routes": [_plain(asdict(info)) for info in some]}):
                break
        count = len(routes.starts(router.native, rows))
        return {"count": count, "table": asdict(router.table_info())}

    def show_neighbors(self, params: p.Params) -> Object:
        """Return the neighbour table."""
        entries = self.controller.target.router.neighbors()
        return {"neighbors": [_plain(asdict(entry)) for entry in entries]}

    def show_counters(self, params: p.ShowUnit) -> Object:
        """Return the counters of all units together, or of one."""
        counters = self._counters(params.unit)
        shown = {name: value for name, value in vars(counters).items() if name not in HIDDEN}
        held = self.controller.target.router.held(params.unit)
        return {**shown, "dropped": dict(counters.lost), "consumed": dict(counters.consumed)} | {
            "punted": dict(counters.punted),
            "held": held,
        }

    def show_drops(self, params: p.ShowUnit) -> Object:
        """Return every reason with its count: drops, what was consumed, punts, losses of NICs."""
        counters, native = self._counters(params.unit), self.controller.target.router.native

        def counted(reasons: Any, counts: Any) -> list[Object]:
            return [
                {"name": one.name, "rfc": one.rfc, "text": one.text, "packets": counts[one.name]}
                for one in reasons
            ]

        nic = {
            state.name: {
                name: count for name, count in state.nic.items() if name not in NIC_TRAFFIC
            }
            for state in self.controller.target.port_states()
        }
        return {
            "dropped": counted((r for r in native.drops if not r.consumed), counters.dropped),
            "consumed": counted((r for r in native.drops if r.consumed), counters.dropped),
            "punted": counted(native.punts, counters.punted),
            "nic": nic,
        }

    def show_filters(self, params: p.Params) -> Object:
        """Return the rules of the packet filter with their counters, in their order."""
        return {"filters": [asdict(rule) for rule in self.controller.target.router.filters()]}

    def show_steps(self, params: p.ShowUnit) -> Object:
        """Return calls, lanes and cycles of every step."""
        return {"steps": _steps(self._counters(params.unit).steps)}

    def show_units(self, params: p.Params) -> Object:
        """Return the units, their processors, and how busy they are."""
        units = []
        for state in self.controller.target.unit_states():
            counters = self._counters(state.index)
            cycles = sum(step.all_cycles for step in counters.steps.values())
            work = {name: getattr(counters, name) for name in ("bursts", "forwarded", "swaps")}
            flushes = {"full": counters.flushes_full, "timeout": counters.flushes_timeout}
            units.append(asdict(state) | work | {"flushes": flushes, "step_cycles": cycles})
        return {"units": units, "table": asdict(self.controller.target.router.table_info())}

    def show_config(self, params: p.Params) -> Object:
        """Return the configuration that runs, defaults filled in."""
        config = self.controller.config
        return {"path": str(config.path or ""), "config": config.model_dump(mode="json")}

    def _counters(self, unit: int | None) -> Counters:
        router = self.controller.target.router
        if unit is not None and not 0 <= unit < router.info.units:
            raise InputError(f"unit = {unit}: expected 0 to {router.info.units - 1}")
        return router.counters(unit)

    # --- change -----------------------------------------------------------------------------------

    def route_lookup(self, params: p.Lookup) -> Object:
        """Return what the active table does with an address."""
        (hop,) = self.controller.target.router.lookup([params.address])
        found: Object = _plain(asdict(hop))
        return found

    def route_add(self, params: p.RouteAdd) -> Object:
        """Add or replace a route."""
        fields = params.model_dump(exclude={"to"})
        self.controller.target.router.route_add(params.to, **fields)
        self.controller.target.settle()
        return {}

    def route_delete(self, params: p.RouteDelete) -> Object:
        """Delete a route that was added here."""
        router = self.controller.target.router
        rows = router.routes_array(all=True)
        to = params.to
        rows = rows[(rows["prefix"] == int(to.network_address)) & (rows["bits"] == to.prefixlen)]
        rows = rows[routes.starts(router.native, rows)]
        by_hand = rows["source"] == router.native.lib.TR_SOURCE_API
        added: list[int] = rows["metric"][by_hand].tolist()
        if not added:
            sources = " and ".join(router.native.route_sources[int(one)] for one in rows["source"])
            there = f", that of {sources} is not to be deleted here" if sources else ""
            raise InputError(f"route.delete: to = {to}: expected a route added here{there}")
        metric = added[0] if params.metric is None and len(added) == 1 else params.metric
        if metric is None or metric not in added:
            metrics = ", ".join(map(str, added))
            raise InputError(f"route.delete: to = {to}: expected the metric of one: {metrics}")
        router.route_delete(to, metric=metric)
        self.controller.target.settle()
        return {}

    def route_load(self, params: p.RouteLoad) -> Object:
        """Take the next part of a route file; with the last one load all routes, or none."""
        self._parts.append(params.text)
        self._parts_bytes += len(params.text)
        if self._parts_bytes > LOAD_BYTES_MAX:
            self._parts, self._parts_bytes = [], 0
            raise InputError(f"{params.name}: expected at most {LOAD_BYTES_MAX >> 20} MiB")
        if params.more:
            return {"bytes": self._parts_bytes}
        text = "".join(self._parts).encode("utf-8", "surrogateescape")
        self._parts, self._parts_bytes = [], 0
        router = self.controller.target.router
        options: Object = {"via": params.via, "preference": params.preference}
        changes = router.routes_parse(text, params.name, **options)
        router.routes_apply(changes)
        self.controller.target.settle()
        return {"routes": len(routes.starts(router.native, changes["route"]))}

    def neighbor_add(self, params: p.NeighborAdd) -> Object:
        """Set a neighbour's MAC address."""
        self._check_neighbor(params)
        self.controller.target.router.neighbor_set(params.port, params.address, params.mac)
        self.controller.target.settle()
        return {}

    def neighbor_delete(self, params: p.NeighborDelete) -> Object:
        """Delete a neighbour that was set."""
        router = self.controller.target.router
        key = (params.port, params.address)
        if key not in ((one.port, one.address) for one in router.neighbors() if one.static):
            raise InputError(
                f"neighbor.delete: {params.address} on {params.port}: expected one that was set"
            )
        router.neighbor_delete(*key)
        self.controller.target.settle()
        return {}

    def _check_neighbor(self, params: p.NeighborAdd) -> None:
        ports = self.controller.config.ports
        if params.port not in ports:
            raise InputError(f"port = {params.port}: expected one of {', '.join(ports)}")
        networks = [address.network for address in ports[params.port].addresses]
        if not any(params.address in network for network in networks):
            subnets = ", ".join(map(str, networks)) or "which has none"
            where = f"one on a subnet of {params.port}, {subnets}"
            raise InputError(f"neighbor.add: address = {params.address}: expected {where}")
        own = (address.ip for port in ports.values() for address in port.addresses)
        if params.address in own:
            where = "a neighbour's, this is the router's own"
            raise InputError(f"neighbor.add: address = {params.address}: expected {where}")

    def config_reload(self, params: p.Params) -> Object:
        """Read the configuration file again and bring the router to it, or refuse."""
        return self.controller.reload().summary()

    # --- watch ------------------------------------------------------------------------------------

    def capture(self, params: p.Capture) -> Stream:
        """Yield frames as they pass; first an event that tells that it has begun."""
        ports = self.controller.config.ports
        if wrong := [name for name in params.ports if name not in ports]:
            raise InputError(f"port = {wrong[0]}: expected one of {', '.join(ports)}")
        capture = self.controller.target.capture(
            params.ports, params.direction, params.filter, params.snap_bytes, params.buffers
        )
        sent = 0
        try:
            ended = yield {"capturing": params.ports or list(ports)}
            while not 0 < params.count <= sent:
                last = ended  # told to end: what is there by then still counts
                frames = capture.read()
                if params.count:
                    frames = frames[: params.count - sent]
                for event in _frame_events(frames):
                    sent += len(event["frames"])
                    ended = yield event
                if last:
                    break
                if not frames:
                    ended = yield None
            return {"frames": sent, "lost": capture.lost}
        finally:
            capture.stop()

    def trace(self, params: p.Trace) -> Stream:
        """Yield what the router does with packets; first an event that tells that it has begun."""
        trace = self.controller.target.trace(params.filter, params.count)
        over: dict[int, bool] = {}  # packets, and whether their last record is an end
        try:
            ended = yield {"tracing": params.count}
            while True:
                last = ended
                records = trace.read()
                over |= {record.packet: _ends(record) for record in records}
                if records:
                    ended = yield {"records": [asdict(record) for record in records]}
                elif last or (len(over) >= params.count and all(over.values())):
                    break
                else:
                    ended = yield None
            return {"packets": len(over), "lost": trace.lost}
        finally:
            trace.stop()


def _chosen(rows: Array, params: p.ShowRoutes, sources: dict[int, str]) -> Array:
    """Return the routes that were asked for."""
    if params.source is not None:
        numbers = {name: number for number, name in sources.items()}
        if params.source not in numbers:
            expected = ", ".join(numbers)
            raise InputError(f'source = "{params.source}": expected one of {expected}')
        rows = rows[rows["source"] == numbers[params.source]]
    if params.within is not None:
        low, high = int(params.within.network_address), int(params.within.broadcast_address)
        inside = (rows["prefix"] >= low) & (rows["prefix"] <= high)
        rows = rows[inside & (rows["bits"] >= params.within.prefixlen)]
    return rows


def _plain(value: Any) -> Any:
    """Write addresses as text."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, tuple):
        return [_plain(inner) for inner in value]
    return str(value) if isinstance(value, IPv4Address | IPv4Network) else value


def _steps(steps: dict[str, StepCounters]) -> list[Object]:
    return [{"name": name, **asdict(counters)} for name, counters in steps.items()]


def _frame_events(frames: list[Any]) -> Iterator[Object]:
    """Put frames into events of a bounded size."""
    batch: list[Object] = []
    size = 0
    for frame in frames:
        batch.append({**vars(frame), "data": base64.b64encode(frame.data).decode()})
        size += len(frame.data)
        if size >= DATA_AN_EVENT:
            yield {"frames": batch}
            batch, size = [], 0
    if batch:
        yield {"frames": batch}


def _ends(record: TraceRecord) -> bool:
    """Tell whether a packet is over, or on its way out, with this record."""
    if record.verdict == "forward":
        return record.step in SENDING
    return record.verdict != "punt"


@dataclass(frozen=True)
class Method:
    """A method by its name in the protocol."""

    params: type[p.Params]
    call: Callable[[Session, Any], Object | Stream]


METHODS = {
    "ping": Method(p.Params, Session.ping),
    "show.ports": Method(p.Params, control_ports.show_ports),
    "show.routes": Method(p.ShowRoutes, Session.show_routes),
    "show.neighbors": Method(p.Params, Session.show_neighbors),
    "show.counters": Method(p.ShowUnit, Session.show_counters),
    "show.drops": Method(p.ShowUnit, Session.show_drops),
    "show.filters": Method(p.Params, Session.show_filters),
    "show.steps": Method(p.ShowUnit, Session.show_steps),
    "show.units": Method(p.Params, Session.show_units),
    "show.config": Method(p.Params, Session.show_config),
    "route.lookup": Method(p.Lookup, Session.route_lookup),
    "route.add": Method(p.RouteAdd, Session.route_add),
    "route.delete": Method(p.RouteDelete, Session.route_delete),
    "route.load": Method(p.RouteLoad, Session.route_load),
    "neighbor.add": Method(p.NeighborAdd, Session.neighbor_add),
    "neighbor.delete": Method(p.NeighborDelete, Session.neighbor_delete),
    "port.up": Method(p.PortName, control_ports.port_up),
    "port.down": Method(p.PortName, control_ports.port_down),
    "config.reload": Method(p.Params, Session.config_reload),
    "capture": Method(p.Capture, Session.capture),
    "trace": Method(p.Trace, Session.trace),
}

# What of them the audit tells (config_log.py).
EVENTS: dict[str, AuditEvent] = {
    **dict.fromkeys(("route.add", "route.delete", "route.load"), "change"),
    **dict.fromkeys(("neighbor.add", "neighbor.delete"), "change"),
    **dict.fromkeys(("port.up", "port.down", "config.reload"), "change"),
    **dict.fromkeys(("capture", "trace"), "watch"),
}


def begin(session: Session, method: object, params: object) -> Object | Stream:
    """Check a request and begin what it asks for. Raises ConfigError or InputError."""
    if not isinstance(method, str) or method not in METHODS:
        raise InputError(f"method = {method!r:.60}: expected one of {', '.join(METHODS)}")
    entry = METHODS[method]
    document = {} if params is None else params
    if not isinstance(document, dict):
        raise InputError(f"params = {params!r:.60}: expected an object")
    try:
        checked = entry.params.model_validate(document)
    except ValidationError as error:
        found = validation_problems(method, document, error.errors(), entry.params)
        raise ConfigError(found) from None
    return entry.call(session, checked)
