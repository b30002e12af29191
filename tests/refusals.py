# SPDX-License-Identifier: MIT
"""What a wrong configuration is told."""

import pytest

from twinroute.config import parse_config
from twinroute.errors import ConfigError


def refusal(text: str) -> str:
    """Return the one line by which a configuration is refused, without the name of its source."""
    with pytest.raises(ConfigError) as refused:
        parse_config(text)
    (line,) = refused.value.problems
    return line.removeprefix("<string>: ")
