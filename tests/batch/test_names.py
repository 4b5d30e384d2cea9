import pytest

from usmicro.batch.names import checked_name
from usmicro.errors import UsageError


@pytest.mark.parametrize("name", ["a", "a.png", "patient 1/left.png", "überlänge.png", "a:b.png"])
def test_usual_names_are_kept(name):
    assert checked_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "/a", "a/", "a//b", "..", "../a", "a/../b", ".", "a\\b", "a\nb", "a\0", "x" * 501]
)
def test_names_that_cannot_name_files_are_refused(name):
    with pytest.raises(UsageError, match="image name"):
        checked_name(name)


def test_a_name_must_be_a_text():
    with pytest.raises(UsageError, match="found int"):
        checked_name(3)
