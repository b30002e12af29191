# SPDX-License-Identifier: MIT
"""What holds for every test: an example of Hypothesis may take as long as a busy machine needs."""

from hypothesis import HealthCheck, settings

settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")
