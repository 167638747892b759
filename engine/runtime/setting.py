"""What the user may set for the process: how many threads compute, and how much idle memory is kept."""

from __future__ import annotations

from dataclasses import dataclass

from factorloom.expressions.errors import ArgumentError

__all__ = ["IDLE_MEMORY", "Settings", "configure", "settings"]

IDLE_MEMORY = 0.75
"""The share that `Settings.idle_memory` is unless it is set."""


@dataclass(frozen=True)
class Settings:
    """The settings of the process.

    Attributes
    ----------
    threads
        How many threads compute; None for as many as the process may run on.
    idle_memory
        The share of the memory which the process may use that is kept for the next results when a result is let go.
    """

    threads: int | None = None
    idle_memory: float = IDLE_MEMORY


_current = Settings()


def settings() -> Settings:
    """The settings in force."""
    return _current


def configure(*, threads: int | None = None, idle_memory: float = IDLE_MEMORY) -> None:
    """Set threads and memory for the whole process; what is not given returns to its default.

    Parameters
    ----------
    threads
        How many threads the engine may use; None for as many as the process may run on.
    idle_memory
        What results took is kept for later ones, because fresh memory is slow, up to this share of the memory that the
        process may use: what the machine has, or less where a container or a resource limit of the process allows less.
        Under a resource limit, the rest of it is left to others. 0 keeps nothing.

    Raises
    ------
    ArgumentError
        Where `threads` is not a whole number of at least 1, or `idle_memory` is not between 0 and 1.

    Examples
    --------
    >>> import factorloom as fl
    >>> fl.configure(threads=1, idle_memory=0.25)
    >>> fl.configure()
    """
    global _current
    if threads is not None and (isinstance(threads, bool) or not isinstance(threads, int) or threads < 1):
        raise ArgumentError(f"threads must be a whole number of at least 1, got {threads!r}")
    if isinstance(idle_memory, bool) or not isinstance(idle_memory, float | int) or not 0 <= idle_memory <= 1:
        raise ArgumentError(f"idle_memory must be a share between 0 and 1, got {idle_memory!r}")
    _current = Settings(threads, idle_memory)
