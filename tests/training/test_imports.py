import ast
import pkgutil
from importlib import import_module
from pathlib import Path

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


@pytest.mark.parametrize(("package", "other"), [(training, "benchmarks"), (benchmarks, "training")])
def test_training_and_benchmarks_do_not_import_each_other(package, other):
    (folder,) = package.__path__
    for path in Path(folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            else:
                continue
            assert not any(name.split(".")[0] == other for name in names), path
