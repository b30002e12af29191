# SPDX-License-Identifier: MIT
"""What a user of twinroute can get wrong; the command line prints it and exits with 2."""

from collections.abc import Iterable


class TwinrouteError(Exception):
    """A mistake of the user or of the input, told in lines that need no traceback."""


class ConfigError(TwinrouteError):
    """A configuration that cannot be used.

    problems: one line each, `FILE: key.path = VALUE: expected ...`.
    """

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems: list[str] = list(problems)
        super().__init__("\n".join(self.problems))

    def __reduce__(self) -> tuple[type["ConfigError"], tuple[list[str]]]:
        return type(self), (self.problems,)


class InputError(TwinrouteError):
    """A capture, route file, profile or argument that cannot be used, in one line."""


class Failure(Exception):
    """Something ran and has failed, told in one line; the command line exits with 1."""
