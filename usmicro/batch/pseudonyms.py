"""Pseudonyms of inputs: names that only the holder of a key can trace back to files.

Each part of a path is replaced by the keyed hash (HMAC-SHA-256, RFC 2104) of the path up to it.
Scans of one folder, often of one patient, therefore stay in one folder, and equal file names in
different folders get different pseudonyms.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from pathlib import Path, PurePosixPath

from usmicro.errors import UsageError, reason_of

DIGITS = 16
"""Hexadecimal digits of a pseudonym: 64 bits. By the birthday bound, any two of a million names
get the same pseudonym with a probability of 3e-8."""
NEW_KEY_BYTES = 32
"""Length of a new key, bytes: that of a SHA-256 hash, which RFC 2104 recommends as the least."""
LEAST_KEY_BYTES = 16
"""Shortest key that is accepted, bytes. Chosen by judgement: 128 bits cannot be guessed."""
SHORTEST_WORD = 3
"""Shortest part of a name that is removed from messages, characters. Shorter ones also occur
within ordinary words. Chosen by judgement; no measurement is recorded."""


def read_key(file: Path) -> bytes:
    """Read a key from a file.

    Raises
    ------
    UsageError
        If the file cannot be read or holds no key.
    """
    try:
        key = bytes.fromhex(file.read_text(encoding="ascii"))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"--pseudonyms {file}: expected a key in hexadecimal digits, found {reason_of(error)}; "
            "name the key or a new file"
        ) from error
    if len(key) < LEAST_KEY_BYTES:
        raise UsageError(
            f"--pseudonyms {file}: expected a key of {LEAST_KEY_BYTES} bytes or more in "
            f"hexadecimal digits, found {len(key)} bytes; name the key or a new file"
        )
    return key


def key_for_run(file: Path, *, out: Path | None = None) -> bytes:
    """Return the key in a file, or a new key, not written yet, if the file does not exist.

    Parameters
    ----------
    file : path
    out : path, optional
        Output folder of the run, if it is on this machine.

    Raises
    ------
    UsageError
        If the file lies in the output folder or holds no key, or if its folder does not exist.
    """
    if out is not None and Path(os.path.realpath(file)).is_relative_to(os.path.realpath(out)):
        raise UsageError(
            f"--pseudonyms {file}: lies in the output folder, where it would be passed on with "
            "the results; keep the key elsewhere"
        )
    if os.path.lexists(file):
        return read_key(file)
    if not file.parent.is_dir():
        raise UsageError(
            f"--pseudonyms {file}: a new key cannot be written, {file.parent} is not a folder; "
            "name another file"
        )
    return secrets.token_bytes(NEW_KEY_BYTES)


def write_key(file: Path, key: bytes) -> None:
    """Write a key to a new file that only its owner may read; an existing file is left as it is.

    Raises
    ------
    UsageError
        If the file cannot be written or holds another key.
    """
    try:
        with open(
            file, "x", encoding="ascii", opener=lambda path, flags: os.open(path, flags, 0o600)
        ) as stream:
            stream.write(key.hex() + "\n")
    except FileExistsError:
        if read_key(file) != key:
            raise UsageError(
                f"--pseudonyms {file}: the key was changed after the run was prepared; run again"
            ) from None
    except OSError as error:
        raise UsageError(
            f"--pseudonyms {file}: a new key cannot be written ({error.strerror}); "
            "name another file"
        ) from error


def pseudonym(name: str, key: bytes) -> str:
    """Return the pseudonym of a path below INPUT; the suffix of a known file type is kept.

    >>> pseudonym("Doe^Jane/1.dcm", bytes(16)).count("/")
    1
    """
    from usmicro.loading.formats import SCAN_SUFFIXES, UNSUPPORTED_SUFFIXES

    parts = PurePosixPath(name).parts
    hashes = [
        hmac.new(
            key, "/".join(parts[: i + 1]).encode("utf-8", "surrogateescape"), hashlib.sha256
        ).hexdigest()[:DIGITS]
        for i in range(len(parts))
    ]
    suffix = PurePosixPath(name).suffix.lower()
    return "/".join(hashes) + (suffix if suffix in SCAN_SUFFIXES | UNSUPPORTED_SUFFIXES else "")


def without_names(text: str, name: str, replacement: str) -> str:
    """Return a text in which a name is replaced, ignoring case.

    Each part of the path `name` is replaced too, with and without its suffix.
    """
    parts = PurePosixPath(name).parts
    words = {name, *parts, *(PurePosixPath(part).stem for part in parts)}
    long_words = [word for word in words if len(word) >= SHORTEST_WORD]
    for word in sorted(long_words, key=len, reverse=True):
        text = re.sub(re.escape(word), replacement, text, flags=re.IGNORECASE)
    return text
