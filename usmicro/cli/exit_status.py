"""Exit statuses of the commands."""

from __future__ import annotations

DONE = 0
"""Everything was done."""
SOME_FAILED = 1
"""Some inputs, or the command as a whole, failed."""
WRONG_USAGE = 2
"""An argument or a setting is wrong."""
INTERRUPTED = 130
"""The user stopped the command: what shells report for SIGINT (128 + 2)."""
