import pytest

from tests.helpers.drawn_screens import speckle


@pytest.fixture
def picture():
    return speckle(360, 400)
