# SPDX-License-Identifier: MIT
"""Any router between the tester's interfaces, configured by a user's script.

The script (any program, or a file .py) is called as `SCRIPT configure` with a JSON object on its
standard input:

    {"ports": {"p1": {"addresses": ["10.1.0.1/24"], "mtu": 1500, "mac": "02:...",
                      "interface": "eth1", "neighbors": {"10.1.0.2": "02:..."}}, ...},
     "loopback": "", "routes": [{"to": "198.18.0.0/16", "via": "10.2.0.254", "port": "",
                                 "kind": "via", "metric": null}, ...], "knobs": {}}

It makes the router so, waits until it is, and ends with 0. It may print a JSON object: {"macs":
{"p1": "02:..."}}, where the router's MAC addresses are its own, and {"version": "..."}. With exit
code 3 it says that the router cannot do this; what it prints is the reason. `SCRIPT stop` ends it.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from twinroute.conformance import names as n
from twinroute.conformance.device import DeviceError, Missing
from twinroute.conformance.devices.namespaces import Tap
from twinroute.conformance.devices.wire import QUIET_MS, WireDevice
from twinroute.conformance.setup import Setup

CANNOT = 3
TIMEOUT_S = 120


class ExternalDevice(WireDevice):
    """A router behind interfaces of this machine."""

    name = "external"

    capabilities = frozenset[str]()

    def __init__(
        self, *, interfaces: Mapping[str, str], script: str, quiet_ms: float = QUIET_MS
    ) -> None:
        """Take the tester's interfaces by port, and the script. Raises DeviceError."""
        super().__init__(quiet_ms=quiet_ms)
        if os.geteuid() != 0:
            raise DeviceError("external: expected root, for raw sockets")
        if unknown := set(interfaces) - set(n.PORTS):
            raise DeviceError(f"external: port {min(unknown)}: expected {', '.join(n.PORTS)}")
        self._interfaces, self._script = dict(interfaces), script
        self._words = [sys.executable, script] if script.endswith(".py") else [script]
        self._version = ""

    def open(self, setup: Setup) -> None:
        """Have the script set the router up. Raises Missing, DeviceError."""
        self.close()
        wanted = [port for port in n.PORTS if port in setup.addresses]
        missing = [port for port in wanted if port not in self._interfaces]
        needed = {route.port for route in setup.routes} | set(setup.mtu)
        if needed & set(missing):
            raise Missing(f"no interface for {', '.join(missing)}")
        self.setup = setup
        answer = self._call("configure", json.dumps(self._wanted(setup)))
        # The script may have made the interfaces, and anew.
        self.taps = {port: Tap(self._interfaces[port]) for port in wanted if port not in missing}
        self.use_macs(answer.get("macs", {}))
        self._version = answer.get("version", self._version)
        self.captured()

    def _wanted(self, setup: Setup) -> dict[str, Any]:
        ports = {
            port: {
                "interface": self._interfaces[port],
                "addresses": list(setup.addresses[port]),
                "mtu": setup.mtu_of(port),
                "mac": n.MAC[port],
                "neighbors": setup.known(port),
            }
            for port in self._interfaces
            if port in setup.addresses
        }
        return {
            "ports": ports,
            "loopback": setup.loopback,
            "routes": [asdict(route) for route in setup.routes],
            "knobs": dict(setup.knobs),
        }

    def _call(self, verb: str, text: str = "") -> dict[str, Any]:
        """Run the script; return what it prints. Raises Missing or DeviceError."""
        try:
            done = subprocess.run(
                [*self._words, verb], input=text, capture_output=True, text=True, timeout=TIMEOUT_S
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise DeviceError(f"{self._script} {verb}: {error}") from None
        if done.returncode == CANNOT:
            raise Missing(done.stdout.strip() or done.stderr.strip() or "the script cannot do it")
        if done.returncode:
            last = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
            raise DeviceError(f"{self._script} {verb}: {last[0]}")
        try:
            answer = json.loads(done.stdout or "{}")
        except ValueError:
            raise DeviceError(f"{self._script} {verb}: expected JSON: {done.stdout[:80]}") from None
        return dict(answer)

    def close(self) -> None:
        """Leave the router as it is, for the next test bed to change."""
        for tap in self.taps.values():
            tap.close()
        self.taps = {}

    def end(self) -> None:
        """Have the script stop the router, and close the interfaces."""
        self.close()
        self._call("stop")

    @property
    def versions(self) -> dict[str, str]:
        """Name what the script says it is."""
        return {"router": self._version} if self._version else {}
