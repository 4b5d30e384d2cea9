"""Run the command line with `python -m usmicro`."""

import sys

from usmicro.cli import main

sys.exit(main())
