import pytest

from tests.helpers.preparation_pictures import speckle


@pytest.fixture
def picture():
    return speckle(360, 400)
