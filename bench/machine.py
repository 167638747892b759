"""The hardware and versions of a benchmark, without anything that identifies the machine or its owner."""

from __future__ import annotations

import os
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

from factorloom.bench.peer import ENGINES
from factorloom.engine.runtime.thread import processors

__all__ = ["Machine", "describe"]

PACKAGES = ("numpy", "numba", *sorted({engine.package for engine in ENGINES.values()}, key=str.lower))


class Machine(msgspec.Struct, frozen=True):
    """Processor, number of usable cores, memory in GiB, and the versions of the packages."""

    processor: str
    cores: int
    memory: float
    system: str
    python: str
    versions: dict[str, str]

    def __str__(self) -> str:
        versions = ", ".join(f"{name} {number}" for name, number in self.versions.items())
        return f"{self.processor}, {self.cores} cores, {self.memory} GiB; Python {self.python}, {versions}"


def describe() -> Machine:
    """This machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 0
    return Machine(
        processor=_processor(),
        cores=processors(),
        memory=round(memory / 2**30, 1),
        system=platform.system(),
        python=platform.python_version(),
        versions={name: number for name in PACKAGES if (number := _version(name))},
    )


def _processor() -> str:
    try:
        found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
