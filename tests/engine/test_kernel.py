"""Compiled kernels: kept on disk, never mistaken for one another, and usable where nothing can be kept."""

from __future__ import annotations

import ast
import itertools
import os
import re
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from numba import types
from numba.core.registry import cpu_target

import factorloom as fl
from factorloom.engine.runtime import cache
from factorloom.engine.runtime.compiler import Kept
from factorloom.expressions.frozen import fingerprint
from factorloom.expressions.operator import find

SCRIPT = """
import logging
import factorloom as fl
from factorloom.engine.executor.native.kernel import launch

logging.basicConfig(level="INFO", format="log: %(message)s")
for name in {names}:
    stages = fl.example().plan(fl.parse(name + "(close)")).stages
    run = [run for stage in stages for run in stage.steps][-1]
    driver = launch(run).driver.compiled
    print(name, sum(driver.stats.cache_hits.values()), next(iter(driver.overloads.values())).fndesc.mangled_name)
print(fl.example().compute(x=fl.cs_demean(fl.close))["x"].to_list())
"""
VALUES = str(fl.example().compute(x=fl.cs_demean(fl.close))["x"].to_list())


def run(names: list[str], cache: Path | None, **variables: str) -> subprocess.CompletedProcess[str]:
    """A process that reports how often kernels came from disk, and computes a factor."""
    environment = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"} | variables
    return subprocess.run(
        [sys.executable, "-c", SCRIPT.format(names=names)],
        capture_output=True,
        text=True,
        check=True,
        env=environment | ({} if cache is None else {"NUMBA_CACHE_DIR": str(cache)}),
    )


def lines(done: subprocess.CompletedProcess[str]) -> list[str]:
    return done.stdout.splitlines()


def test_compiled_code_is_kept_and_its_symbols_are_its_own(tmp_path: Path) -> None:
    """Two processes that fill one cache must not give two kernels the same symbol (Numba issue 10486)."""
    first, second = lines(run(["cs_demean"], tmp_path)), lines(run(["cs_mean"], tmp_path))
    both = lines(run(["cs_mean", "cs_demean"], tmp_path))
    assert [line.split()[1] for line in (first[0], second[0])] == ["0", "0"]
    assert [line.split()[1] for line in both[:2]] == ["1", "1"]
    counters = [re.findall(r"B\d+(v\d+)B", line)[0] for line in (first[0], second[0])]
    assert counters[0] != counters[1]
    assert len(counters[0]) > len("v1000000000")
    assert first[-1] == second[-1] == both[-1] == VALUES


def test_a_changed_kernel_has_another_name() -> None:
    forms = [find(name).forms["kernel"].function for name in ("ts_mean", "ts_std", "cs_rank", "group_rank")]
    mean, std, rank, grouped = map(fingerprint, forms)  # type: ignore[arg-type]
    assert mean != std
    assert rank == grouped


@pytest.mark.skipif(sys.platform == "win32", reason="needs a folder that cannot be written to, even by root")
def test_kernels_run_where_nothing_can_be_kept() -> None:
    done = run(["cs_demean"], Path("/proc/self"), HOME="/proc/self", XDG_CACHE_HOME="/proc/self", TMPDIR="/proc/self")
    assert lines(done)[-1] == VALUES


def empty(path: Path) -> None:
    path.write_bytes(b"")


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def zeroed(path: Path) -> None:
    """What a power cut leaves: the size is right, a part of the content was never written."""
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 3] + bytes(len(data) - len(data) // 3))


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    for place in range(len(data) // 4, len(data), 97):
        data[place] ^= 255
    path.write_bytes(data)


def test_damaged_code_is_noticed_and_compiled_anew(tmp_path: Path) -> None:
    """Whatever happened to the files: never an error, never a crash, and one line that says so."""
    harm: dict[str, Callable[[Path], None]]
    harm = {"cs_demean": empty, "cs_mean": cut, "cs_count": zeroed, "cs_sum": flipped}
    kinds = itertools.cycle(harm.values())
    assert lines(run(list(harm), tmp_path))[-1] == VALUES
    for path in sorted(tmp_path.rglob("*.code")):
        named = next((kind for name, kind in harm.items() if path.name.startswith(f"{name}_")), None)
        (named or next(kinds))(path)
    done = run(list(harm), tmp_path)
    assert [line.split()[1] for line in lines(done)[:4]] == ["0"] * 4
    assert lines(done)[-1] == VALUES
    assert done.stderr.count("is damaged or incomplete") == 1
    again = run(list(harm), tmp_path)
    assert [line.split()[1] for line in lines(again)[:4]] == ["1"] * 4
    assert lines(again)[-1] == VALUES
    assert "damaged" not in again.stderr


def test_code_that_names_what_has_moved_is_compiled_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "load", lambda name: b"cno_such_module\nKernel\n.")  # the pickle of a class
    kept = Kept("kernel", "source")
    assert kept.load_overload((types.float64,), cpu_target.target_context) is None
    monkeypatch.setattr(cache, "load", lambda name: b"cfactorloom.engine.panel\nKernel\n.")
    assert kept.load_overload((types.float64,), cpu_target.target_context) is None


def test_four_processes_may_fill_one_cache(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as callers:
        done = list(callers.map(lambda _: run(["cs_demean"], tmp_path), range(4)))
    assert [lines(result)[-1] for result in done] == [VALUES] * 4
    assert not any("damaged" in result.stderr for result in done)
    last = run(["cs_demean"], tmp_path)
    assert lines(last)[0].split()[1] == "1"
    assert lines(last)[-1] == VALUES


def test_without_numba_the_same_comes_out(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(names=[]).replace("from factorloom.engine.executor", "# ")],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "NUMBA_DISABLE_JIT": "1", "NUMBA_CACHE_DIR": str(tmp_path)},
    )
    assert ast.literal_eval(lines(done)[-1]) == pytest.approx(ast.literal_eval(VALUES), rel=1e-12)
    assert "NUMBA_DISABLE_JIT is set" in done.stderr


def test_the_folder_is_the_first_that_can_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(cache, "__file__", "/proc/self/cache.py")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    choose = cache.folder.__wrapped__
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "given"))
    assert choose() == tmp_path / "given" / "factorloom"
    monkeypatch.setenv("NUMBA_CACHE_DIR", "/proc/self")
    assert choose() == tmp_path / "user" / "factorloom" / "kernels"
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/self")
    private = tmp_path / f"factorloom-{os.geteuid()}"
    caplog.clear()
    assert choose() == private
    assert f"compiled kernels are kept in {private}" in caplog.text
    private.chmod(0o777)  # anybody could have put code there
    assert choose() is None
    assert "compiled kernels are not kept on disk" in caplog.text
