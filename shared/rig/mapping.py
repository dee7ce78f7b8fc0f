"""Defines the mapping from ARKit's 52 shapes to the channels of a rig.

A mapping is made by `presets`, `detection` or a user; `mapping_file` reads and writes it.
"""

from __future__ import annotations

import math
import re
from difflib import get_close_matches
from typing import Literal

import msgspec

from ..arkit import SHAPES
from ..errors import ValueRangeError

FORMAT = "speech_face.rig"
VERSION = 1  # of the file; a newer one is refused

MAX_CHANNELS = 4096
MAX_NAME = 255  # characters of a channel's or bone's name, which is Blender's own bound
MAX_FILE_NAME = 64  # characters of a mapping's name, which stands in names of files

Method = Literal["sum", "pose", "held"]
Transform = Literal["location_x", "location_y", "location_z", "rotation_x", "rotation_y", "rotation_z"]
Unit = Literal["degrees", "metres", "bone_lengths"]


_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def is_name(name: str) -> bool:
    """Whether a channel or bone can have this name."""
    return bool(name.strip()) and len(name) <= MAX_NAME and not _CONTROL.search(name)


class _Checked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A struct whose numbers are finite; a field that it does not have is refused, as it may be a misspelt one."""

    def __post_init__(self) -> None:
        for field in self.__struct_fields__:
            value = getattr(self, field)
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueRangeError(f"{self.label} has the {field} {value}; give a finite number")

    @property
    def label(self) -> str:
        """What it is called in sentences."""
        return f"a {type(self).__name__.lower()}"

    def check_name(self, name: str, what: str) -> None:
        """Raises ValueRangeError when something cannot have a name."""
        if not is_name(name):
            raise ValueRangeError(
                f"{what} has the name {name[:60]!r}; give one of 1 to {MAX_NAME} characters, none of them a control "
                "character"
            )

    def check_limits(self, least: float, most: float) -> None:
        """Raises ValueRangeError when nothing lies between the limits."""
        if not least < most:
            raise ValueRangeError(f"{self.label} is limited to {least:g} to {most:g}; `least` must be below `most`")


class Source(_Checked, frozen=True):
    """One shape of ARKit that moves a channel.

    Attributes:
        shape: its name in `shared.arkit.SHAPES`.
        gain: multiplies its weight; of a pose, the weight that the shape has in it.

    Raises:
        ValueRangeError: there is no such shape, or the gain is not finite.
    """

    shape: str
    gain: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.shape not in SHAPES:
            near = get_close_matches(self.shape.lower(), [shape.lower() for shape in SHAPES], 1)
            meant = next((f'; did you mean "{shape}"' for shape in SHAPES if near == [shape.lower()]), "")
            raise ValueRangeError(f"{self.shape[:60]!r} is none of ARKit's 52 shapes{meant}{'?' if meant else ''}")

    @property
    def label(self) -> str:
        """What it is called in sentences."""
        return f'the source "{self.shape}"'


class BoneTarget(_Checked, frozen=True):
    """What a channel does to a bone.

    The transform, in the bone's own axes and from its pose at rest, is the channel's value times `amount`, held within
    `least` and `most`.

    Attributes:
        bone: its name.
        transform: one axis of its location or rotation.
        amount: the transform where the channel is 1.
        unit: of the three numbers: degrees of rotations; metres, or lengths of the bone, of locations.
        least: the smallest transform.
        most: the largest transform.

    Raises:
        ValueRangeError: a name, number or unit cannot be.
    """

    bone: str
    transform: Transform
    amount: float
    unit: Unit
    least: float
    most: float

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_name(self.bone, "a bone")
        self.check_limits(self.least, self.most)
        if self.transform.startswith("rotation") != (self.unit == "degrees"):
            meant = "degrees" if self.transform.startswith("rotation") else "metres or bone_lengths"
            raise ValueRangeError(f"{self.label} is given in {self.unit}; {self.transform} is in {meant}")

    @property
    def label(self) -> str:
        """What it is called in sentences."""
        return f'the bone "{self.bone}"'


class Channel(_Checked, frozen=True):
    """One shape key, curve or bone transform of a rig.

    Its value is `offset` + `gain` * what the method makes of the sources, held within `least` and `most`.

    Attributes:
        name: of the shape key or curve; of a channel that moves a bone, any.
        sources: the shapes that move it.
        offset: the value at rest.
        gain: multiplies what the sources make.
        least: the smallest value.
        most: the largest value.
        method: "sum" adds gain * weight of each source. "pose" takes the sources as one pose of the face, and the
            channel's share when all such poses of the mapping together come as near the face as they can; without
            sources it gets what the others leave of 1. "held" takes them as a drawn picture of the mouth, which is 1
            while it is the nearest of all of them and 0 else.
        is_mirrored: left and right of the sources are swapped.
        is_muted: the channel is not moved: it stays at its offset.
        bone: what is moved instead of a shape key.

    Raises:
        ValueRangeError: a name, number or source cannot be.
    """

    name: str
    sources: tuple[Source, ...] = ()
    offset: float = 0.0
    gain: float = 1.0
    least: float = 0.0
    most: float = 1.0
    method: Method = "sum"
    is_mirrored: bool = False
    is_muted: bool = False
    bone: BoneTarget | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_name(self.name, "a channel")
        self.check_limits(self.least, self.most)
        shapes = [source.shape for source in self.sources]
        twice = next((shape for shape in shapes if shapes.count(shape) > 1), None)
        if twice:
            raise ValueRangeError(f'{self.label} has the source "{twice}" twice; join them into one')

    @property
    def label(self) -> str:
        """What it is called in sentences."""
        return f'the channel "{self.name}"'


class RigMapping(_Checked, frozen=True):
    """How the 52 shapes move the channels of one kind of rig.

    Attributes:
        name: of the mapping, and of the files that are written with it.
        channels: in the order of the rig; no two of one name, no two that move the same transform of a bone.
        description: for people.
        gain: multiplies the gain of every channel.
        is_mirrored: left and right of all sources are swapped.
        hold_seconds: how long a channel of the method "held" stays at least.

    Raises:
        ValueRangeError: a name or number cannot be, or two channels are the same.
    """

    name: str
    channels: tuple[Channel, ...]
    description: str = ""
    gain: float = 1.0
    is_mirrored: bool = False
    hold_seconds: float = 0.08
    format: str = FORMAT
    version: int = VERSION

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_name(self.name, "a mapping")
        if len(self.name) > MAX_FILE_NAME or set(self.name) & set('\\/:*?"<>|') or self.name[-1] in ". ":
            raise ValueRangeError(
                f"{self.label} cannot name a file; give a name of up to {MAX_FILE_NAME} characters without "
                '\\ / : * ? " < > | and without a point or space at its end'
            )
        if self.format != FORMAT or self.version != VERSION:
            raise ValueRangeError(
                f"{self.label} is {self.format} of version {self.version}; this release knows {FORMAT} of version "
                f"{VERSION}"
            )
        if not 1 <= len(self.channels) <= MAX_CHANNELS:
            raise ValueRangeError(f"{self.label} has {len(self.channels)} channels; give 1 to {MAX_CHANNELS}")
        if not 0.0 <= self.hold_seconds <= 1.0:
            raise ValueRangeError(f"{self.label} holds keys for {self.hold_seconds:g} s; choose 0 to 1")
        names: set[str] = set()
        transforms: dict[tuple[str, str], str] = {}
        for channel in self.channels:
            if channel.name in names:
                raise ValueRangeError(f'{self.label} has two channels named "{channel.name}"; rename or join them')
            names.add(channel.name)
            if channel.bone and not channel.is_muted:
                key = (channel.bone.bone, channel.bone.transform)
                if key in transforms:
                    raise ValueRangeError(
                        f'the channels "{transforms[key]}" and "{channel.name}" both move {key[1]} of the bone '
                        f'"{key[0]}"; join or mute one'
                    )
                transforms[key] = channel.name

    @property
    def label(self) -> str:
        """What it is called in sentences."""
        return f'the mapping "{self.name}"'
