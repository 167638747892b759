"""Where engines give other values for a published formula, and why.

Every entry was found by comparing values on a dense market without missing bars; `theirs`, where it is given, is the
formula in our language that gives the peer's values, and so proves the cause. The tests compare again: no factor may
differ that is not listed here, and none may be listed that does not.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Difference"]


@dataclass(frozen=True)
class Difference:
    """One factor of which a peer has another reading.

    Attributes
    ----------
    factor, peer : str
    cause : str
        What the peer does otherwise, in one sentence.
    theirs : str
        The formula in our language that gives the peer's values; empty where our language cannot say it, or where the
        cause is rounding.
    """

    factor: str
    peer: str
    cause: str
    theirs: str = ""
