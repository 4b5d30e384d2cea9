"""The errors that usmicro raises on purpose."""

from __future__ import annotations


class UsmicroError(Exception):
    """Base class of all errors.

    The message names the file, what was found, what was expected, and what to do.
    """


class ScanError(UsmicroError):
    """A file cannot be read as an ultrasound scan."""


class CodecError(ScanError):
    """No installed package decodes the compression of the pixels."""


class ImageError(UsmicroError):
    """An array is not an image that a stage can process."""


class SettingsError(UsmicroError):
    """A setting is unknown, of the wrong type or out of its limits."""


class UsageError(UsmicroError):
    """A command or call has wrong arguments, or its output cannot be written (exit status 2)."""


class DicomResultError(UsmicroError):
    """The DICOM results of an input cannot be written; its other results are not affected."""


def reason_of(error: Exception) -> str:
    """Return why an operation failed, in words without error numbers and paths."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror[0].lower() + error.strerror[1:]
    return " ".join(str(error).split()) or type(error).__name__
