"""Pseudonyms of inputs: names that only the holder of a key can lead back to files.

Each part of a path is replaced by the keyed hash (HMAC-SHA-256, RFC 2104) of the path up to it, so that scans of one folder, often one
patient, stay in one folder, and that equal file names in different folders have nothing in common.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from pathlib import Path, PurePosixPath

from usmicro.errors import UsageError

DIGITS = 16
"""Hexadecimal digits of a pseudonym: 64 bits, by which a million names clash with a probability of 3e-8."""
LEAST_KEY = 16
"""Bytes."""
SHORTEST = 3
"""Parts of names shorter than this are not looked for in messages: they are parts of words."""


def read_key(file: Path, *, out: Path | None = None) -> bytes:
    """Read the key in a file, or write a new one there that only its owner may read.

    Raises
    ------
    UsageError
        If the file lies in the output folder, where it would be handed on with the results, or holds no key.
    """
    if out is not None and Path(os.path.realpath(file)).is_relative_to(os.path.realpath(out)):
        raise UsageError(
            f"--pseudonyms {file}: lies in the output folder, from which it would be handed on; keep the key elsewhere"
        )
    try:
        with open(
            file, "x", encoding="ascii", opener=lambda path, flags: os.open(path, flags, 0o600)
        ) as stream:
            stream.write(secrets.token_hex(32) + "\n")
    except FileExistsError:
        pass
    except OSError as error:
        raise UsageError(
            f"--pseudonyms {file}: a new key cannot be written ({error.strerror}); name another file"
        ) from error
    try:
        key = bytes.fromhex(file.read_text(encoding="ascii"))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"--pseudonyms {file}: expected a key in hexadecimal digits, found {error}; name the key or a new file"
        ) from error
    if len(key) < LEAST_KEY:
        raise UsageError(
            f"--pseudonyms {file}: expected a key of {LEAST_KEY} bytes or more in hexadecimal digits, found {len(key)} bytes"
        )
    return key


def pseudonym(name: str, key: bytes) -> str:
    """The pseudonym of a path below INPUT; the type of a file that usmicro knows stays.

    >>> pseudonym("Doe^Jane/1.dcm", bytes(16)).count("/")
    1
    """
    from usmicro.loading.formats import OTHER_SUFFIXES, SUFFIXES

    parts = PurePosixPath(name).parts
    hashed = [
        hmac.new(
            key, "/".join(parts[: i + 1]).encode("utf-8", "surrogateescape"), hashlib.sha256
        ).hexdigest()[:DIGITS]
        for i in range(len(parts))
    ]
    suffix = PurePosixPath(name).suffix.lower()
    return "/".join(hashed) + (suffix if suffix in SUFFIXES | OTHER_SUFFIXES else "")


def without_names(text: str, name: str, replacement: str) -> str:
    """A text in which neither a name, nor a part of it, nor its stem is found any more, in any case of letters."""
    parts = PurePosixPath(name).parts
    words = {name, *parts, *(PurePosixPath(part).stem for part in parts)}
    for word in sorted((word for word in words if len(word) >= SHORTEST), key=len, reverse=True):
        text = re.sub(re.escape(word), replacement, text, flags=re.IGNORECASE)
    return text
