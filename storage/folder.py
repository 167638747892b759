"""The folder of a store: where its files lie, and how a file gets there whole or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
import weakref
from contextlib import suppress
from pathlib import Path

from factorloom.expressions.errors import ArgumentError, StoreError

__all__ = ["MEMORY", "SETTINGS", "Folder", "find_folder", "find_store", "full_disk", "sync"]

MEMORY = ":memory:"
CURRENT = "CURRENT"
SETTINGS = "settings.toml"
MAGIC = b"DUCK"
REFUSED = {"?", "\0"} if os.name == "nt" else {"?", "\0", "\\"}


class Folder:
    """The folder of one store.

    Attributes
    ----------
    root : Path
        The folder itself, links resolved.
    lasting : bool
        False for a store `":memory:"`, which lies in a temporary folder and is never forced to the disk.
    """

    def __init__(self, root: Path, *, lasting: bool = True) -> None:
        self.root = root
        self.lasting = lasting
        self.catalogs = root / "catalog"
        self.segments = root / "segments"
        self.runs = root / "runs.jsonl"
        self.current = root / CURRENT
        self.lock = root / "LOCK"

    @property
    def name(self) -> str:
        """What errors call the store."""
        return str(self.root) if self.lasting else MEMORY

    def create(self) -> None:
        """Make the folders of a new store."""
        try:
            self.root.mkdir(exist_ok=True)
            self.catalogs.mkdir(exist_ok=True)
            self.segments.mkdir(exist_ok=True)
        except OSError as error:
            raise self.failed("created", error) from error

    def new_segment(self, dataset: str, kind: str) -> str:
        """The name of a file that does not exist yet, relative to the segments."""
        try:
            (self.segments / dataset).mkdir(exist_ok=True)
        except OSError as error:
            raise self.failed("written", error) from error
        return f"{dataset}/{kind}-{secrets.token_hex(8)}.parquet"

    def segment(self, name: str) -> Path:
        """The path of a segment."""
        return self.segments / name

    def settle(self, *paths: Path) -> None:
        """Force files or folders to the disk."""
        if self.lasting:
            for path in paths:
                sync(path)

    def replace(self, path: Path, content: bytes) -> None:
        """Write a small file whole: readers see the old one or the new one."""
        temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        try:
            temporary.write_bytes(content)
            self.settle(temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        self.settle(path.parent)

    def failed(self, what: str, error: OSError) -> StoreError:
        """The error for a file that cannot be written."""
        hint = "free disk space" if full_disk(error) else "check the permissions of the folder, or read_only=True"
        reason = error.strerror or str(error)
        return StoreError(f"the store {self.name} cannot be {what}: {reason}", hint=f"{hint}; stored data is unchanged")


def find_folder(path: str | os.PathLike[str], *, read_only: bool, partial: bool = False) -> Folder:
    """The folder that a caller names, or a temporary one for `":memory:"`; what is no store is refused.

    `partial` takes a store that has lost CURRENT too, or a backup that was not finished.
    """
    if not isinstance(path, str | os.PathLike) or not os.fspath(path):
        raise ArgumentError(f"the path of a store must be a path, got {path!r}")
    if os.fspath(path) == MEMORY:
        return _temporary()
    if REFUSED & set(os.path.abspath(os.fsdecode(path))):
        raise ArgumentError(
            f"the path of a store cannot hold a backslash, a question mark or NUL, got {os.fspath(path)!r}",
            hint="rename the folder: DuckDB reads these signs in another way",
        )
    root = Path(os.path.realpath(path))
    if root.is_file():
        raise _refused_file(root)
    if not (root / CURRENT).exists() and not (partial and _has_lost_current(root)):
        if _has_lost_current(root):
            raise StoreError(f"the store {root} has lost the file CURRENT", hint="run: factorloom store check --repair")
        if read_only:
            raise StoreError(f"no store at {root}", hint="open it without read_only to create it")
        if not root.parent.is_dir():
            raise StoreError(f"the folder {root.parent} of the store does not exist", hint="create the folder first")
        if root.exists() and (not root.is_dir() or _holds_other(root)):
            raise StoreError(
                f"{root} is not a store and not empty", hint="choose a path that does not exist yet, or a store"
            )
    return Folder(root)


def find_store(path: str) -> str | None:
    """The folder of the store that a file lies in; None for any other file."""
    for folder in Path(path).parents:
        if (folder / CURRENT).exists() and (folder / "catalog").is_dir():
            return str(folder)
    return None


def sync(path: Path) -> None:
    """Force a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def full_disk(error: BaseException) -> bool:
    """Whether an error means that there is no room."""
    text = str(error).lower()
    return any(word in text for word in ("no space", "file too large", "quota", "disk full", "not enough space"))


def _temporary() -> Folder:
    try:
        root = Path(tempfile.mkdtemp(prefix="factorloom-"))
    except OSError as error:
        raise StoreError(
            f"a store in memory needs a temporary folder: {error}", hint="set TMPDIR to a folder that can be written"
        ) from error
    folder = Folder(root, lasting=False)
    weakref.finalize(folder, shutil.rmtree, root, ignore_errors=True)
    return folder


def _has_lost_current(root: Path) -> bool:
    """Whether a folder without CURRENT holds more than what creating a store may have left."""
    catalogs = (root / "catalog").glob("*.duckdb")
    return any(each.name != "000001.duckdb" for each in catalogs) or any((root / "segments").glob("*/*"))


def _holds_other(root: Path) -> bool:
    """Whether a folder without a store holds anything else than settings, and what creating one may have left."""
    left = {"catalog", "segments", "LOCK", "runs.jsonl", SETTINGS}
    return any(item.name not in left and not item.name.startswith(f".{CURRENT}") for item in root.iterdir())


def _refused_file(path: Path) -> StoreError:
    with suppress(OSError), open(path, "rb") as file:
        if file.read(12)[8:] == MAGIC:
            return StoreError(
                f"{path} is one DuckDB file; a store is a folder", hint="load the bars into a store at another path"
            )
    return StoreError(f"{path} is a file; a store is a folder", hint="choose a path that does not exist yet")
