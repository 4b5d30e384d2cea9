from threading import Barrier, Thread

import cv2
import pytest

from usmicro.numerics.threads import one_thread


@pytest.fixture
def three_threads():
    """OpenCV in three threads, a number that nothing else sets."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(3)
    yield
    cv2.setNumThreads(before)


@pytest.mark.usefixtures("three_threads")
def test_the_number_of_threads_is_restored_after_blocks_that_overlap():
    first_entered, second_entered, first_left = (Barrier(2, timeout=10) for _ in range(3))
    inside = []

    def first():
        with one_thread():
            first_entered.wait()
            second_entered.wait()
            inside.append(cv2.getNumThreads())
        first_left.wait()

    def second():
        first_entered.wait()
        with one_thread():
            second_entered.wait()
            first_left.wait()
            inside.append(cv2.getNumThreads())

    threads = [Thread(target=first), Thread(target=second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert inside == [1, 1]
    assert cv2.getNumThreads() == 3


@pytest.mark.usefixtures("three_threads")
def test_the_number_of_threads_is_restored_after_an_error():
    def fail():
        with one_thread():
            assert cv2.getNumThreads() == 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert cv2.getNumThreads() == 3
