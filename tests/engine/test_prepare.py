"""Compiling ahead: what is prepared is found later, by other users too, and whatever fails costs no result."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import factorloom as fl
from factorloom.engine.executor.native.crew import Crew
from factorloom.engine.executor.native.shape import Shape, from_text, shape_of, to_text
from factorloom.engine.plan.passes import make_plan
from factorloom.engine.runtime import cache, progress
from factorloom.engine.runtime.observer import Observer
from factorloom.engine.runtime.progress import COMPILING, Line

PREPARE = "import factorloom as fl; print(fl.prepare(fl.cs_demean(fl.close), {'gap': fl.close - fl.open_})[:2])"
COLUMN = "import sys, factorloom as fl; fl.example().compute(x=fl.close); print('numba' in sys.modules)"


def run(script: str, folder: Path) -> str:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder)}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment)
    return done.stdout.strip()


def test_what_is_prepared_is_found_by_the_next_process(tmp_path: Path) -> None:
    first, second = (eval(run(PREPARE, tmp_path)) for _ in range(2))
    assert first[0] > 0
    assert first[1] == 0
    assert second == (0, first[0])


def test_nothing_is_prepared_twice_and_columns_need_nothing() -> None:
    mean = fl.ts_mean(fl.close, 20)
    assert fl.prepare(mean).folder == cache.folder()
    assert fl.prepare(mean, {"mean": mean})[:2] == (0, 0)
    assert fl.prepare(fl.close)[:2] == (0, 0)
    with pytest.raises(fl.errors.ArgumentError, match="no factor"):
        fl.prepare()


def test_a_plain_column_does_not_import_numba(tmp_path: Path) -> None:
    assert run(COLUMN, tmp_path) == "False"


# --- where code is kept ------------------------------------------------------------------------------------------


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The folder of an installation that cannot be written to, and the user's own."""
    installed, own = tmp_path / "installed", tmp_path / "own"
    installed.mkdir()
    own.mkdir()
    monkeypatch.setattr(cache, "_candidates", lambda: iter([(installed, True), (own, True)]))
    monkeypatch.setattr(cache, "folder", lambda: own)
    cache._warn_of_damage.cache_clear()
    cache._warn_of_loss.cache_clear()
    return installed, own


def test_prepared_code_is_read_where_it_cannot_be_written(folders: tuple[Path, Path]) -> None:
    installed, own = folders
    assert cache.keep("loop", b"prepared")
    (own / "loop.code").rename(installed / "loop.code")
    assert cache.load("loop") == b"prepared"
    assert cache.kept() == {"loop"}
    assert cache.keep("other", b"new")
    assert [path.name for path in own.iterdir()] == ["other.code"]


def test_damaged_installed_code_is_made_again_for_the_user(
    folders: tuple[Path, Path], caplog: pytest.LogCaptureFixture
) -> None:
    installed, _ = folders
    (installed / "loop.code").write_bytes(b"damaged")
    assert cache.load("loop") is None
    assert cache.keep("loop", b"again")
    assert cache.load("loop") == b"again"
    assert caplog.text.count("is damaged or incomplete") == 1


def test_a_full_folder_costs_one_line(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(path: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", fail)
    assert [cache.keep(name, b"code") for name in ("one", "two")] == [False, False]
    assert caplog.text.count("are not kept in") == 1
    assert list(folders[1].iterdir()) == []


# --- workers -----------------------------------------------------------------------------------------------------


def shapes() -> set[Shape]:
    plan = make_plan(dict(list(fl.library.alpha101().items())[:12]))
    runs = (run for stage in plan.stages for run in stage.steps)
    return {shape_of(run) for run in runs if "kernel" in getattr(getattr(run.step, "operator", None), "forms", {})}


def test_shapes_survive_the_way_to_a_worker() -> None:
    assert all(from_text(to_text(shape)) == shape for shape in shapes())


@pytest.mark.skipif(sys.platform == "win32", reason="needs a command that ends at once")
@pytest.mark.parametrize("command", ["/nonexistent", "/bin/false", "/bin/cat"])
def test_every_shape_is_shared_once_whatever_workers_do(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setattr(sys, "executable", command)
    monkeypatch.setattr(cache, "kept", frozenset)
    wanted = shapes()
    before = set(threading.enumerate())
    with Crew(wanted) as crew:
        shared = list(crew.share(Observer()))
    assert len(shared) == crew.count == len(wanted)
    assert set(shared) == wanted
    assert set(threading.enumerate()) <= before


@pytest.mark.skipif(sys.platform == "win32", reason="needs a command that does nothing")
def test_workers_end_when_a_computation_is_cancelled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    idle = tmp_path / "idle"
    idle.write_text("#!/bin/sh\nexec sleep 100\n")
    idle.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(idle))
    monkeypatch.setattr(cache, "kept", frozenset)
    monkeypatch.setattr("factorloom.engine.executor.native.crew.PATIENCE", 0.1)
    monkeypatch.setattr("factorloom.engine.executor.native.crew.processors", lambda: 2)
    observer = Observer()
    observer.cancel()
    with Crew(shapes()) as crew:
        while not crew._feeders[0].is_alive() or len(crew._waiting) == crew.count:
            pass
        with pytest.raises(fl.errors.CancelledError):
            list(crew.share(observer))
    assert all(worker.returncode is not None for worker in crew._workers)
    assert not any(feeder.is_alive() for feeder in crew._feeders)


# --- any number of inputs ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sum_of", "mean_of", "count_of", "max_of", "min_of"])
def test_all_numbers_of_inputs_share_a_driver(name: str) -> None:
    function = getattr(fl, name)
    panel = fl.example()
    inputs = [fl.ts_delay(fl.close, k % 3 + 1) * float(k + 1) for k in range(60)]
    made = {f"{count}": function(*inputs[:count]) for count in (1, 2, 60)}
    runs = [run for stage in make_plan(made).stages for run in stage.steps]
    assert len({shape_of(run) for run in runs if getattr(getattr(run.step, "operator", None), "name", "") == name}) == 1
    ours, others = panel.compute(made), panel.compute(made, engine="polars")
    for key in made:
        assert ours[key].is_null().equals(others[key].is_null())
        assert ours[key].drop_nulls().to_list() == pytest.approx(others[key].drop_nulls().to_list(), rel=1e-12)


# --- what is said ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "lines"), [(COMPILING, 1), ("loading kernels", 0)])
def test_a_line_says_that_kernels_are_compiled(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, lines: int
) -> None:
    monkeypatch.setattr(progress, "LONGER", 0.0)
    timers = threading.active_count()
    with Line().task(name, 3):
        while threading.active_count() > timers:
            pass
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("compiling kernels") == err.count("\n") == lines


def test_short_work_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with Line().task(COMPILING, 3):
        pass
    assert capsys.readouterr().err == ""
