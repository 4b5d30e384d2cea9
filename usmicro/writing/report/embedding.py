"""Data that a page or a script of the report embeds."""

from __future__ import annotations

import json
from typing import Any

UNSAFE = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}
"""Escapes of characters that could end a script element or a line of a script."""


def safe_json(value: Any) -> str:
    """Return ASCII JSON for a script element, in which no text can end the element."""
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False).translate(
        UNSAFE
    )
