"""The command line as `python -m usmicro`."""

import sys

from usmicro.cli import main

sys.exit(main())
