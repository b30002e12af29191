# SPDX-License-Identifier: MIT
"""BIRD on Linux as a device under test: the script that `twinroute conformance` calls.

    twinroute conformance --dut external --script conformance/examples/bird_on_linux.py \\
        --interface p1=tr-p1 --interface p2=tr-p2 --interface p3=tr-p3

`configure` reads the wanted configuration as JSON and makes a router of it: a network namespace
with a veth pair to each of the tester's interfaces, in which BIRD has the static routes and puts
them into the kernel. `stop` removes all. Another router needs the same two verbs; a hardware router
would be told by its command line or API, and keep its interfaces. Exit code 3: it cannot do this.

Linux sends at most five unreachables to a host at once, unless the machine is told otherwise:
`sysctl -w net.ipv4.route.error_cost=0`.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

NAMESPACE = "bird-router"
FOLDER = Path(tempfile.gettempdir()) / NAMESPACE
CANNOT = 3
WAIT_S = 10.0
TESTER_MTU = 9216

CONFIG = """\
log "{folder}/bird.log" all;
router id 10.1.0.1;
protocol device {{ scan time 1; }}
protocol kernel {{ ipv4 {{ export all; }}; }}
protocol static {{
  ipv4;
{routes}}}
"""
SYSCTLS = {
    "ip_forward": 1,
    "icmp_ratelimit": 0,
    "conf/all/rp_filter": 0,
    "conf/default/rp_filter": 0,
    "conf/all/send_redirects": 0,
    "conf/all/arp_ignore": 1,
}


def run(*words: str, text: str = "") -> str:
    """Run a command that must succeed."""
    done = subprocess.run(words, input=text, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def cannot(reason: str) -> None:
    """Tell the suite that the case does not apply to this router."""
    print(reason)
    sys.exit(CANNOT)


def configure(wanted: dict[str, Any]) -> None:
    """Make the router anew."""
    if wanted["knobs"]:
        cannot(f"no knob {min(wanted['knobs'])}")
    stop()
    FOLDER.mkdir(exist_ok=True)
    run("ip", "netns", "add", NAMESPACE)
    inside = ("ip", "netns", "exec", NAMESPACE)
    run(*inside, "sysctl", "-qw", *(f"net/ipv4/{key}={value}" for key, value in SYSCTLS.items()))
    run(*inside, "sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1")
    lines = ["link set lo up"]
    if wanted["loopback"]:
        lines.append(f"address add {wanted['loopback']}/32 dev lo")
    for port, table in wanted["ports"].items():
        tester = table["interface"]
        run("ip", "link", "add", tester, "type", "veth", "peer", port, "netns", NAMESPACE)
        Path(f"/proc/sys/net/ipv6/conf/{tester}/disable_ipv6").write_text("1")
        run("ip", "link", "set", tester, "mtu", str(TESTER_MTU), "arp", "off", "up")
        lines.append(f"link set {port} mtu {table['mtu']} address {table['mac']}")
        lines += [f"address add {one} broadcast + dev {port}" for one in table["addresses"]]
        lines.append(f"link set {port} up")
        lines += [
            f"neighbor replace {address} lladdr {mac} dev {port} nud permanent"
            for address, mac in table["neighbors"].items()
        ]
    run("ip", "-n", NAMESPACE, "-batch", "-", text="\n".join(lines))
    for port in wanted["ports"]:
        run(*inside, "ethtool", "-K", port, "tx", "off", "gro", "off", "gso", "off", "tso", "off")
    start_bird(wanted["routes"])
    version = subprocess.run(["bird", "--version"], capture_output=True, text=True).stderr
    print(json.dumps({"version": f"{version.strip()} on Linux"}))


def start_bird(routes: list[dict[str, Any]]) -> None:
    """Start BIRD with static routes, and wait until they are in the kernel."""
    text = ""
    for route in routes:
        target = f'via "{route["port"]}"' if route["port"] else f"via {route['via']}"
        text += f"  route {route['to']} {target if route['kind'] == 'via' else route['kind']};\n"
    (FOLDER / "bird.conf").write_text(CONFIG.format(folder=FOLDER, routes=text))
    files = ("-c", FOLDER / "bird.conf", "-s", FOLDER / "bird.ctl", "-P", FOLDER / "bird.pid")
    run("ip", "netns", "exec", NAMESPACE, "bird", *map(str, files))
    wanted = {route["to"].replace("0.0.0.0/0", "default") for route in routes}
    end = time.monotonic() + WAIT_S
    while missing := wanted - set(run("ip", "-n", NAMESPACE, "route").split()):
        if time.monotonic() > end:
            sys.exit(f"bird: no route to {min(missing)} in the kernel")
        time.sleep(0.02)


def stop() -> None:
    """Remove the router; nothing, if there is none."""
    pid = FOLDER / "bird.pid"
    if pid.exists():
        number = pid.read_text().strip()
        subprocess.run(["kill", number], capture_output=True)
        while (Path("/proc") / number).exists() and pid.exists():
            time.sleep(0.01)
        pid.unlink(missing_ok=True)
    if (Path("/run/netns") / NAMESPACE).exists():
        links = json.loads(run("ip", "-n", NAMESPACE, "-j", "link"))
        names = [link["ifname"] for link in links if link["ifname"] != "lo"]
        # With the veths their other ends go too, at once; with the namespace some time later.
        run("ip", "-n", NAMESPACE, "-batch", "-", text="\n".join(f"link del {n}" for n in names))
        run("ip", "netns", "delete", NAMESPACE)


if __name__ == "__main__":
    if sys.argv[1:] == ["configure"]:
        configure(json.load(sys.stdin))
    elif sys.argv[1:] == ["stop"]:
        stop()
    else:
        sys.exit(f"{sys.argv[0]}: expected configure or stop")
