"""Names of inputs that the user gives, such as those of arrays."""

from __future__ import annotations

from usmicro.errors import UsageError

LONGEST_NAME = 500
"""Greatest length of a name in characters. Chosen by judgement."""


def checked_name(name: object) -> str:
    """Return a name if tables and files can be named by it.

    Raises
    ------
    UsageError
        If it is no text, is empty or too long, leads out of the output folder, or has a backslash
        or characters that cannot be printed.
    """
    if not isinstance(name, str):
        raise UsageError(
            f"the name of an image must be a text, found {type(name).__name__}; "
            'for example "patient-1/left.png"'
        )
    fault = ""
    parts = name.split("/")
    if not name or len(name) > LONGEST_NAME:
        fault = f"has {len(name)} characters, expected 1 to {LONGEST_NAME}"
    elif any(part in ("", ".", "..") for part in parts):
        fault = 'has an empty part, or a part "." or ".."'
    elif wrong := sorted({letter for letter in name if letter == "\\" or not letter.isprintable()}):
        fault = f"has the characters {' '.join(map(repr, wrong))}"
    if fault:
        raise UsageError(
            f"the image name {name!r} {fault}; the files of the results are named by it: "
            'give a name such as "patient-1/left.png"'
        )
    return name
