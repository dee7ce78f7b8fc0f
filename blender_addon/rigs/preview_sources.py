"""Names the faces that can be previewed through a mapping: ARKit's 52 shapes and the 15 visemes of Oculus. No bpy."""

from __future__ import annotations

from .._shared import arkit, presets

VISEMES = "oculus"  # the preset whose poses are the visemes

_Faces = dict[str, tuple[tuple[str, float], ...]]

# Of each face the shapes of ARKit that it is made of, with their weights: "jawOpen", "oculus.aa".
FACES: _Faces = {
    **{shape: ((shape, 1.0),) for shape in arkit.SHAPES},
    **{
        f"{VISEMES}.{channel.name}": tuple((source.shape, source.gain) for source in channel.sources)
        for channel in presets.open_preset(VISEMES).channels
    },
}


def items() -> list[tuple[str, str, str]]:
    """The choices of a property, under two headings."""
    shapes = [(shape, shape, "This shape of ARKit alone") for shape in arkit.SHAPES]
    visemes = [
        (name, name.partition(".")[2], ", ".join(f"{shape} {gain:g}" for shape, gain in sources) or "The face at rest")
        for name, sources in FACES.items()
        if name.startswith(f"{VISEMES}.")
    ]
    return [("", "ARKit", ""), *shapes, ("", "Visemes", ""), *visemes]
