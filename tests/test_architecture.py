"""The layout keeps the rules of docs/architecture.md; imports inside functions count, too."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("usmicro", "benchmarks", "training")


def name_of(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {
    name_of(file): file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))
}


def imports_of(module: str) -> set[str]:
    """Modules of the project that a module imports anywhere in its source."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else node.module for name in names}
    return (found & set(MODULES)) - {module}


IMPORTS = {module: imports_of(module) for module in MODULES}


def test_there_are_no_import_cycles():
    # the package itself offers names of the modules below it, which it imports on first use
    graph = {
        module: names - {"usmicro"} for module, names in IMPORTS.items() if module != "usmicro"
    }
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_few_files_lie_directly_in_the_package():
    files = {file.name for file in (ROOT / "usmicro").glob("*.py")} - {"__init__.py", "__main__.py"}
    assert len(files) <= 6, sorted(files)


LOWEST = ("kernels", "errors")
STAGES = ("loading", "preparation", "foci", "anatomy", "posterior", "doppler", "labelling")
ABOVE = ("analysis", "result", "batch", "cli", "inspection", "evaluation", "comparison")


@pytest.mark.parametrize(
    ("package", "forbidden"),
    [
        ("usmicro.kernels", ("model", "numerics", "tracking", "writing", *STAGES, *ABOVE)),
        ("usmicro.model", ("tracking", "writing", *STAGES, *ABOVE)),
        ("usmicro.writing", ("tracking", *STAGES, *ABOVE)),
        *((f"usmicro.{stage}", ("writing", *ABOVE)) for stage in STAGES),
        *((f"usmicro.{stage}", ("loading",)) for stage in STAGES if stage != "loading"),
    ],
)
def test_imports_point_downwards(package, forbidden):
    wrong = {
        (module, name)
        for module, names in IMPORTS.items()
        if f"{module}.".startswith(f"{package}.")
        for name in names
        if name.split(".")[1:2] and name.split(".")[1] in forbidden
    }
    assert wrong == set()


def test_benchmarks_and_training_do_not_import_each_other():
    for one, other in (("benchmarks", "training"), ("training", "benchmarks")):
        assert not [
            (module, name)
            for module, names in IMPORTS.items()
            if module.split(".")[0] == one
            for name in names
            if name.split(".")[0] == other
        ]


def test_the_tests_mirror_the_source():
    sources = {path.relative_to(ROOT / "usmicro") for path in (ROOT / "usmicro").rglob("*/")}
    others = {"benchmarks", "docs", "fuzzing", "helpers", "training"}
    folders = {
        path.relative_to(ROOT / "tests")
        for path in (ROOT / "tests").rglob("*/")
        if (path / "__init__.py").is_file() and path != ROOT / "tests"
    }
    assert {folder for folder in folders - sources if folder.parts[0] not in others} == set()
