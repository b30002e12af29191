# SPDX-License-Identifier: MIT
"""The kernel's own router, in a namespace, with veth pairs to the tester's namespace."""

import os
import platform
import shutil
from collections.abc import Callable, Iterator
from typing import Any

from twinroute.conformance import names as n
from twinroute.conformance.device import DeviceError, Missing
from twinroute.conformance.devices.error_cost import ErrorCost
from twinroute.conformance.devices.namespaces import Namespace
from twinroute.conformance.devices.wire import QUIET_MS, WireDevice
from twinroute.conformance.setup import Route, Setup

TESTER_MTU = 9216
KINDS = {"blackhole": "blackhole", "unreachable": "unreachable", "prohibit": "prohibit"}

# What a test bed begins with; a knob changes some of it.
DEFAULTS: dict[str, object] = {
    "net.ipv4.ip_forward": 1,
    "net.ipv4.icmp_ratelimit": 0,
    "net.ipv4.icmp_msgs_per_sec": 1_000_000,
    "net.ipv4.icmp_msgs_burst": 1_000_000,
    "net.ipv4.icmp_errors_use_inbound_ifaddr": 0,
    "net.ipv4.conf.all.rp_filter": 0,
    "net.ipv4.conf.default.rp_filter": 0,
    "net.ipv4.conf.all.send_redirects": 0,
    "net.ipv4.conf.all.accept_source_route": 0,
    "net.ipv4.conf.all.arp_ignore": 1,  # as routers do: an address is the port's
    "net.ipv4.conf.all.arp_announce": 2,
    "net.ipv4.conf.all.ignore_routes_with_linkdown": 1,  # RFC 1812 5.3.12.3
    "net.ipv4.conf.all.drop_unicast_in_l2_multicast": 1,  # RFC 1812 5.3.4
    "net.ipv4.conf.all.shared_media": 0,  # RFC 1812 5.2.7.2: subnets of a port are not one link
}
# Of each port, once it is there.
OF_PORTS: dict[str, object] = {
    "conf.PORT.shared_media": 0,
    "conf.PORT.ignore_routes_with_linkdown": 1,
    "neigh.PORT.locktime": 0,
}
URPF = {"off": 0, "strict": 1, "loose": 2}


def _ports(name: str, value: object) -> dict[str, object]:
    return {f"net.ipv4.{name.replace('PORT', port)}": value for port in n.PORTS}


def _source_route(value: Any) -> dict[str, object]:
    if value not in ("process", "drop"):
        raise Missing(f"source_route = {value}")
    on = int(value == "process")
    return {"net.ipv4.conf.all.accept_source_route": on} | _ports(
        "conf.PORT.accept_source_route", on
    )


def _always(*settings: str) -> Callable[[Any], dict[str, object]]:
    """Return what a knob is that Linux does not have, as it always does one thing."""

    def knob(value: Any) -> dict[str, object]:
        if value not in settings:
            raise KeyError(value)
        return {}

    return knob


# Knobs of the suite as sysctls.
KNOBS: dict[str, Callable[[Any], dict[str, object]]] = {
    "icmp_errors_per_s": lambda value: {
        "net.ipv4.icmp_ratelimit": round(1000 / value) if value else 0
    },
    "arp_retries": lambda value: (
        _ports("neigh.PORT.mcast_solicit", value) | _ports("neigh.PORT.ucast_solicit", value)
    ),
    "arp_retry_ms": lambda value: _ports("neigh.PORT.retrans_time_ms", value),
    "arp_lifetime_s": lambda value: _ports("neigh.PORT.base_reachable_time_ms", value * 1000),
    "neighbor_pending": lambda value: _ports("neigh.PORT.unres_qlen", value),
    "urpf": lambda value: _ports("conf.PORT.rp_filter", URPF[value]),
    "source_route": _source_route,
    "record_route": _always("process"),
    "timestamp": _always("process"),
    "stream_id": _always("ignore"),
    "unknown_option": _always("ignore"),
    "reassembly_s": lambda value: {"net.ipv4.ipfrag_time": value},
    "echo": lambda value: {"net.ipv4.icmp_echo_ignore_all": int(not value)},
    "redirects": lambda value: {"net.ipv4.conf.all.send_redirects": int(value)},
}
PORT_KNOBS: dict[str, Callable[[str, Any], dict[str, object]]] = {
    "urpf": lambda port, value: {f"net.ipv4.conf.{port}.rp_filter": URPF[value]},
    "redirects": lambda port, value: {f"net.ipv4.conf.{port}.send_redirects": int(value)},
    "port_forwarding": lambda port, value: {f"net.ipv4.conf.{port}.forwarding": int(value)},
}


class LinuxDevice(WireDevice):
    """Linux's router."""

    name = "linux"
    capabilities = frozenset({"link", "change"})

    def __init__(self, *, quiet_ms: float = QUIET_MS) -> None:
        """Make the tester's namespace. Raises DeviceError."""
        super().__init__(quiet_ms=quiet_ms)
        if shutil.which("ethtool") is None:
            raise DeviceError("linux: expected the program ethtool")
        self._tester = Namespace(f"tester-{os.getpid()}")
        self._error_cost = ErrorCost()
        self._router: Namespace | None = None

    def end(self) -> None:
        """Remove the namespaces."""
        self.close()
        self._tester.close()
        self._error_cost.close()

    def open(self, setup: Setup) -> None:
        """Make a router in a new namespace."""
        self.close()
        self.setup = setup
        sysctls = self._sysctls(setup)
        self._router = router = Namespace(f"router-{os.getpid()}")
        ports = [port for port in n.PORTS if port in setup.addresses]
        for port in ports:
            self._tester.ip(
                f"link add {port} type veth peer name {port} netns {router.name}",
                f"link set {port} mtu {TESTER_MTU} up",
                f"link set {port} arp off",
            )
        router.sysctl(DEFAULTS)
        router.ip(*self._links(setup, ports))
        router.call(lambda: _no_offload(ports))
        for name, value in OF_PORTS.items():
            router.sysctl(_ports(name, value))
        for port in ports:
            if not setup.addresses[port]:
                router.sysctl({f"net.ipv4.conf.{port}.forwarding": 0})
        router.sysctl(sysctls)
        router.ip(*(f"route add {_route(route)}" for route in setup.routes))
        for port in ports:
            self._settle(port, "UP")
        self.taps = {port: self._tester.tap(port) for port in ports}
        self.captured()

    @staticmethod
    def _links(setup: Setup, ports: list[str]) -> Iterator[str]:
        yield "link set lo up"
        if setup.loopback:
            yield f"address add {setup.loopback}/32 dev lo"
        for port in ports:
            yield f"link set {port} address {n.MAC[port]} mtu {setup.mtu_of(port)}"
            for address in setup.addresses[port]:
                yield f"address add {address} broadcast + dev {port}"
            yield f"link set {port} up"
            for address, mac in setup.known(port).items():
                yield f"neighbor replace {address} lladdr {mac} dev {port} nud permanent"

    @staticmethod
    def _sysctls(setup: Setup) -> dict[str, object]:
        values: dict[str, object] = {}
        for knob, value in setup.knobs.items():
            name, _, port = knob.partition(".")
            try:
                values |= PORT_KNOBS[name](port, value) if port else KNOBS[name](value)
            except KeyError:
                raise Missing(f"Linux has no knob {knob} = {value}") from None
        return values

    def close(self) -> None:
        """Remove the router."""
        for tap in self.taps.values():
            tap.close()
        self.taps = {}
        if self._router is not None:
            for port in n.PORTS:
                if port in self.setup.addresses:
                    self._tester.ip(f"link delete {port}")
            self._router.close()
            self._router = None

    def change(self, setup: Setup) -> None:
        """Change what differs: routes, MTUs, neighbours and knobs."""
        assert self._router
        if setup.addresses != self.setup.addresses:
            raise Missing("addresses are not changed")
        lines = [f"route del {_route(one)}" for one in self.setup.routes if one not in setup.routes]
        lines += [
            f"route add {_route(one)}" for one in setup.routes if one not in self.setup.routes
        ]
        lines += [f"link set {port} mtu {setup.mtu_of(port)}" for port in self.taps]
        self._router.ip(*lines)
        self._router.sysctl(self._sysctls(setup))
        self.setup = setup

    def set_link(self, port: str, up: bool) -> None:
        """Take the tester's end down or up: the router loses the carrier."""
        self._tester.ip(f"link set {port} {'up' if up else 'down'}")
        self._settle(port, "UP" if up else "DOWN")

    def _settle(self, port: str, state: str) -> None:
        """Wait until the kernel has acted on a link's change: until then it loses frames."""
        assert self._router
        for namespace in (self._tester, self._router):
            namespace.wait_for_link(port, state)

    @property
    def versions(self) -> dict[str, str]:
        """Name the kernel."""
        return {"Linux": platform.release()}


def _route(route: Route) -> str:
    """Write a route as `ip` takes it."""
    if route.kind != "via":
        if route.kind not in KINDS:
            raise Missing(f"Linux has no route of kind {route.kind}")
        return f"{KINDS[route.kind]} {route.to}"
    words = [route.to]
    gateways = (route.via,) if isinstance(route.via, str) else route.via
    words += ["via", gateways[0]] if gateways[0] and len(gateways) == 1 else []
    words += ["dev", route.port] if route.port else []
    words += ["metric", str(route.metric)] if route.metric is not None else []
    words += [f"nexthop via {gateway}" for gateway in gateways] if len(gateways) > 1 else []
    return " ".join(words)


def _no_offload(ports: list[str]) -> None:
    """Let the kernel compute checksums itself: a veth would leave that to its other end."""
    import subprocess

    for port in ports:
        words = ["ethtool", "-K", port, "tx", "off", "rx", "off", "gro", "off", "gso", "off"]
        subprocess.run([*words, "tso", "off"], capture_output=True, check=False)
