"""`-o`: never overwrites a store, and replaces a file atomically."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from factorloom.api.cli import output
from factorloom.api.cli.format import format_of
from factorloom.api.cli.output import write_bytes
from factorloom.bench import engine as bench
from factorloom.bench import table
from factorloom.expressions.errors import ArgumentError
from factorloom.storage.store import open_store

Command = Callable[..., tuple[int, str, str]]


def verbs(store: Path, model: Path) -> list[list[object]]:
    """Every command that writes a file, with every format."""
    at = ["--store", store]
    return [
        ["datasets", *at],
        ["datasets", *at, "--format", "parquet"],
        ["compute", "us", "close * 2", *at, "--format", "csv"],
        ["score", "us", model, *at, "--format", "arrow"],
        ["sql", "select 1 as one", *at, "--format", "json"],
        ["operators"],
        ["operators", "ts_mean"],
        ["operators", "--format", "markdown"],
        ["library"],
        ["library", "technical", "--format", "markdown"],
        ["bench", "engine"],
        ["bench", "differences"],
    ]


@pytest.fixture
def quick_bench(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the benchmarks by ones that measure nothing."""
    from factorloom.bench.difference import page

    monkeypatch.setattr(bench, "run", lambda options, say: {"seconds": 1})
    monkeypatch.setattr(table, "show", lambda report: None)
    monkeypatch.setattr(page, "page", lambda: "differences\n")


@pytest.fixture
def names(store_path: Path, tmp_path: Path) -> list[Path]:
    """Paths and links to files of the store, and to places for new ones."""
    (tmp_path / "soft.csv").symlink_to(store_path / "CURRENT")
    (tmp_path / "twice.csv").symlink_to(tmp_path / "soft.csv")
    (tmp_path / "folder").symlink_to(store_path)
    links = [tmp_path / name for name in ("soft.csv", "twice.csv", "folder/LOCK", "folder/catalog/new.csv")]
    return [*links, store_path / "CURRENT", store_path / "segments" / "us" / "new.csv", store_path / "new.csv"]


@pytest.mark.usefixtures("quick_bench")
def test_no_command_overwrites_a_store(command: Command, store_path: Path, model_file: Path, names: list[Path]) -> None:
    before = files(store_path)
    for words in verbs(store_path, model_file):
        for name in names:
            code, out, err = command(*words, "-o", name)
            assert (code, out) == (2, ""), (words, name)
            assert f"a file of the store {store_path}" in err
    assert files(store_path) == before


def files(path: Path) -> dict[str, bytes]:
    """The content of all files of a folder, but for the log."""
    found = {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}
    return {name: content for name, content in found.items() if name != "runs.jsonl"}


@pytest.mark.usefixtures("quick_bench")
def test_every_command_writes_its_file_atomically(
    command: Command, store_path: Path, model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, words in enumerate(verbs(store_path, model_file)):
        target = tmp_path / f"result-{number}"
        assert command(*words, "-o", target) == (0, "", "")
        content = target.read_bytes()
        assert content
        target.write_text("before")
        with monkeypatch.context() as broken:
            broken.setattr(os, "fsync", full)
            code, _, err = command(*words, "-o", target)
        assert (code, target.read_text()) == (2 if words[0] == "score" else 1, "before")  # scores are stored first
        assert "No space left" in err
        with monkeypatch.context() as broken:
            broken.setattr(os, "fsync", interrupt)
            with pytest.raises(SystemExit, match="130"):
                command(*words, "-o", target)
        assert target.read_text() == "before"
        assert command(*words, "-o", target)[0] == 0
        assert target.read_bytes() == content or words[0] == "score"
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def full(file: int) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def interrupt(file: int) -> None:
    raise KeyboardInterrupt


@pytest.mark.usefixtures("quick_bench")
def test_a_bad_path_is_refused_before_any_work(
    command: Command, store_path: Path, model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "run", None)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    bad = {
        tmp_path: "is a folder",
        tmp_path / "none" / "x.csv": "does not exist",
        store_path / "none" / "x.csv": "does not exist",
        store_path: "is a folder",
        tmp_path / ("x" * 300): "cannot be written",
        tmp_path / "loop": "symbolic link to itself",
        Path("--format"): "followed by a file",
    }
    with open_store(store_path) as store:
        before = store.sql("select count(*) from catalog.runs").item()
    for words in verbs(store_path, model_file):
        for path, message in bad.items():
            code, out, err = command(*words, "-o", path)
            assert (code, out) == (2, ""), (words, path, err)
            assert message in err
            assert "Errno" not in err
    with open_store(store_path) as store:
        assert store.sql("select count(*) from catalog.runs").item() == before


def test_a_folder_in_which_no_file_can_be_created(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a read-only file system, or one without free inodes."""

    def refuse(path: Path, mode: str) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(output, "open", refuse, raising=False)
    with pytest.raises(ArgumentError, match="Read-only file system"):
        write_bytes(b"x", tmp_path / "x")


def test_the_target_of_a_link_is_written(tmp_path: Path) -> None:
    target, link, dangling = tmp_path / "target", tmp_path / "link", tmp_path / "dangling"
    target.write_text("before")
    link.symlink_to(target)
    dangling.symlink_to(tmp_path / "new")
    write_bytes(b"after", link)
    write_bytes(b"new", dangling)
    assert link.readlink() == target
    assert (target.read_bytes(), (tmp_path / "new").read_bytes()) == (b"after", b"new")


@pytest.mark.skipif(os.name != "posix", reason="Windows has no modes, no umask and no named pipes in folders")
def test_modes_are_those_of_the_umask_or_of_the_file_before(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_bytes(b"x", tmp_path / "new")
        (tmp_path / "old").touch()
        (tmp_path / "old").chmod(0o604)
        write_bytes(b"x", tmp_path / "old")
    finally:
        os.umask(before)
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("new", "old")] == [0o640, 0o604]


@pytest.mark.skipif(os.name != "posix", reason="Windows has no modes, no umask and no named pipes in folders")
def test_a_pipe_stays_a_pipe(tmp_path: Path) -> None:
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    write_bytes(b"through", pipe)
    reader.join()
    assert got == [b"through"]
    assert pipe.is_fifo()


@pytest.mark.skipif(os.name != "posix", reason="Windows has no /dev/stdout")
def test_stdout_by_its_path(store_path: Path) -> None:
    words = [sys.executable, "-m", "factorloom", "sql", "select 1 as one", "--store", str(store_path)]
    words += ["--format", "csv", "-o", "/dev/stdout"]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout == "one\n1\n"


@pytest.mark.usefixtures("quick_bench")
def test_a_dash_is_stdout(
    command: Command, store_path: Path, model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for words in verbs(store_path, model_file):
        if "parquet" in words or "arrow" in words:
            continue  # not text
        code, out, _ = command(*words, "-o", "-")
        assert code == 0
        assert out
    assert not (tmp_path / "-").exists()


def test_a_file_without_write_permission_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rename would ignore the mode of the file. `os.access` is patched because root may write any file."""
    target = tmp_path / "kept"
    target.write_text("before")
    for closed in (target, tmp_path):
        monkeypatch.setattr(output.os, "access", lambda path, how, closed=closed: path != closed)
        with pytest.raises(ArgumentError, match=f"no permission for {closed}"):
            write_bytes(b"after", target)
    assert target.read_text() == "before"


def test_the_demo_does_not_replace_a_store_that_has_more(command: Command, tmp_path: Path) -> None:
    made = tmp_path / "made"
    small = ("demo", "--symbols", 30, "--years", 1, "--store", made)
    assert command(*small)[0] == 0
    with open_store(made) as store:
        store.load("mine", pl.DataFrame({"symbol": ["A"], "date": ["2024-01-02"], "close": [1.0]}))
        code, _, err = command(*small)
        assert (code, "simulating" in err) == (2, False)
        assert "mine" in store.datasets()["name"].to_list()


@pytest.mark.parametrize("name", ["result.xlsx", "result.csv.gz", "result.tsv"])
def test_an_ending_that_stands_for_no_format_is_refused(name: str) -> None:
    with pytest.raises(ArgumentError, match=r"stands for no format\n.*or say it with --format"):
        format_of(Path(name))


@pytest.mark.parametrize("name", ["result", "result.txt", "/dev/stdout", "-"])
def test_a_table_is_written_where_no_ending_asks_for_more(name: str) -> None:
    assert format_of(Path(name)) == "table"
