import pkgutil
from importlib import import_module

import pytest

import benchmarks
import benchmarks.accuracy
import training

MODULES = [
    name
    for package in (training, benchmarks, benchmarks.accuracy)
    for _, name, _ in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")
]


@pytest.mark.parametrize("name", MODULES)
def test_every_program_can_be_imported(name):
    try:
        import_module(name)
    except ModuleNotFoundError as error:
        # packages of the extras `train` and `bench` may be missing
        if str(error.name).startswith(("usmicro", "training", "benchmarks")):
            raise
        pytest.skip(f"{name} needs {error.name}")
