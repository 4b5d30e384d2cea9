import warnings
from pathlib import Path

import pytest

from usmicro.errors import ScanError
from usmicro.loading.formats import decoding


def test_what_a_decoder_warns_of_is_kept_and_what_python_says_of_the_program_is_not():
    with decoding(Path("a.dcm"), "cannot be read") as caught:
        warnings.warn("the value is too long", UserWarning, stacklevel=1)
        warnings.warn("unclosed file", ResourceWarning, stacklevel=1)
        warnings.warn("use another function", DeprecationWarning, stacklevel=1)
    assert [str(warning.message) for warning in caught] == ["the value is too long"]


def test_whatever_a_decoder_raises_names_the_file():
    with (
        pytest.raises(ScanError, match=r"a\.dcm: cannot be read: bad marker"),
        decoding(Path("a.dcm"), "cannot be read"),
    ):
        raise ValueError("bad marker")
