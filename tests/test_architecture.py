"""The shape of the house: which room and which layer may know which, and what must never appear."""

from __future__ import annotations

import ast
import graphlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("expressions", "engine", "storage", "api", "bench")
FILES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py") if "__pycache__" not in path.parts)
FRONT_DOOR = sorted((ROOT / "factorloom").glob("*.py"))
HEAVY = ("numba", "duckdb", "litestar", "pandas", "pyarrow", "aiohttp", "granian", "rich", "cyclopts", "structlog")
UNPICKLERS = ("cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve")
LOADS_KERNELS = ROOT / "engine" / "runtime" / "compiler.py"
COMPILES_DRIVERS = ROOT / "engine" / "runtime" / "jit.py"

LAYERS = {
    "expressions": (
        {"errors", "markup"},
        {"axis"},
        {"parameter", "form"},
        {"registry"},
        {"render", "notebook"},
        {"polars.stages"},
        {"factor"},
        {"operator"},
        {"frozen"},
        {"indicator"},
        {"trial"},
        {"declaration"},
        {"operators.loop"},
        {"operators.cell"},
        {"operators.time", "operators.cross"},
        {"operators"},
        {"column"},
        {"parse"},
        {"polars"},
        {"reference", "library"},
    ),
    "engine": (
        {"runtime"},
        {"bars"},
        {"plan"},
        {"executor.protocol"},
        {"executor.column"},
        {"executor.native", "executor.polars", "executor.file"},
        {"executor.choose", "executor.fit"},
        {"lazy", "result", "table"},
        {"panel", "prepare"},
        {"frame", "example"},
        {"research"},
        {"testing"},
    ),
    "api": ({"verb"}, {"http"}, {"cli"}),
}
"""The layers of rooms, as files and folders: each imports only those before it, or files of its own folder.

Operators along time and across symbols know those on cells, of which some are shorthands, and not each other.
"""

every_file = pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))


def imported(path: Path) -> Iterator[str]:
    """Every module that a file imports, at the top or inside a function."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@every_file
def test_a_room_knows_only_the_rooms_above_it(path: Path) -> None:
    own = ROOMS.index(path.relative_to(ROOT).parts[0])
    for module in imported(path):
        first, _, rest = module.partition(".")
        assert first not in (*ROOMS, "tests"), f"{path.name} imports {module}: write factorloom.{module}"
        room = rest.partition(".")[0]
        if first == "factorloom" and room in ROOMS:
            assert ROOMS.index(room) <= own, f"{path.name} imports {module}, which stands below its own room"


def module_of(path: Path) -> str:
    parts = ("factorloom", *path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in FILES}


def dependencies(path: Path) -> Iterator[str]:
    """The project's modules that a file imports; a package only where a name is taken from its own file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom):
            names = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from {name if name in MODULES else str(node.module) for name in names} & MODULES.keys()


def test_imports_never_run_in_a_circle() -> None:
    """Not even those that only type checkers see, or that stand inside a function."""
    graph = {name: set(dependencies(path)) for name, path in MODULES.items()}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail(" is imported by ".join(error.args[1]))


def layer(module: str) -> tuple[int, str]:
    """The number of the layer of a module in its room, and the file or folder that it belongs to."""
    _, room, *rest = module.split(".")
    name = ".".join(rest)
    members = [(place, member) for place, members in enumerate(LAYERS[room]) for member in members]
    fitting = [known for known in members if f"{name}.".startswith(f"{known[1]}.")]
    return max(fitting, key=lambda known: len(known[1]))


LAYERED = [name for name in MODULES if name.count(".") > 1 and name.split(".")[1] in LAYERS]
PACKAGES = {"factorloom.engine.executor"}
"""Folders whose files stand in different layers."""


@pytest.mark.parametrize("module", [name for name in LAYERED if name not in PACKAGES])
def test_rooms_are_built_in_layers(module: str) -> None:
    own = layer(module)
    for other in dependencies(MODULES[module]):
        if other.split(".")[1] == module.split(".")[1]:
            its = layer(other)
            assert its == own or its[0] < own[0], f"{module} imports {other}, which does not stand before it"


@every_file
def test_inside_the_house_nobody_uses_the_front_door(path: Path) -> None:
    assert not any(module == "factorloom" for module in imported(path))


@every_file
def test_no_code_comes_from_data(path: Path) -> None:
    assert path == LOADS_KERNELS or not any(module.partition(".")[0] in UNPICKLERS for module in imported(path))
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called != "eval"
            assert called not in ("compile", "exec") or path == COMPILES_DRIVERS


@every_file
def test_files_stay_readable(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 450
    assert path.stem not in ("utils", "util", "helpers", "helper", "manager", "common", "misc")
    assert ast.get_docstring(ast.parse(path.read_text())), "every module says what it is for"


def test_the_front_door_leads_to_every_room() -> None:
    for room in ROOMS:
        link = ROOT / "factorloom" / room
        assert link.is_symlink()
        assert not link.readlink().is_absolute()
        assert link.resolve() == ROOT / room
    assert {path.name for path in FRONT_DOOR} == {"__init__.py", "__main__.py", "polars.py", "testing.py"}


def test_importing_is_light() -> None:
    code = f"import factorloom, sys; print([name for name in {HEAVY!r} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


def test_every_public_name_is_there() -> None:
    import factorloom as fl

    for name in dir(fl):
        assert getattr(fl, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'close_'"):
        fl.close_  # noqa: B018
