"""Judges the shipped weights, or those of another folder, on held-out sentences and people."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from backend_server.cascade import Cascade
from backend_server.checkpoints import WEIGHTS_DIR
from backend_server.commands.output_folder import output_folder
from backend_server.data.corpus import Corpus
from backend_server.devices import choose_device
from backend_server.evaluation.faces import ablation as face_ablation
from backend_server.evaluation.faces import accuracy as face_accuracy
from backend_server.evaluation.faces import beside, initialisation, mouths, sound
from backend_server.evaluation.faces.embedding import load_embedding
from backend_server.evaluation.held_out import PEOPLE, read_groups, read_talkers
from backend_server.evaluation.motion import ablation as motion_ablation
from backend_server.evaluation.motion import accuracy as motion_accuracy
from backend_server.evaluation.motion import (
    arkit,
    articulation,
    blinks,
    eight_faces,
    hearing,
    languages,
    leave_one_out,
    liveliness,
    robustness,
    speed,
    visemes,
)
from backend_server.evaluation.run import Context, Experiment, Settings, run
from backend_server.evaluation.sync import experiment as sync
from backend_server.identities.pictures import picture_files
from backend_server.progress import Progress
from backend_server.speech.listener import speech_file
from backend_server.texture.networks.presets import load_texture_generator
from shared.errors import CorpusError, ValueRangeError, WeightsError

FACES: tuple[Experiment, ...] = (sound.run, face_accuracy.run, mouths.run, sync.run)
COMPARED_FACES: tuple[Experiment, ...] = (beside.run,)
MOTION: tuple[Experiment, ...] = (
    motion_accuracy.run,
    robustness.run,
    articulation.run,
    languages.run,
    visemes.run,
    blinks.run,
    liveliness.run,
    arkit.run,
    eight_faces.run,
    hearing.run,
    speed.run,
)
PEOPLE_LEFT_OUT: tuple[Experiment, ...] = (leave_one_out.run,)
MOTION_ABLATIONS: tuple[Experiment, ...] = (motion_ablation.run,)
FACE_ABLATIONS: tuple[Experiment, ...] = (face_ablation.run, initialisation.run)


def evaluate(settings: Settings, progress: Progress) -> str:
    """Writes report.html, report.json and pictures into the folder and returns the tables.

    Trained networks and learnt faces are kept beside the folder, under its name with `_run` behind, for the next run.

    Args:
        settings: the options of the command.
        progress: told of every step.

    Raises:
        CorpusError: the data is no corpus or holds nothing out, or the folder of speech has no index.
        ImageError: the folder of portraits has no pictures.
        ValueRangeError: there is no such device, the output folder cannot be written, or nothing shall be judged.
        WeightsError: the folder of weights lacks a file, or holds one that cannot be read; or `identity` is no
            MobileFaceNet.
    """
    if not settings.has_motion and not settings.has_texture:
        raise ValueRangeError("with --no-motion and --no-texture nothing is left to judge; leave one of them out")
    check_weights(settings.weights, settings.has_texture)
    check_faces(settings)
    embedding = load_embedding(settings.identity) if settings.identity else None
    corpus = Corpus(settings.data)
    if settings.has_motion and not corpus.clips("train"):
        raise CorpusError(
            f"{corpus.path} has no training clips, whose voices the babble is made of; prepare some with it, or judge "
            "faces alone with --no-motion"
        )
    groups = read_groups(corpus)
    chosen = experiments(settings, has_people=bool(groups.get(PEOPLE)))
    if not groups.get(PEOPLE) and (not chosen or asked_of_faces(settings)):
        raise CorpusError(f"{corpus.path} holds nobody out of training whose face could be judged")
    settings = replace(settings, device=choose_device(settings.device))
    cascade = Cascade.load(settings.device, settings.weights)
    with output_folder(settings.out) as folder:
        return run(chosen, Context(cascade, corpus, groups, folder, settings, progress, embedding))


def experiments(settings: Settings, has_people: bool) -> list[Experiment]:
    """The experiments that were asked for, in the order of the report.

    Args:
        settings: the options of the command.
        has_people: whether the corpus holds people out of training, whose faces can be judged.
    """
    has_faces = settings.has_texture and has_people
    chosen = [
        (FACES, has_faces),
        (COMPARED_FACES, has_faces and bool(settings.beside or settings.talkers)),
        (MOTION, settings.has_motion),
        (PEOPLE_LEFT_OUT, settings.has_motion and settings.leaves_one_out),
        (MOTION_ABLATIONS, settings.has_motion and settings.has_ablations),
        (FACE_ABLATIONS, has_faces and settings.has_ablations),
    ]
    return [experiment for group, is_chosen in chosen if is_chosen for experiment in group]


def check_weights(folder: Path, has_texture: bool) -> None:
    """Raises WeightsError when a folder lacks a network that is judged."""
    files = [speech_file(folder), *(folder / f"{stage}.safetensors" for stage in ("motion", "blink", "arkit"))]
    files += [folder / "texture.safetensors"] if has_texture else []
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise WeightsError(
            f"the weights folder {folder} lacks {', '.join(missing)}; copy what was not trained anew from {WEIGHTS_DIR}"
        )


def check_faces(settings: Settings) -> None:
    """Raises an error when what was asked of faces alone cannot be judged, before hours are spent on the rest.

    Raises:
        CorpusError: `talkers` is no corpus, or holds nothing out.
        ImageError: `portraits` has no pictures.
        ValueRangeError: such options were given without faces.
        WeightsError: `beside` is no texture network.
    """
    asked = asked_of_faces(settings)
    if asked and not settings.has_texture:
        raise ValueRangeError(
            f"--no-texture leaves out the faces that {' and '.join(asked)} would judge; leave it out, or them"
        )
    if settings.beside:
        load_texture_generator(settings.beside)
    if settings.talkers:
        read_talkers(settings.talkers)
    if settings.portraits:
        picture_files(settings.portraits)


def asked_of_faces(settings: Settings) -> list[str]:
    """The options given that need faces."""
    options = {"--beside": settings.beside, "--talkers": settings.talkers, "--portraits": settings.portraits}
    return [name for name, path in options.items() if path]
