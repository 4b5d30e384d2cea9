"""Everything that usmicro raises on purpose."""

from __future__ import annotations


class UsmicroError(Exception):
    """Root of all errors; the message has the file, what was found, what was expected and what to do."""


class ScanError(UsmicroError):
    """A file cannot be read as an ultrasound scan."""


class CodecError(ScanError):
    """The pixels are compressed in a way that no installed package decodes."""


class ImageError(UsmicroError):
    """An array is not an image that a stage can work on."""


class SettingsError(UsmicroError):
    """A setting is unknown, of the wrong type or out of range."""


class UsageError(UsmicroError):
    """The command or call asks for something that cannot be done (exit status 2)."""


class DicomResultError(UsmicroError):
    """No DICOM result can be written for an input; the other results are not touched by it."""
