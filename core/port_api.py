# SPDX-License-Identifier: MIT
"""The ports of a running router: how they are, and what may be changed of them."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Interface
from typing import Any

import numpy as np
import numpy.typing as npt

from twinroute import routes
from twinroute.config import Port
from twinroute.errors import InputError
from twinroute.native import Native
from twinroute.routes import Array
from twinroute.settings import fill_addresses

ADDRESS_STATES = {"PROBING": "probing", "IN_USE": "in use", "CONFLICT": "conflict"}


@dataclass(frozen=True)
class PortStatus:
    """A port as the router's slow path sees it."""

    enabled: bool  # not put down by command
    link_up: bool
    usable: bool  # enabled, with a link and an address: routes by it are used
    mtu: int
    addresses: dict[IPv4Interface, str]  # configured ones: in use, probing, conflict


class PortApi(ABC):
    """What RouterApi does with ports; its hosts have `native`, `info`, `apply`, `_port_index`."""

    @property
    @abstractmethod
    def native(self) -> Native:
        """The backend's extension."""

    @property
    @abstractmethod
    def info(self) -> Any:
        """Names and the C object."""

    @abstractmethod
    def _port_index(self, name: str) -> int:
        """Return the index of a port."""

    @abstractmethod
    def apply(self, changes: Array, *, ports: Mapping[str, Any] | None = None) -> None:
        """Make changes."""

    def _fit_mtu(self, name: str, mtu: int) -> str | None:
        """Make frames for that MTU pass the device; say why not where that is impossible."""
        return None

    # --- how they are -----------------------------------------------------------------------------

    def port_status(self, name: str) -> PortStatus:
        """Return how a port is, as of the slow path's last look at it."""
        out = self.native.ffi.new("struct tr_port_state *")
        self.native.lib.tr_port_state_read(self.info.pointer, self._port_index(name), out)
        lib = self.native.lib
        states = {getattr(lib, f"TR_ADDRESS_{key}"): text for key, text in ADDRESS_STATES.items()}
        addresses = {
            IPv4Interface((int(one.address), int(one.bits))): states[int(state)]
            for one, state in zip(
                out.address[0 : out.addresses],
                out.address_state[0 : out.addresses],
                strict=True,
            )
        }
        flags = (bool(out.enabled), bool(out.link_up), bool(out.usable))
        return PortStatus(*flags, int(out.mtu), addresses)

    def routes_usable(self, rows: Array) -> npt.NDArray[np.bool_]:
        """Tell for each row of routes_array() whether its port can be used."""
        usable = np.zeros(len(rows), bool)
        if len(rows):
            ffi = self.native.ffi
            c_rows = ffi.cast("struct tr_route *", ffi.from_buffer(np.ascontiguousarray(rows)))
            out = ffi.cast("bool *", ffi.from_buffer(usable, require_writable=True))
            if self.native.lib.tr_routes_usable(self.info.pointer, c_rows, len(rows), out):
                raise MemoryError
        return usable

    # --- changes ----------------------------------------------------------------------------------

    def port_set_up(self, name: str, up: bool) -> None:
        """Put a port down, or up again: without it as if it had no link."""
        staged = self._staged(name)
        staged.disabled = not up
        self.apply(routes.joined([]), ports={name: staged})

    @contextmanager
    def ports_staged(
        self, old: Mapping[str, Port], new: Mapping[str, Port]
    ) -> Iterator[dict[str, Any]]:
        """Check routes against the ports of another configuration, for good if the block ends well.

        Yields what apply() takes for those that change. Whether a port is up stays as it was set,
        unless the configurations differ in it. Raises InputError for what a device cannot do.
        """
        changed = [name for name in new if any(_differ(old[name], new[name]))]
        for name in changed:
            mtu = new[name].mtu
            if mtu != old[name].mtu and (refusal := self._fit_mtu(name, mtu)):
                raise InputError(f"port.{name}.mtu = {mtu}: {refusal}")
        before = {name: self._staged(name) for name in changed}
        wanted = {name: self._wanted(name, old[name], new[name]) for name in changed}
        try:
            for name in changed:
                self._stage(name, wanted[name])
            yield wanted
        except BaseException:
            for name in changed:
                self._stage(name, before[name])
            raise

    def _wanted(self, name: str, old: Port, new: Port) -> Any:
        wanted = self._staged(name)
        if old.up != new.up:
            wanted.disabled = not new.up
        wanted.mtu = new.mtu
        fill_addresses(new, wanted)
        return wanted

    def _staged(self, name: str) -> Any:
        out = self.native.ffi.new("struct tr_port_config *")
        self.native.lib.tr_port_staged(self.info.pointer, self._port_index(name), out)
        return out

    def _stage(self, name: str, config: Any) -> None:
        self.native.lib.tr_port_stage(self.info.pointer, self._port_index(name), config)


def _differ(old: Port, new: Port) -> Iterator[bool]:
    """Yield for each key that may change while the router runs whether it does."""
    yield from (getattr(old, key) != getattr(new, key) for key in ("addresses", "mtu", "up"))


def route_infos(router: Any, rows: Array) -> Iterator[routes.RouteInfo]:
    """Yield a RouteInfo for each row of routes_array()."""
    yield from routes.route_infos(
        router.native, router.info.ports, rows, router.routes_usable(rows)
    )
