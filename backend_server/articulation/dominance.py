"""Blends the shapes of neighbouring sounds into one motion.

The coarticulation model of Cohen & Massaro 1993, "Modeling coarticulation in synthetic visual speech": every sound has
a dominance over the mouth that rises before it and falls after it, and the mouth takes the mean of all targets,
weighted by their dominances. What opens and closes the lips, what rounds and spreads them, and the jaw are groups with
dominances of their own.

Cohen & Massaro measure time from the middle of a sound. In a pause of seconds the sounds around it would then
move the mouth, so here a sound's dominance stays at its height from `APPROACH_SECONDS` after its begin to as long
before its end.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

APPROACH_SECONDS = 0.06
# Strength, rise and fall in seconds of the lips' height.
_LIP_HEIGHT = {
    "silence": (0.3, 0.12, 0.09),
    "bilabial": (4.0, 0.06, 0.03),
    "labiodental": (3.0, 0.06, 0.05),
    "rounded consonant": (2.0, 0.07, 0.04),
    "consonant": (0.4, 0.25, 0.04),
    "vowel": (1.9, 0.07, 0.03),
    "rounded vowel": (2.0, 0.07, 0.07),
}
MANNERS = tuple(_LIP_HEIGHT)
CONTACT_FIRMNESS = 2.0
SHORTEST_TAU = 1e-6  # seconds; keeps the power's derivative finite at 0

# Coordinates of a flattened face (68 * 2) that each group moves; the others stand still.
GROUPS: dict[str, tuple[int, ...]] = {
    "height": tuple(2 * point + 1 for point in range(48, 68)),
    "width": tuple(2 * point for point in range(48, 68)),
    "jaw": tuple(2 * point + axis for point in range(3, 14) for axis in (0, 1)),
}


@dataclass(frozen=True)
class Dominance:
    """The constants of the model; G groups as in `GROUPS`, M manners of articulation as in `MANNERS`.

    Attributes:
        strength: logarithm of the dominance at its height, alpha, (G, M).
        rise: logarithm of the seconds before a sound in which it falls to 1/e: 1 / theta of anticipation, (G, M).
        fall: the same after the sound: 1 / theta of carry-over, (G, M).
        power: c, (1,).
    """

    strength: Tensor
    rise: Tensor
    fall: Tensor
    power: Tensor

    def with_firm_contacts(self) -> Dominance:
        """The same, but lips that touch lips or teeth are `CONTACT_FIRMNESS` times as strong.

        A mean of squares gives way a little in every contact; viewers notice each that is missed.
        """
        strength = self.strength.clone()
        touching = [MANNERS.index(name) for name in ("bilabial", "labiodental")]
        strength[list(GROUPS).index("height"), touching] += math.log(CONTACT_FIRMNESS)
        return replace(self, strength=strength)

    def tensors(self) -> dict[str, Tensor]:
        """The four constants by name."""
        return dict(vars(self))


def initial_dominance() -> Dominance:
    """Where fitting begins: strength 1, a rise and a fall of 80 ms, power 1.3, and what is known of lips and silence.

    Closed lips are stronger than what is around them and let go quickly; consonants made by the tongue leave the lips
    to the vowels; a vowel opens the lips early and lets go quickly.
    """
    manners = list(MANNERS)
    strength = torch.ones(len(GROUPS), len(manners))
    rise, fall = 0.08 * strength, 0.08 * strength
    lips = list(GROUPS).index("height")
    for name, values in _LIP_HEIGHT.items():
        column = manners.index(name)
        strength[lips, column], rise[lips, column], fall[lips, column] = values
    strength[1:, manners.index("consonant")] = 0.6
    return Dominance(strength.log(), rise.log(), fall.log(), torch.tensor([1.3]))


def shares(dominance: Dominance, manners: Tensor, begins: Tensor, ends: Tensor, times: Tensor) -> Tensor:
    """Which share of the mouth each sound has at each time.

    Args:
        dominance: the constants.
        manners: rows of the constants, (..., N).
        begins: seconds, (..., N).
        ends: seconds, (..., N).
        times: seconds, (..., T).

    Returns:
        (G, ..., T, N); the last axis sums to 1.
    """
    middle = (begins + ends)[..., None, :] / 2
    held = ((ends - begins) / 2 - APPROACH_SECONDS).clamp(min=0.0)[..., None, :]
    away = times[..., :, None] - middle  # (..., T, N)
    early = (-away - held).clamp(min=SHORTEST_TAU)
    late = (away - held).clamp(min=SHORTEST_TAU)
    logarithms = []
    for strength, rise, fall in zip(dominance.strength, dominance.rise, dominance.fall, strict=True):
        at = [constants[manners][..., None, :] for constants in (strength, rise, fall)]
        before, after = early * torch.exp(-at[1]), late * torch.exp(-at[2])
        logarithms.append(at[0] - before**dominance.power - after**dominance.power)
    return torch.softmax(torch.stack(logarithms), -1)
