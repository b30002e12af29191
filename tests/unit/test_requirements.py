# SPDX-License-Identifier: MIT
"""The requirement matrices are installed with the package, and say what their README promises."""

import tomllib
from importlib import resources
from typing import Any

import pytest

LEVELS = {"MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY"}


def load(name: str) -> list[dict[str, Any]]:
    text = (
        resources.files("twinroute.conformance").joinpath("requirements", name).read_text("utf-8")
    )
    return tomllib.loads(text)["requirement"]


MATRICES = {
    "rfc1812-requirements.toml": 611,
    "other-requirements.toml": 139,
}


@pytest.mark.parametrize(("name", "count"), MATRICES.items())
def test_matrix_is_complete(name: str, count: int):
    assert len(load(name)) == count


def test_ids_are_unique():
    ids = [requirement["id"] for name in MATRICES for requirement in load(name)]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("name", MATRICES)
def test_fields_mean_what_the_readme_says(name: str):
    for requirement in load(name):
        assert requirement["level"] in LEVELS, requirement["id"]
        assert requirement["testable"] in {"wire", "config", "inspection", "none"}
        assert requirement["applies"] or requirement["reason"], requirement["id"]
        assert not requirement["applies"] or requirement["testable"] != "none", requirement["id"]
        assert requirement["testable"] != "wire" or requirement["observable"], requirement["id"]
