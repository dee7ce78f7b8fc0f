"""Makes heads of different people from MakeHuman's targets, each with ARKit's shapes.

As in MPFB, the displacements of a shape are the same for everybody and are added to the face at rest.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product

import numpy as np
from numpy.typing import NDArray

from backend_server.data.mpfb.assets import Assets, Displacements
from backend_server.data.mpfb.eyeball import place
from shared.arkit import SHAPES
from shared.rig.head_file import Head

_RACES = ("african", "asian", "caucasian")
_AGES, _YEARS = ("baby", "child", "young", "old"), (1.0, 11.0, 25.0, 90.0)
_AMOUNTS = ("min", "average", "max")
_SPREAD, _ASYMMETRY, _LARGEST = 0.15, 0.04, 0.5  # of what is drawn for features


@dataclass(frozen=True)
class Person:
    """What makes somebody's head.

    Attributes:
        years: age, 1 to 90.
        male: 0 a woman, 1 a man.
        races: shares of MakeHuman's african, asian and caucasian; they add up to 1.
        muscle: 0 to 1, 0.5 the average.
        weight: 0 to 1, 0.5 the average.
        features: values from -1 to 1 of `Assets.features`, by name: one, or left and right.
    """

    years: float = 25.0
    male: float = 0.5
    races: tuple[float, float, float] = (1 / 3, 1 / 3, 1 / 3)
    muscle: float = 0.5
    weight: float = 0.5
    features: dict[str, tuple[float, ...]] = field(default_factory=dict)


def draw_person(assets: Assets, generator: np.random.Generator) -> Person:
    """Somebody from eight to eighty years old, of any race and build, with a face of their own."""
    features = {}
    for feature in assets.features:
        sides = max(len(feature.less), len(feature.more))
        value = generator.normal(0, _SPREAD) + (generator.normal(0, _ASYMMETRY, sides) if sides > 1 else np.zeros(1))
        features[feature.name] = tuple(value.clip(-_LARGEST if feature.less else 0, _LARGEST).tolist())
    years, muscle, weight = (generator.uniform(*limits) for limits in ((8, 80), (0.2, 0.8), (0.2, 0.8)))
    african, asian, caucasian = generator.dirichlet((0.5, 0.5, 0.5))
    return Person(years, generator.beta(0.4, 0.4), (african, asian, caucasian), muscle, weight, features)


def make_head(assets: Assets, person: Person) -> Head:
    """The head of somebody, its neck cut straight.

    Raises:
        CorpusError: a target is missing.
    """
    base, units = shaped(assets, person), assets.face_units()
    eyes = [place(assets.ball, base[eye], units[:, eye]) for eye in assets.eyes]
    others = slice(0, assets.eyes[0].start)
    vertices = np.concatenate([base[others], *(placed for placed, _ in eyes)])
    deltas = np.concatenate([units[:, others], *(moved for _, moved in eyes)], axis=1)
    is_skin = np.isin(assets.face_parts, [assets.parts.index(part) for part in ("skin", "lips")])
    border = _border(assets.faces[is_skin])
    centre = vertices[border].mean(0)
    normal = np.linalg.svd(vertices[border] - centre)[2][-1]
    vertices[border] -= np.outer((vertices[border] - centre) @ normal, normal)
    deltas[:, border] = 0
    vertices -= (0, centre[1], vertices[:, 2].min())
    return Head(
        vertices.astype(np.float32),
        assets.faces,
        assets.face_parts,
        assets.parts,
        assets.uv,
        SHAPES,
        deltas.astype(np.float32),
    )


def shaped(assets: Assets, person: Person) -> Displacements:
    """The vertices (B, 3) of `assets` in somebody's shape."""
    genders = {"female": 1 - person.male, "male": person.male}
    ages = _shares(_AGES, _YEARS, person.years)
    muscles, weights = (_shares(_AMOUNTS, (0.0, 0.5, 1.0), amount) for amount in (person.muscle, person.weight))
    shares = {
        f"macrodetails/{race}-{gender}-{age}": share * genders[gender] * ages[age]
        for (race, share), gender, age in product(zip(_RACES, person.races, strict=True), genders, ages)
    }
    shares |= {
        f"macrodetails/universal-{gender}-{age}-{muscle}muscle-{weight}weight": (
            genders[gender] * ages[age] * muscles[muscle] * weights[weight]
        )
        for gender, age, muscle, weight in product(genders, ages, muscles, weights)
    }
    for feature in assets.features:
        for side, value in enumerate(person.features.get(feature.name, ())):
            if targets := feature.less if value < 0 else feature.more:
                shares[targets[side]] = abs(value)
    vertices = assets.vertices.copy()
    for name, share in shares.items():
        if share:
            vertices += share * assets.target(name)
    return vertices


def _shares(names: tuple[str, ...], places: tuple[float, ...], value: float) -> dict[str, float]:
    """How much of each of the names stands at `value`: of the two beside it, none of the others."""
    return {name: float(np.interp(value, places, row)) for name, row in zip(names, np.eye(len(names)), strict=True)}


def _border(faces: NDArray[np.int32]) -> NDArray[np.int32]:
    """Vertices of edges that belong to one face only: of the skin, the neck's cut."""
    edges = np.sort(np.stack([faces, np.roll(faces, -1, axis=1)], axis=2).reshape(-1, 2), axis=1)
    unique, counts = np.unique(edges, axis=0, return_counts=True)
    return np.unique(unique[counts == 1])
