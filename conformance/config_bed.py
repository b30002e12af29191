# SPDX-License-Identifier: MIT
"""What a case about our configuration or command line works with; no frame is sent in it.

@config_case("RFC1812-2.2.5.1-1")
def masks_are_prefix_lengths(c: ConfigBed) -> None:
    '''A mask is a prefix length, and nothing else.'''
    c.refuses('[port.p1]\\naddress = "10.1.0.1/255.0.255.0"', "prefix length")
"""

import io
import re
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass

from twinroute.config import Config, parse_config
from twinroute.conformance.evidence import Failed, Round
from twinroute.errors import ConfigError

PORT = '[port.p1]\naddress = "10.1.0.1/24"\n'  # a configuration by itself


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str


def _lasting(text: str) -> str:
    """Leave out the names of temporary folders: a report is the same again."""
    return re.sub(rf"{re.escape(tempfile.gettempdir())}/[^/\s]+/", "", text)


class ConfigBed:
    """Asks the configuration and the command line, and keeps what they said."""

    def __init__(self) -> None:
        """Begin with nothing asked."""
        self.rounds: list[Round] = []

    def accepts(self, text: str) -> Config:
        """Demand that a configuration (TOML) is right; return it."""
        round_ = self._round("accepted", text)
        try:
            config = parse_config(text, source="router.toml")
        except ConfigError as error:
            round_.lines += str(error).splitlines()
            self._fail("it is refused")
        round_.lines.append("accepted")
        return config

    def refuses(self, text: str, *words: str) -> None:
        """Demand that a configuration is refused, by a line with these words in it."""
        round_ = self._round("refused", text)
        try:
            parse_config(text, source="router.toml")
        except ConfigError as error:
            round_.lines += str(error).splitlines()
            if missing := [word for word in words if word not in str(error)]:
                self._fail(f"it does not say {', '.join(missing)}")
            return
        self._fail("it is accepted")

    def command(self, *argv: str) -> Ran:
        """Run `twinroute` with these arguments; return what came of it."""
        from twinroute.cli import main

        round_ = self._round(_lasting(f"twinroute {' '.join(argv)}"), "")
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = main(list(argv))
        ran = Ran(code, out.getvalue(), err.getvalue())
        round_.lines += [*_lasting(ran.out + ran.err).splitlines(), f"exit status {code}"]
        return ran

    def check(self, condition: object, text: str) -> None:
        """Demand something; the text says what is wrong if it fails."""
        if not self.rounds:
            self._round(text, "")
        if not condition:
            self._fail(text)

    def note(self, text: str) -> None:
        """Keep a line of evidence."""
        self._round(text, "")

    def _round(self, note: str, text: str) -> Round:
        self.rounds.append(Round(note=note, lines=text.splitlines()))
        return self.rounds[-1]

    def _fail(self, text: str) -> None:
        self.rounds[-1].problems.append(text)
        raise Failed(text)
