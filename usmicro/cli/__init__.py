"""The command line. Heavy modules are imported in the commands, so that help is shown at once."""

from usmicro.cli.entry_point import main
from usmicro.cli.parser import make_parser

__all__ = ["main", "make_parser"]
