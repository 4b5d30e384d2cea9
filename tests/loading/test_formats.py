import warnings
from pathlib import Path

import pytest

from usmicro.errors import ScanError
from usmicro.loading.formats import scan_errors


def test_warnings_of_the_decoder_are_collected_and_warnings_about_the_program_are_not():
    with scan_errors(Path("a.dcm"), "cannot be read") as caught:
        warnings.warn("the value is too long", UserWarning, stacklevel=1)
        warnings.warn("unclosed file", ResourceWarning, stacklevel=1)
        warnings.warn("use another function", DeprecationWarning, stacklevel=1)
    assert [str(warning.message) for warning in caught] == ["the value is too long"]


def message_for(error, **options):
    """Return the message of the ScanError that an error becomes."""
    with (
        pytest.raises(ScanError) as raised,
        scan_errors(Path("a.dcm"), "cannot be read", **options),
    ):
        raise error
    return str(raised.value)


def test_error_of_a_decoder_names_the_file_and_the_remedy():
    assert message_for(ValueError("bad marker.")) == (
        "a.dcm: cannot be read: bad marker; the file is damaged: copy it again from its source"
    )
    assert message_for(ValueError("bad marker"), remedy="") == "a.dcm: cannot be read: bad marker"


def test_error_of_the_system_is_not_called_damage():
    message = message_for(OSError(28, "No space left on device"))
    assert message == "a.dcm: cannot be read: [Errno 28] No space left on device"
