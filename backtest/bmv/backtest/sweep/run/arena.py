"""Memory for the tables of one run after another.

The tables of a run are longer than most runs need: fresh ones are 40 MB of zeros, of which a short run writes some
kilobytes. Cleared memory comes two megabytes at a time, and clearing it takes longer than the run.
"""

import mmap
import sys
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")
CAN_FORGET = sys.platform == "linux"  # Only there pages that are given back read as zeros for sure.


class Arena:
    """Memory of one thread: pages that a run wrote are given back before the next one, and read as zeros again."""

    def __init__(self) -> None:
        self._kept = dict[type, tuple[mmap.mmap, Any]]()  # Any: a row of its type.

    def like(self, row: T) -> T:
        """Return a row with the plain numbers of `row` and tables of zeros; the one returned before it is lost.

        Args:
            row: See :mod:`bmv.core.record`; its tables are zeros.
        """
        if not CAN_FORGET:
            return row
        memory, mine = self._kept.get(type(row)) or self._made(row)
        memory.madvise(mmap.MADV_DONTNEED)
        given: Any = row  # Any: records are made at run time.
        plain = min(offset for kind, offset, *_ in given.memory_block.dtype.fields.values() if kind.shape)
        mine.memory_block.view(np.uint8)[:plain] = given.memory_block.view(np.uint8)[:plain]
        kept: T = mine
        return kept

    def _made(self, row: Any) -> tuple[mmap.mmap, Any]:  # Any: as above.
        block = row.memory_block
        memory = mmap.mmap(-1, block.nbytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        memory.madvise(mmap.MADV_NOHUGEPAGE)
        mine = type(row)(np.frombuffer(memory, block.dtype, 1).view(np.recarray))
        self._kept[type(row)] = memory, mine
        return memory, mine
