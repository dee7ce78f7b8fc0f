"""Decides which keys of an earlier curve go and which frames get new ones, as a policy says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import key_fields
from .key_fields import Keys
from .key_memory import Bake, Path
from .key_requests import Policy


@dataclass(frozen=True)
class Verdict:
    """What becomes of one curve.

    Attributes:
        is_removed: bool (K,), of the keys that are there.
        is_free: bool (T,), frames of the new motion that an artist leaves to us.
        strays: f32, values of keys that stay elsewhere than where a bake wrote them.
        kept_count: keys of an artist in the range that stay.
        emptied_count: keys that an artist has taken away, and that are not written again.
        replaced_count: keys of an artist that go.
    """

    is_removed: NDArray[np.bool_]
    is_free: NDArray[np.bool_]
    strays: NDArray[np.float32]
    kept_count: int = 0
    emptied_count: int = 0
    replaced_count: int = 0


@dataclass(frozen=True)
class Judge:
    """Knows what was written, and what shall be.

    Attributes:
        policy: REPLACE or KEEP.
        first: frame of the new motion.
        count: of its frames T.
        bake: the earlier one of the same name; None if there is none.
        others: bakes of other names.
        moved: range to which an artist has moved the earlier one; None if it lies where it was written.
    """

    policy: Policy
    first: int
    count: int
    bake: Bake | None
    others: tuple[Bake, ...]
    moved: tuple[int, int] | None

    def judge(self, path: Path, keys: Keys) -> Verdict:
        """Decides about the keys of a curve, of which `key_fields.marks` are known."""
        frames = keys["co"][:, 0]
        is_own = self.bake.holds(path, keys) if self.bake is not None else np.zeros(len(frames), bool)
        is_others = np.any([other.holds(path, keys) for other in self.others] or [np.zeros(len(frames), bool)], axis=0)
        is_theirs = ~is_own & ~is_others
        is_new = _within(frames, (self.first, self.first + self.count - 1))
        is_old = _within(frames, self.bake.range) if self.bake is not None else np.zeros(len(frames), bool)
        is_stray, every_frame = self._strays(path, keys, is_theirs), np.ones(self.count, bool)
        if self.policy is not Policy.KEEP:
            if self.moved is not None:
                is_old |= _within(frames, self.moved)
            is_removed = is_new | is_stray | (is_old & ~is_others)
            replaced = int((is_removed & is_theirs).sum())
            return Verdict(is_removed, every_frame, np.empty(0, np.float32), replaced_count=replaced)
        is_removed = is_own | (is_new & is_others)
        strays = keys["co"][is_stray, 1]
        if not len(frames):  # all was taken away
            return Verdict(is_removed, every_frame, strays)
        is_kept = key_fields.whole_frames(frames[~is_removed], self.first, self.count)
        is_emptied = self._emptied(path, frames)
        kept = int(((is_new | is_old) & is_theirs).sum())
        return Verdict(is_removed, ~is_kept & ~is_emptied, strays, kept, int(is_emptied.sum()))

    def before(self, path: Path) -> float | None:
        """What a property was before any bake moved it; None where nobody knows."""
        every = [self.bake, *self.others]
        return next((bake.before[path] for bake in every if bake is not None and path in bake.before), None)

    def _strays(self, path: Path, keys: Keys, is_theirs: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Keys that were moved from where the earlier bake wrote them: they have its values, whose places are empty."""
        bake = self.bake
        if bake is None or path not in bake.values or not is_theirs.any():
            return np.zeros(len(is_theirs), bool)
        gone = bake.is_key[path] & ~key_fields.whole_frames(keys["co"][~is_theirs, 0], bake.first, bake.count)
        values = np.concatenate([bake.values[path][gone], bake.strays.get(path, np.empty(0, np.float32))])
        is_generated = keys["type"] == key_fields.enum("type", "GENERATED")
        return is_theirs & is_generated & np.isin(keys["co"][:, 1], values)

    def _emptied(self, path: Path, frames: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Frames of the new motion (T,) on which the earlier bake has written a key, and there is none."""
        bake = self.bake
        if bake is None or path not in bake.is_key:
            return np.zeros(self.count, bool)
        gone = bake.is_key[path] & ~key_fields.whole_frames(frames, bake.first, bake.count)
        return key_fields.whole_frames(np.flatnonzero(gone) + bake.first, self.first, self.count)


def others(bakes: Mapping[str, Bake], name: str) -> tuple[Bake, ...]:
    """The bakes of other names."""
    return tuple(bake for other, bake in bakes.items() if other != name)


def _within(frames: NDArray[np.float32], ends: tuple[int, int]) -> NDArray[np.bool_]:
    return (ends[0] <= frames) & (frames <= ends[1])
