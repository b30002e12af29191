# SPDX-License-Identifier: MIT
"""What the RFCs ask of a router, as data; the test cases that prove it will stand here too."""
