import gc
import weakref

from usmicro.anatomy.remembered import remembered


class Thing:
    pass


def test_a_function_is_called_once_for_each_object_and_each_argument():
    calls = []

    @remembered
    def work(of: Thing, size: int) -> list[int]:
        calls.append((of, size))
        return [size]

    first, second = Thing(), Thing()
    assert work(first, 1) is work(first, 1)
    assert work(first, 2) == [2]
    assert work(second, 1) is not work(first, 1)
    assert calls == [(first, 1), (first, 2), (second, 1)]


def test_what_is_remembered_goes_with_the_object():
    class Result:
        pass

    @remembered
    def work(of: Thing) -> Result:
        return Result()

    thing = Thing()
    result = weakref.ref(work(thing))
    assert result() is not None
    del thing
    gc.collect()
    assert result() is None
