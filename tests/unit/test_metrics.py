# SPDX-License-Identifier: MIT
"""Prometheus scrapes a simulated router."""

import socket
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

import twinroute
from tests.control_bed import Bed, bed
from twinroute.config import build_config
from twinroute.errors import TwinrouteError
from twinroute.metrics import MetricsServer


@pytest.fixture
def r1(tmp_path: Path):
    with bed(tmp_path) as made:
        yield made


@pytest.fixture
def metrics(r1: Bed):
    server = MetricsServer(r1.controller, ("127.0.0.1", 0))
    yield server
    server.stop()


def scrape(metrics: MetricsServer) -> dict[tuple[str, ...], float]:
    """Return every value by its name and its labels, in order of their names."""
    with urllib.request.urlopen(f"http://127.0.0.1:{metrics.port}/metrics") as answer:
        text = answer.read().decode()
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_scrape_tells_what_the_router_counts(r1: Bed, metrics: MetricsServer):
    before = scrape(metrics)
    assert before["twinroute_info", "sim", "r1", twinroute.__version__] == 1
    assert before["twinroute_port_receive_packets_total", "p0"] == 0
    r1.exchange(r1.frame(), r1.frame(), r1.frame("100.64.7.1"))
    after = scrape(metrics)
    for key, value in {
        ("port_receive_packets_total", "p0"): 3,
        ("port_receive_bytes_total", "p0"): 180,
        ("port_transmit_packets_total", "p1"): 2,
        ("forwarded_packets_total", "0"): 2,
        ("forwarded_packets_total", "1"): 0,
        ("dropped_packets_total", "no_route"): 1,
        ("dropped_packets_total", "ttl_expired"): 0,
        ("consumed_packets_total", "arp_done"): 0,
        ("punted_packets_total", "no_route"): 1,
        ("step_packets_total", "validate", "0"): 3,
        ("nic_lost_frames_total", "p0", "missed"): 0,
        ("port_link_up", "p1"): 1,
        ("held_packets", "0"): 0,
        ("neighbors", "p1", "static"): 1,
        ("neighbor_waiting_packets", "p1"): 0,
        ("table_pending_changes",): 0,
    }.items():
        assert after[f"twinroute_{key[0]}", *key[1:]] == value, key
    assert after["twinroute_routes",] == r1.do(r1.router.table_info).routes
    assert after.keys() == before.keys()  # series do not come and go


def test_names_are_those_of_a_convention(metrics: MetricsServer):
    with urllib.request.urlopen(f"http://127.0.0.1:{metrics.port}/metrics") as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    for family in families:
        assert family.name.startswith("twinroute_")
        assert family.documentation.endswith((".", "always 1.", "about."))
        if family.type == "counter":
            assert all(sample.name.endswith("_total") for sample in family.samples)
    assert len({family.name for family in families}) == len(families) > 25


def test_the_answer_outlives_other_work(r1: Bed, metrics: MetricsServer):
    with r1.client() as client:
        events = iter(client.stream("capture"))
        next(events)
        assert scrape(metrics)


def test_a_taken_port_is_told_in_a_line(r1: Bed, metrics: MetricsServer):
    with pytest.raises(TwinrouteError) as refusal:
        MetricsServer(r1.controller, ("127.0.0.1", metrics.port))
    assert str(refusal.value) == (
        f"metrics.listen = 127.0.0.1:{metrics.port}: Address already in use"
    )


def test_after_stop_nobody_listens(r1: Bed):
    server = MetricsServer(r1.controller, ("127.0.0.1", 0))
    server.stop()
    with socket.socket() as client, pytest.raises(ConnectionRefusedError):
        client.connect(("127.0.0.1", server.port))


@pytest.mark.parametrize(
    ("listen", "meant"),
    [
        (None, None),
        (9600, ("127.0.0.1", 9600)),
        ("127.0.0.1:9600", ("127.0.0.1", 9600)),
        ("0.0.0.0:1", ("0.0.0.0", 1)),
        ("[::1]:0", ("::1", 0)),
    ],
)
def test_off_and_on_loopback_by_default(listen: object, meant: object):
    tables: dict = {"port": {"p0": {"address": "10.0.0.1/24"}}}
    if listen is not None:
        tables["metrics"] = {"listen": listen}
    assert build_config(tables).metrics.listen == meant
