# SPDX-License-Identifier: MIT
"""Benchmarks of the router."""
