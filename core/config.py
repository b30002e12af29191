# SPDX-License-Identifier: MIT
"""The router's configuration: its models, and the TOML file that they are read from.

One value is checked by its rule (config_rules.py), values against each other by config_checks.py,
and config_errors.py makes one line of each problem. Nothing comes of a file with a problem.
"""

import binascii
import re
import tomllib
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from twinroute import config_checks, config_rules
from twinroute.config_backends import Dpdk, DpdkPort, Sim, SimPort
from twinroute.config_errors import on_one_line, problem, validation_problems
from twinroute.config_filters import ACTION, Action, Filter, Martians
from twinroute.config_groups import DAEMONS_GROUPS, GROUP, MulticastRoute
from twinroute.config_icmp import Icmp
from twinroute.config_log import STDERR, Log
from twinroute.config_options import Options
from twinroute.config_qos import Qos
from twinroute.config_rules import Expected, choice, integer, number, power_of_two
from twinroute.errors import ConfigError

PORTS_MAX = 32
GATEWAYS_MAX = 16
FILE_BYTES_MAX = 64 << 20
SOCKETS = Path("/run/twinroute")

Scatter = Literal["drop-out", "masks", "split"]
Vector = Literal["auto", "scalar", "avx2", "avx512"]
Lpm = Literal["dir24_8", "compact"]
RouteKind = Literal["via", "blackhole", "unreachable", "prohibit"]
ReversePath = Literal["off", "strict", "feasible", "loose", "loose-no-default"]
PortName = Annotated[str, config_rules.name(15, "a port's name")]
FilePath = Annotated[Path, config_rules.FILE]
Preference = Annotated[int, integer(0, 255)]
Metric = Annotated[int, integer(0, 65535)]
RouteGateways = Annotated[
    list[Annotated[IPv4Address, config_rules.ADDRESS]],
    BeforeValidator(lambda value: [value] if isinstance(value, str | IPv4Address) else value),
    Expected(f'an IPv4 address, as "10.0.0.2", or a list of at most {GATEWAYS_MAX}'),
    Field(max_length=GATEWAYS_MAX),
]


class Table(BaseModel):
    """A table of the file: no key but the known ones, and no change once it is read."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class RouterTable(Table):
    """`[router]`: what it is called, and whether it forwards at all (RFC 1812 5.3.12.1)."""

    name: Annotated[str, config_rules.name(63, "a name")] = "router"
    forwarding: Annotated[bool, config_rules.FLAG] = True


class FastPath(Table):
    """`[fast_path]`: units, and how they batch. Times in µs.

    vector: variant of the inner loops, by default the fastest that the processor can run; packets
    do not depend on it. lpm: what routes are looked up in: a table of 32 MiB, whose reads miss the
    caches, or a compact one, of which a full table of the Internet takes 4 MiB, and which takes
    longer to change. hash_seed: decides which of several gateways a flow takes; by default a
    random one, and in the simulator one that follows from its seed.
    """

    units: Annotated[int, integer(1, 16)] = 1
    burst: Annotated[int, integer(1, 512, "packets")] = 64
    scatter: Annotated[Scatter, choice("drop-out", "masks", "split")] = "drop-out"
    vector: Annotated[Vector, choice("auto", "scalar", "avx2", "avx512")] = "auto"
    lpm: Annotated[Lpm, choice("dir24_8", "compact")] = "dir24_8"
    rebatch: Annotated[bool, config_rules.FLAG] = False
    rebatch_us: Annotated[float, number(0, 1e6, "µs")] = 20.0
    tx_buffer: Annotated[int, integer(1, 512, "packets")] = 64
    tx_flush_us: Annotated[float, number(0, 1e6, "µs")] = 20.0
    hash_seed: Annotated[int | None, integer(0, 2**64 - 1)] = None


class SlowPath(Table):
    """`[slow_path]`: queues and neighbours in entries, times in ms and s, ICMP limits.

    arp_announce: own addresses are announced when their port comes up; by default so on DPDK, and
    not in the simulator. arp_probe: one that is added to a running router is probed before it is
    used (RFC 5227). reassembly: of ICMP messages to the router; RFC 1122 3.3.2 asks for 60 to
    120 s.
    """

    punt_ring: Annotated[int, power_of_two(2, 65536)] = 1024
    neighbors: Annotated[int, integer(1, 65536)] = 8192
    neighbor_pending: Annotated[int, integer(1, 1024, "packets")] = 16
    arp_retries: Annotated[int, integer(1, 10)] = 3
    arp_retry_ms: Annotated[int, integer(1, 60_000, "ms")] = 1000
    arp_lifetime_s: Annotated[float, number(0.001, 1e6, "s")] = 300.0
    arp_failed_s: Annotated[float, number(0.001, 1e6, "s")] = 20.0
    arp_announce: Annotated[bool | None, config_rules.FLAG] = None
    arp_probe: Annotated[bool, config_rules.FLAG] = True
    reassembly_s: Annotated[float, number(1, 120, "s")] = 60.0
    reassembly_fragments: Annotated[int, integer(64, 65536)] = 512
    icmp_errors_per_s: Annotated[int, integer(0, 1_000_000_000)] = 1000
    icmp_errors_burst: Annotated[int, integer(1, 1_000_000)] = 100


class Port(Table):
    """`[port.NAME]`: addresses with their subnets, MAC address, MTU in bytes of the IP packet.

    The key of `addresses` is `address`, a string or a list of them; without it nothing leaves by
    the port, nor gets into the router. Without `mac` the port gets 02:54:52, two bytes made from
    the router's name (0 for "router"), and its index. up: false is as if it had no link.
    redirects: are sent to stations on the port's link; [icmp.redirect] says how many.
    time_exceeded: is sent about packets that came by the port. directed_broadcast: of the port's
    subnets. groups: joined, with 224.0.0.1; the twin gets what comes by the port for them.
    ttl_threshold: a multicast packet leaves by the port only with a TTL above it. forwarding: false
    where packets are taken for the router alone, and none of others are sent. urpf: which sources
    are let in, by the routes to them (RFC 3704). filter_default: what becomes of packets that fit
    no `[[filter]]` of the port.
    """

    addresses: Annotated[
        list[Annotated[IPv4Interface, config_rules.INTERFACE]],
        BeforeValidator(lambda value: [value] if isinstance(value, str) else value),
        Expected('an IPv4 address with its prefix length, as "10.0.0.1/24", or a list of 1 to 16'),
    ] = Field(default=[], alias="address", min_length=1, max_length=16)
    mac: Annotated[str, config_rules.MAC] = ""
    mtu: Annotated[int, integer(68, 9216)] = 1500
    up: Annotated[bool, config_rules.FLAG] = True
    redirects: Annotated[bool, config_rules.FLAG] = True
    time_exceeded: Annotated[bool, config_rules.FLAG] = True
    receive_directed_broadcast: Annotated[bool, config_rules.FLAG] = False
    forward_directed_broadcast: Annotated[bool, config_rules.FLAG] = False
    groups: Annotated[
        list[Annotated[IPv4Address, GROUP]], Expected("a list of multicast groups")
    ] = list(DAEMONS_GROUPS)
    ttl_threshold: Annotated[int, integer(1, 255)] = 1
    forwarding: Annotated[bool, config_rules.FLAG] = True
    urpf: Annotated[
        ReversePath, choice("off", "strict", "feasible", "loose", "loose-no-default")
    ] = "off"
    filter_default: Annotated[Action, ACTION] = "permit"


class Route(Table):
    """`[[route]]`: a destination, and the neighbours that get its packets or what is done instead.

    via: a neighbour, or a list of up to 16 that share the flows. preference: 0 to 255, the lowest
    of a prefix wins over other sources. metric: of several routes to one destination the lowest
    wins; the others stand by. mtu: of IP packets that go this way, 0: that of the port.
    """

    to: Annotated[IPv4Network, config_rules.NETWORK]
    via: RouteGateways = []
    port: Annotated[str | None, config_rules.name(15, "a port's name")] = None
    kind: Annotated[RouteKind, choice("via", "blackhole", "unreachable", "prohibit")] = "via"
    preference: Preference = 20
    metric: Metric = 0
    mtu: Annotated[int, config_rules.ROUTE_MTU] = 0


class RouteFile(Table):
    """`[[route_file]]`: a file with a route a line; those without a target take `via` in turn."""

    path: FilePath
    via: Annotated[
        list[Annotated[IPv4Address, config_rules.ADDRESS]], Expected("a list of IPv4 addresses")
    ] = []
    preference: Preference = 20


class Neighbor(Table):
    """`[[neighbor]]`: a station whose MAC address is known without ARP."""

    port: PortName
    address: Annotated[IPv4Address, config_rules.ADDRESS]
    mac: Annotated[str, config_rules.MAC]


class Control(Table):
    """`[control]`: where the management listens; by default /run/twinroute/NAME.sock."""

    socket: Annotated[Path, config_rules.SOCKET] = Path()


class Metrics(Table):
    """`[metrics]`: where Prometheus finds the counters, ("127.0.0.1", 9600); None: nowhere."""

    listen: Annotated[tuple[str, int] | None, config_rules.LISTEN] = None


class Document(Table):
    """The file as it is written; Config is made of it."""

    router: RouterTable = RouterTable()
    fast_path: FastPath = FastPath()
    slow_path: SlowPath = SlowPath()
    options: Options = Options()
    icmp: Icmp = Icmp()
    qos: Qos = Qos()
    port: Annotated[
        dict[PortName, Port],
        Expected(f"tables [port.NAME] for 1 to {PORTS_MAX} ports"),
        Field(min_length=1, max_length=PORTS_MAX),
    ]
    route: Annotated[list[Route], Expected("tables [[route]]")] = []
    route_file: Annotated[list[RouteFile], Expected("tables [[route_file]]")] = []
    neighbor: Annotated[list[Neighbor], Expected("tables [[neighbor]]")] = []
    multicast_route: Annotated[list[MulticastRoute], Expected("tables [[multicast_route]]")] = []
    martians: Martians = Martians()
    filter: Annotated[list[Filter], Expected("tables [[filter]]")] = []
    sim: Sim = Sim()
    dpdk: Dpdk = Dpdk()
    control: Control = Control()
    metrics: Metrics = Metrics()
    log: Log = Log()


class Config(Table):
    """A checked configuration, made by load_config(), parse_config() or build_config().

    ports: by name, in the order of the file; a port's place is its index. path: the file, if any.
    Paths in it are joined to the configuration's folder.
    """

    name: str
    forwarding: bool
    fast_path: FastPath
    slow_path: SlowPath
    options: Options
    icmp: Icmp
    qos: Qos
    ports: dict[str, Port]
    routes: list[Route]
    route_files: list[RouteFile]
    neighbors: list[Neighbor]
    multicast_routes: list[MulticastRoute]
    martians: Martians
    filters: list[Filter]
    sim: Sim
    dpdk: Dpdk
    control: Control
    metrics: Metrics
    log: Log
    path: Path | None = None


def load_config(path: str | Path) -> Config:
    """Read and check a configuration file. Raises ConfigError.

    path: of the TOML file; paths in it are relative to its folder.
    """
    source = on_one_line(str(path))
    try:
        with open(path, "rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        raise ConfigError([f"{source}: expected a TOML file, there is no such file"]) from None
    except IsADirectoryError:
        raise ConfigError([f"{source}: expected a TOML file, this is a directory"]) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError([f"{source}: expected a TOML file: {on_one_line(reason)}"]) from None
    if len(data) > FILE_BYTES_MAX:
        raise ConfigError([f"{source}: expected a TOML file of at most {FILE_BYTES_MAX >> 20} MiB"])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        byte = f"byte 0x{data[error.start]:02x} at offset {error.start}"
        raise ConfigError([f"{source}:{line}: expected UTF-8 text, found {byte}"]) from None
    config = parse_config(text, source=str(path), base=Path(path).parent)
    return config.model_copy(update={"path": Path(path)})


def parse_config(text: str, source: str = "<string>", base: Path = Path(".")) -> Config:
    """Read and check a configuration from TOML text. Raises ConfigError.

    source: named in errors. base: folder that paths in the text are relative to.
    """
    source = on_one_line(source)
    if not text.strip():
        raise ConfigError([f"{source}: expected at least one table [port.NAME], the file is empty"])
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([_syntax_problem(source, text, str(error))]) from None
    except RecursionError:
        raise ConfigError([f"{source}: expected TOML that is not nested so deep"]) from None
    except ValueError as error:  # an integer of thousands of digits
        raise ConfigError([f"{source}: expected TOML: {on_one_line(str(error))}"]) from None
    return build_config(document, source, base)


def build_config(
    document: Mapping[str, Any], source: str = "<code>", base: Path = Path(".")
) -> Config:
    """Check a configuration given as the dict that its TOML text would make. Raises ConfigError.

    document: `{"port": {"p0": {"address": "10.0.0.1/24"}}}`. source and base: as parse_config().
    """
    source = on_one_line(source)
    try:
        tables = Document.model_validate(document)
    except ValidationError as error:
        found = validation_problems(source, document, error.errors(), Document)
        raise ConfigError(found) from None
    config = _assemble(tables, base)
    problems = [
        problem(source, document, place, expected)
        for place, expected in config_checks.all_checks(config)
    ]
    if problems:
        raise ConfigError(problems)
    return config


def _assemble(tables: Document, base: Path) -> Config:
    """Fill in what depends on other keys: MAC addresses, a link for each port, paths."""
    name = tables.router.name
    of_name = 0 if name == "router" else binascii.crc_hqx(name.encode(), 0)
    prefix = f"02:54:52:{of_name >> 8:02x}:{of_name & 255:02x}"
    ports = {
        key: port.model_copy(update={"mac": port.mac or f"{prefix}:{index:02x}"})
        for index, (key, port) in enumerate(tables.port.items())
    }
    links = {key: SimPort() for key in ports} | tables.sim.port
    socket = f"{name}.sock"
    log = tables.log
    if log.to != STDERR:
        log = log.model_copy(update={"to": str(base / log.to)})
    profile = tables.sim.profile
    if profile.endswith(".toml"):
        profile = str(base / profile)
    return Config(
        name=name,
        forwarding=tables.router.forwarding,
        fast_path=tables.fast_path,
        slow_path=tables.slow_path,
        options=tables.options,
        icmp=tables.icmp,
        qos=tables.qos,
        ports=ports,
        routes=tables.route,
        route_files=[
            file.model_copy(update={"path": base / file.path}) for file in tables.route_file
        ],
        neighbors=tables.neighbor,
        multicast_routes=tables.multicast_route,
        martians=tables.martians,
        filters=tables.filter,
        sim=tables.sim.model_copy(update={"port": links, "profile": profile}),
        dpdk=tables.dpdk.model_copy(update={"port": _devices(tables)}),
        control=tables.control if tables.control.socket.name else Control(socket=SOCKETS / socket),
        metrics=tables.metrics,
        log=log,
    )


def _devices(tables: Document) -> dict[str, DpdkPort]:
    """Fill in what a device takes from its port."""
    devices = {}
    for name, device in tables.dpdk.port.items():
        own = tables.port[name].mac if name in tables.port else ""
        keep_mac = not own if device.keep_mac is None else device.keep_mac
        filled = {"keep_mac": keep_mac, "twin_name": device.twin_name or name}
        devices[name] = device.model_copy(update=filled)
    return devices


def _syntax_problem(source: str, text: str, message: str) -> str:
    """Put the place that tomllib names last first, as compilers do."""
    found = re.fullmatch(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", message, re.S)
    if not found:
        return f"{source}: TOML syntax: {on_one_line(message)}"
    lines = text.replace("\r\n", "\n").split("\n")
    line, column = found[2] or len(lines), found[3] or len(lines[-1]) + 1
    what = found[1][:1].lower() + found[1][1:]
    return f"{source}:{line}:{column}: TOML syntax: {on_one_line(what)}"
