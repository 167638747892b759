"""How much memory the process may use, and what happens where there is no more."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import factorloom as fl
from factorloom.engine.runtime.limit import group_limit, limit
from factorloom.expressions.errors import ArgumentError

UNLIMITED_V1 = 9223372036854771712
GROUPS = {
    "version 2": ("0::/user/job\n", {"user/job/memory.max": "max", "user/memory.max": "300", "memory.max": "500"}, 300),
    "version 2, soft": ("0::/job\n", {"job/memory.max": "700", "job/memory.high": "600"}, 600),
    "version 2, in a container": ("0::/\n", {"memory.max": "400\n"}, 400),
    "version 2, outside of the container": ("0::/../other\n", {"memory.max": "400\n"}, 400),
    "version 2, no limit": ("0::/job\n", {"job/memory.max": "max\n"}, sys.maxsize),
    "version 1": (
        "5:cpu,cpuacct:/x\n4:memory:/a/b\n0::/\n",
        {
            "memory/a/b/memory.limit_in_bytes": str(UNLIMITED_V1),
            "memory/a/memory.limit_in_bytes": "200",
            "memory/memory.limit_in_bytes": str(UNLIMITED_V1),
            "memory/x/memory.limit_in_bytes": "1",
        },
        200,
    ),
    "version 1, in a container": ("4:memory:/docker/1\n", {"memory/memory.limit_in_bytes": "900"}, 900),
    "no groups": ("", {"memory.max": "100"}, sys.maxsize),
}


@pytest.mark.parametrize("case", GROUPS)
def test_the_least_limit_of_the_groups_counts(case: str, tmp_path: Path) -> None:
    groups, files, expected = GROUPS[case]
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(groups)
    for name, text in files.items():
        file = tmp_path / "sys/fs/cgroup" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    assert group_limit(tmp_path) == expected


def test_without_groups_there_is_no_limit(tmp_path: Path) -> None:
    assert group_limit(tmp_path) == sys.maxsize
    assert 0 < limit() <= group_limit()


def test_the_share_of_idle_memory_is_checked() -> None:
    for bad in (-0.1, 1.5, True, "half", float("nan")):
        with pytest.raises(ArgumentError, match="idle_memory must be a share between 0 and 1"):
            fl.configure(idle_memory=bad)  # type: ignore[arg-type]


LIMITED = """
import gc, re, resource
from pathlib import Path
import numpy as np
import factorloom as fl
from factorloom.engine.runtime import memory
from factorloom.engine.runtime.limit import limit, room
from factorloom.engine.bars.market import simulate

def held():
    return int(re.search(r"VmSize:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024

panel = fl.Panel.from_frame(simulate(symbols=400, years=4))
expected = panel.compute(x=fl.close * 3)["x"].to_numpy().copy()
gc.collect()
before_limit, most = limit(), 2 * held()
resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))
assert limit() == min(most, before_limit)
assert abs(room() - most / 2) < most / 20
small = memory.borrow(most // 5 // 8, "float64")
del small
gc.collect()
idle = memory.idle()
assert idle >= most // 5
large = memory.borrow(most // 5 * 2 // 8, "float64")
large[:10] = 1.0
assert memory.idle() < idle
del large
gc.collect()
assert room() >= most / 4
for _ in range(3):
    assert (panel.compute(x=fl.close * 3)["x"].to_numpy() == expected).all()
try:
    memory.borrow(2**33, "float64")
except MemoryError as error:
    assert isinstance(error, fl.FactorloomError)
    print(error)
assert (panel.compute(x=fl.close * 3)["x"].to_numpy() == expected).all()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="what the process holds is read from /proc")
def test_under_a_limit_idle_memory_is_freed_before_anything_fails() -> None:
    done = subprocess.run([sys.executable, "-W", "error", "-c", LIMITED], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "no memory for 65,536.0 MiB; the process may use" in done.stdout
    assert "hint: compute fewer factors at a time" in done.stdout
