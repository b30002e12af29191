# SPDX-License-Identifier: MIT
"""The keys of the configuration for ICMP: what is read, what is refused, what a reload changes."""

import pytest

from tests import packets as p
from tests import worlds as w
from tests.answers import dropped
from tests.refusals import refusal
from twinroute.config import parse_config
from twinroute.errors import ConfigError
from twinroute.reload import reload

PORTS = '[port.p0]\naddress = "10.0.0.1/24"\n'


def test_defaults() -> None:
    config = parse_config(PORTS)
    assert (config.icmp.unreachables, config.icmp.prohibited) == (True, True)
    assert (config.icmp.unreachable.per_s, config.icmp.echo_reply.per_s) == (0, 0)
    assert (config.icmp.echo, config.icmp.ttl, config.icmp.dscp) == (True, 64, 48)
    assert config.ports["p0"].time_exceeded
    assert (config.icmp.redirect.per_s, config.icmp.redirect.burst) == (100, 10)
    assert (config.slow_path.reassembly_s, config.slow_path.reassembly_fragments) == (60.0, 512)


BAD = {
    "[icmp]\nunreachables = 1": "icmp.unreachables = 1: expected true or false",
    "[icmp]\nttl = 0": "icmp.ttl = 0: expected an integer from 1 to 255",
    "[icmp]\ndscp = 64": "icmp.dscp = 64: expected an integer from 0 to 63",
    "[icmp.redirect]\nper_s = -1": "icmp.redirect.per_s = -1: expected an integer from 0 to",
    "[icmp.echo_reply]\nburst = 0": "icmp.echo_reply.burst = 0: expected an integer from 1 to",
    "[icmp.redirect]\nrate = 1": "icmp.redirect.rate = 1: unknown key, expected per_s or burst",
    "[icmp]\nredirect = 7": "icmp.redirect = 7: expected",
    "[icmp.redirects]": "icmp.redirects: unknown key, expected unreachables, prohibited, echo, ",
    "[slow_path]\nreassembly_s = 121": "slow_path.reassembly_s = 121: expected a number of s from",
    "[slow_path]\nreassembly_fragments = 63": "slow_path.reassembly_fragments = 63: expected an in",
}


@pytest.mark.parametrize("text", BAD)
def test_a_wrong_value_gets_a_line(text: str) -> None:
    assert refusal(PORTS + text).startswith(BAD[text])


def test_a_reload_changes_limits_and_switches() -> None:
    old = w.bed_config()
    new = w.bed_config(icmp="[icmp]\nprohibited = false\n[icmp.echo_reply]\nper_s = 1\nburst = 2")
    bench = w.bed()
    done = reload(bench.only, "sim", old, new)
    assert done.summary()["settings"] == {
        "icmp.prohibited": False,
        "icmp.echo_reply.per_s": 1,
        "icmp.echo_reply.burst": 2,
    }
    bench.settle()
    echo = p.ether(w.M1, w.h1, p.ipv4(w.H1, w.R1, p.echo_request(), protocol=p.ICMP))
    assert len(w.exchange(bench, w.P1, [echo] * 5)[w.P1]) == 2
    assert dropped(bench)["echo_limited"] == 3


def test_a_reload_refuses_another_limit_of_redirects() -> None:
    old, new = w.bed_config(), w.bed_config(icmp="burst = 3")
    with pytest.raises(ConfigError, match=r"icmp\.redirect\.burst = 3: cannot change while"):
        reload(w.bed().only, "sim", old, new)
