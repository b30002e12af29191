# SPDX-License-Identifier: MIT
"""The control of a running router: one thread that asks it and changes it, and what may be asked.

Everybody who manages a router (control server, metrics, signals) goes through its Controller, so
that a target is called by one thread and a change is made whole before the next one begins.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from twinroute import reload
from twinroute.config import Config, load_config
from twinroute.config_log import AuditEvent
from twinroute.errors import InputError
from twinroute.event_log import EventLog, Who
from twinroute.target import Target

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class Controller:
    """The management of one router."""

    def __init__(self, target: Target, config: Config, log: EventLog | None = None) -> None:
        """Manage a target that runs this configuration, until close(). log: None: nothing.

        Raises ConfigError if the log is to have what the router does not know.
        """
        self.target = target
        self.config = config
        self._log = log
        if log is not None:
            log.check(config, target.router.native)
            log.follow(config, target.router)
        self.executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="control")

    def call(
        self,
        function: Callable[Arguments, Result],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Result:
        """Call a function in the management's thread and return what it does."""
        return self.executor.submit(function, *args, **kwargs).result()

    def close(self) -> None:
        """Let what was begun end, and take no more."""
        self.executor.shutdown(cancel_futures=True)

    # --- in the management's thread ---------------------------------------------------------------

    def reload(self, config: Config | None = None) -> reload.Difference:
        """Bring the router to a configuration, by default what its file says by now."""
        if config is None:
            if self.config.path is None:
                raise InputError("reload: the router was not started from a file")
            config = load_config(self.config.path)
        router, backend = self.target.router, self.target.backend
        if self._log is not None:
            self._log.check(config, router.native)
        difference = reload.reload(router, backend, self.config, config)
        self.config = config
        if self._log is not None:
            self._log.follow(config, router)
        self.target.settle()
        return difference

    def audit(self, event: AuditEvent, who: Who, **fields: Any) -> None:
        """Write an event down, where there is a log."""
        if self._log is not None:
            self._log.audit(event, who, **fields)

    def log_drops(self) -> None:
        """Write samples of dropped packets, where there is a log; to be called now and then."""
        if self._log is not None:
            self._log.drops(self.target.router)
