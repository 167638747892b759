"""The shape of the house: which room may know which, and what must never appear."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("expressions", "engine", "storage", "api", "bench")
FILES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
FRONT_DOOR = sorted((ROOT / "factorloom").glob("*.py"))
HEAVY = ("numba", "duckdb", "litestar", "pandas", "pyarrow", "aiohttp", "granian", "rich", "cyclopts", "structlog")
UNPICKLERS = ("cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve")
COMPILES_DRIVERS = ROOT / "engine" / "runtime" / "jit.py"

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


@every_file
def test_inside_the_house_nobody_uses_the_front_door(path: Path) -> None:
    assert not any(module == "factorloom" for module in imported(path))


@every_file
def test_no_code_comes_from_data(path: Path) -> None:
    assert not any(module.partition(".")[0] in UNPICKLERS for module in imported(path))
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
    assert {path.name for path in FRONT_DOOR} == {"__init__.py", "__main__.py"}


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
