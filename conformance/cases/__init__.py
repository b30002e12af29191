# SPDX-License-Identifier: MIT
"""The cases, by section of the RFC; each module here is found by itself."""
