"""Give space back: merge small files, delete what no catalogue needs, and what killed processes have left."""

from __future__ import annotations

import time
from contextlib import suppress

from factorloom.storage.backing import Backing
from factorloom.storage.backup import files_of
from factorloom.storage.catalog import now
from factorloom.storage.dataset import write_pieces
from factorloom.storage.pieces import joined_pieces
from factorloom.storage.write import merge

__all__ = ["compact"]

LEFT = 3600.0
"""A file that no catalogue names, and that is so many seconds old, was left by a process that died."""


def compact(backing: Backing) -> int:
    """Merge, and delete; returns how many bytes that gave back."""
    before = _size(backing)
    with backing.publishing() as draft:
        for name in draft.before.datasets:
            view = backing.view(name, None, draft.before)
            pieces = joined_pieces(view)
            if any(piece.frame is not None for piece in pieces):
                write_pieces(backing, draft, name, pieces, view.version)
            merge(backing, draft, view, every=True)
    with backing.publishing() as draft:
        backing.remove_unused(draft.cursor, draft.before, before=now())
        known = set(files_of(backing.folder, draft.before))
        old = time.time() - LEFT
        for path in backing.folder.segments.rglob("*"):
            with suppress(OSError):
                name = path.relative_to(backing.folder.segments).as_posix()
                if path.is_file() and name not in known and path.stat().st_mtime < old:
                    path.unlink()
        for path in backing.folder.segments.iterdir():
            if path.name not in draft.before.datasets:
                with suppress(OSError):
                    path.rmdir()  # only where it is empty
    return before - _size(backing)


def _size(backing: Backing) -> int:
    size = 0
    for path in backing.folder.root.rglob("*"):
        with suppress(OSError):
            size += path.stat().st_size if path.is_file() else 0
    return size
