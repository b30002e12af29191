# SPDX-License-Identifier: MIT
"""Run the command line as `python -m twinroute`."""

import sys

from twinroute.cli import main

if __name__ == "__main__":
    sys.exit(main())
