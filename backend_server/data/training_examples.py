"""Gathers all that a motion network is trained on: clips with their landmarks, and speech with modelled motion."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend_server.articulation.visemes import VisemeTable
from backend_server.config import MotionConfig
from backend_server.data.articulation_examples import modelled_examples
from backend_server.data.corpus import Clip
from backend_server.data.motion_examples import MotionExample, as_usual_person, motion_examples
from backend_server.progress import Progress, silent
from backend_server.speech.acoustic_model import AcousticModel


def fitting(config: MotionConfig, model: AcousticModel) -> MotionConfig:
    """The settings for a network that listens through an acoustic model."""
    return dataclasses.replace(config, channels=model.channels, features_per_second=model.features_per_second)


def training_examples(
    clips: Sequence[Clip],
    model: AcousticModel,
    neutral: NDArray[np.float32],
    config: MotionConfig,
    random: np.random.Generator,
    speech: Sequence[Path] = (),
    visemes: VisemeTable | None = None,
    progress: Progress = silent,
) -> list[MotionExample]:
    """All that a network of these settings is trained on.

    Args:
        clips: of a prepared corpus.
        model: the acoustic model.
        neutral: canonical landmarks at rest, (68, 2).
        config: settings.
        random: of the variations.
        speech: folders of transcribed speech, heard, and said by synthetic voices.
        visemes: of the modelled motion; the shipped table when None.
        progress: told of every clip that is listened to.
    """
    rest = neutral if config.rests_in_silence else None
    examples = motion_examples(clips, model, random, config.variations, rest, progress)
    if config.has_usual_amplitude:
        examples = as_usual_person(examples, neutral)
    if config.modelled_share > 0 and speech:
        examples += modelled_examples(speech, model, neutral, config, random, visemes, progress)
    return examples
