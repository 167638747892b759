"""Compiled kernels: kept on disk, never mistaken for one another, and usable where nothing can be kept."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from factorloom.expressions.frozen import fingerprint
from factorloom.expressions.operator import find

RANK = """
import factorloom as fl
from factorloom.engine.executor.native import kernel
for name in {names}:
    driver = kernel.launch(fl.parse(name + "(close)")).driver
    print(name, sum(driver.stats.cache_hits.values()), next(iter(driver.overloads.values())).fndesc.mangled_name)
print(fl.example().compute(rank=fl.cs_rank(fl.close))["rank"].to_list())
"""
VALUES = "[0.5, 0.6666666666666666, 0.6666666666666666, 1.0, 1.0, 1.0, 0.3333333333333333, 0.3333333333333333]"


def run(names: list[str], cache: Path) -> list[str]:
    result = subprocess.run(
        [sys.executable, "-c", RANK.format(names=names)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "NUMBA_CACHE_DIR": str(cache)},
    )
    return result.stdout.splitlines()


def test_compiled_code_is_kept_and_its_symbols_are_its_own(tmp_path: Path) -> None:
    """Two processes that fill one cache must not give two kernels the same symbol (Numba issue 10486)."""
    first = run(["cs_rank"], tmp_path)
    second = run(["cs_demean"], tmp_path)
    both = run(["cs_demean", "cs_rank"], tmp_path)
    assert [line.split()[1] for line in (first[0], second[0])] == ["0", "0"]
    assert [line.split()[1] for line in both[:2]] == ["1", "1"]
    counters = [re.findall(r"B\d+(v\d+)B", line)[0] for line in (first[0], second[0])]
    assert counters[0] != counters[1]
    assert len(counters[0]) > len("v1000000000")
    assert first[-1] == second[-1] == both[-1] == VALUES


def test_a_changed_kernel_bears_another_name() -> None:
    kernels = [find(name).forms["kernel"].function for name in ("ts_mean", "ts_std", "cs_rank", "group_rank")]
    mean, std, rank, grouped = map(fingerprint, kernels)  # type: ignore[arg-type]
    assert mean != std
    assert rank == grouped


@pytest.mark.skipif(sys.platform == "win32", reason="needs a folder that cannot be written to, even by root")
def test_kernels_run_where_nothing_can_be_kept() -> None:
    assert run(["cs_rank"], Path("/proc/self"))[-1] == VALUES
