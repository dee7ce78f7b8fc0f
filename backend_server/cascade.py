"""Makes a talking face from speech: Section 3 of the paper, stage by stage.

There is no algorithm here: each stage has its own folder and does not know the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import replace
from functools import cached_property
from math import ceil
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from backend_server.arkit.network import load_arkit_network
from backend_server.arkit.tongue import behind_lips, tongue_out, tongue_reach
from backend_server.blink.generator import load_blink_generator
from backend_server.blink.sampling import blink_displacements
from backend_server.checkpoints import WEIGHTS_DIR, weights_version
from backend_server.config import CROP_SIZE, IDENTITIES_ON_DEVICE
from backend_server.devices import choose_device
from backend_server.face.crop import crop_transform, to_crop
from backend_server.face.images import flattened
from backend_server.face.reference import prepare_references
from backend_server.face.result import ResultJudge
from backend_server.identity import FaceReferences, Identity
from backend_server.landmark_motion import LandmarkMotion
from backend_server.liveliness.lively import lively
from backend_server.motion.controls import shaped, smoothed
from backend_server.motion.generator import load_motion_generator
from backend_server.motion.regions import by_region, eyes_by_region
from backend_server.motion.sequence import motion_at
from backend_server.progress import EpochWatcher, Progress, silent
from backend_server.retarget import keep_lips_apart, lid_gains, retarget
from backend_server.speech.acoustic_model import SAID, CtcAcousticModel
from backend_server.speech.evidence import SpeechEvidence
from backend_server.speech.listener import open_acoustic_model, speech_file
from backend_server.speech.recording import ArraySound, Recording, heard_blocks, listen
from backend_server.speech.spoken import SpokenListener
from backend_server.texture.face_at_size import FaceAtSize
from backend_server.texture.full_frame import FullFrame
from backend_server.texture.learning.fine_tuning import adapt
from backend_server.texture.networks.presets import load_texture_generator
from backend_server.texture.render import TunedGenerators, render
from backend_server.texture.synthesis import TextureGenerator
from backend_server.texture.warping.following import Following
from shared.arkit import SHAPES
from shared.head import POSE
from shared.landmarks import EYE_REGION, LEFT_EYE, POINT_COUNT, RIGHT_EYE
from shared.motion_controls import UNTOUCHED, MotionControls
from shared.notes import renamed

BLOCK_FRAMES = 4096  # processed together; bounds the memory beside the result


class Cascade:
    """The trained networks of one weights folder on one device.

    Args:
        device: "cpu", "cuda", "cuda:N", or "auto" for CUDA if there is a GPU.
        weights: folder of the five safetensors files.
    """

    def __init__(self, device: str = "auto", weights: Path = WEIGHTS_DIR) -> None:
        self.device = device = choose_device(device)
        self.weights_version = weights_version(weights)
        self._weights = weights
        self._motion_generator = load_motion_generator(weights / "motion.safetensors", device)
        self._acoustic_model = open_acoustic_model(
            speech_file(weights), device, self._motion_generator.config.listens_to
        )
        self._blink_generator = load_blink_generator(weights / "blink.safetensors", device)
        self._arkit_network = load_arkit_network(weights / "arkit.safetensors", device)
        self._tuned_generators = TunedGenerators(IDENTITIES_ON_DEVICE)

    @classmethod
    def load(cls, device: str = "auto", weights: Path = WEIGHTS_DIR) -> Cascade:
        """The cascade, ready to run.

        Raises:
            ValueRangeError: there is no such device.
            WeightsError: a weights file is missing, damaged, or belongs to another network.
        """
        return cls(device, weights)

    @cached_property
    def _texture_generator(self) -> TextureGenerator:
        return load_texture_generator(self._weights / "texture.safetensors", self.device)

    @cached_property
    def neutral_canonical(self) -> NDArray[np.float32]:
        """l_p^m, the mean face at rest: (68, 2) canonical units."""
        return self._motion_generator.neutral_canonical.cpu().numpy()

    @torch.inference_mode()
    def animate(
        self,
        speech: NDArray[np.float32],
        sample_rate: int,
        frame_times: NDArray[np.float64],
        identity: Identity | None = None,
        *,
        seed: int = 0,
        blink: bool = True,
        controls: MotionControls = UNTOUCHED,
        transcript: str | None = None,
        progress: Progress = silent,
    ) -> LandmarkMotion:
        """Landmarks of a face that says the speech (Sections 3.1 to 3.3).

        Args:
            speech: samples (S,) in [-1, 1].
            sample_rate: Hz.
            frame_times: (T,) seconds in the sound, ascending, in any spacing.
            identity: whose face; the mean face when None.
            seed: of the blinks.
            blink: whether the eyes blink.
            controls: of the motion; the defaults change nothing.
            transcript: what is said, empty if unknown, so that words and phones are told; None: they are not wanted.
            progress: told of each stage.

        Raises:
            SoundError: the sound is not finite, empty, silent, too short or too long.
        """
        recording = listen(ArraySound(speech, sample_rate), progress)
        return self.animate_recording(
            recording,
            frame_times,
            identity,
            seed=seed,
            blink=blink,
            controls=controls,
            transcript=transcript,
            progress=progress,
        )

    @torch.inference_mode()
    def animate_recording(
        self,
        recording: Recording,
        frame_times: NDArray[np.float64],
        identity: Identity | None = None,
        *,
        seed: int = 0,
        blink: bool = True,
        controls: MotionControls = UNTOUCHED,
        transcript: str | None = None,
        progress: Progress = silent,
    ) -> LandmarkMotion:
        """`animate` for a recording of any length; only the motion grows with it."""
        heard_times = frame_times + controls.lead  # what is said then is shown now
        evidence = SpeechEvidence()
        listener = None if transcript is None else SpokenListener(self._acoustic_model.features_per_second)
        motion, tongue = self._speech_motion(recording, heard_times, evidence, listener, controls, progress)
        motion = smoothed(motion, frame_times, self.neutral_canonical, controls.smoothing, progress)
        presence = recording.presence(heard_times) if controls.silence > 0 else None
        progress("blink", 0, len(frame_times))
        face = identity.references if identity else None
        neutral, crop = (face.neutral_landmarks, face.crop) if face else self._mean_face()
        eyes = self._eye_displacements(frame_times, seed, controls if blink else replace(controls, blink_gain=0.0))
        alive = lively(recording.sound.blocks(), frame_times, seed, controls.liveliness)
        if alive:
            alive.raise_brows(eyes, controls.brows)
        gains = np.ones((POINT_COUNT, 1), np.float32)
        gains[RIGHT_EYE], gains[LEFT_EYE] = lid_gains(self.neutral_canonical, neutral)
        still, shapes = np.empty_like(motion), np.empty((len(motion), len(SHAPES)), np.float32)
        landmarks = np.empty_like(motion) if alive else still
        for first in range(0, len(motion), BLOCK_FRAMES):
            part = slice(first, first + BLOCK_FRAMES)
            spoken = None if presence is None else presence[part]
            motion[part] = by_region(shaped(motion[part], spoken, controls), self.neutral_canonical, controls)
            motion[part, EYE_REGION] = eyes[part]  # l_t^M: the eyes are the blink generator's
            shapes[part] = self.arkit_shapes(motion[part], shaped(tongue[part], spoken, controls))
            motion[part, EYE_REGION] *= gains[list(EYE_REGION)]
            motion[part] += self.neutral_canonical  # l_t^m = l_p^m + delta l_t^m
            moved = retarget(motion[part], self.neutral_canonical, neutral)  # l_t, Eq. 7
            still[part] = keep_lips_apart(moved, neutral)
            if alive:
                landmarks[part] = alive.turn(part, still[part], neutral)
            progress("blink", min(part.stop, len(motion)), len(motion))
        said = listener.spoken(transcript or "", progress) if listener else None
        heard = evidence.notes + (said.notes if said else ())
        notes = recording.notes + renamed(heard, {"": recording.sound.name})
        head = alive.poses if alive else np.zeros((len(motion), len(POSE)), np.float32)
        return LandmarkMotion(
            frame_times, motion, landmarks, neutral, crop, shapes, head, still, notes, evidence.confidence, said
        )

    def arkit_shapes(
        self, displacements: NDArray[np.float32], tongue: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """The shapes of ARKit that a moved face takes, as `LandmarkMotion.arkit`: (T, 52).

        Args:
            displacements: of the canonical face at rest, (T, 68, 2), canonical units.
            tongue: how far it is put out where the lips let it, (T,), 0 at rest; None where nobody speaks.
        """
        shapes = self._arkit_network.weights(torch.from_numpy(displacements).to(self.device)).cpu().numpy()
        if tongue is not None:
            shapes[:, SHAPES.index("tongueOut")] = behind_lips(tongue, self.neutral_canonical + displacements)
        return shapes

    @torch.inference_mode()
    def blink_landmarks(
        self, frame_times: NDArray[np.float64], seed: int, controls: MotionControls = UNTOUCHED
    ) -> NDArray[np.float32]:
        """The mean face blinking and otherwise still (Section 3.2): (T, 68, 2) canonical units."""
        canonical = np.repeat(self.neutral_canonical[None], len(frame_times), axis=0)
        canonical[:, EYE_REGION] += self._eye_displacements(frame_times, seed, controls)
        return canonical

    def adapt(
        self,
        images: Sequence[NDArray[np.uint8]],
        landmarks: NDArray[np.float32] | None = None,
        *,
        epochs: int = 10,
        seed: int = 0,
        progress: Progress = silent,
        on_epoch: EpochWatcher = lambda _: None,
        check: Callable[[FaceReferences], None] = lambda _: None,
        names: Sequence[str] = (),
        chosen: NDArray[np.float32] | None = None,
    ) -> Identity:
        """Learns a face from K images (Section 3.4, last paragraph).

        Args:
            images: K pictures (H, W, 3 or 4) of one person, any sizes.
            landmarks: (K, 68, 2) pixels placed by hand, rows of NaN where they are detected; None if all are.
            epochs: of fine-tuning; 0 uses the meta-learned weights unchanged.
            seed: of the order and the augmentation.
            progress: told of each stage and step.
            on_epoch: told of each epoch.
            check: gets the faces before anything is learnt; may refuse them.
            names: of the files, for sentences; empty if unknown.
            chosen: a point (K, 2) on the face that is meant, rows of NaN for the largest; None if it is for all.

        Raises:
            SpeechFaceError: the first thing that is wrong with the images, as in `prepare_references`.
        """
        references = prepare_references(images, landmarks, progress, names, chosen)
        check(references)
        return self.fine_tune(references, epochs=epochs, seed=seed, progress=progress, on_epoch=on_epoch)

    def fine_tune(
        self,
        references: FaceReferences,
        *,
        epochs: int,
        seed: int = 0,
        progress: Progress = silent,
        on_epoch: EpochWatcher = lambda _: None,
    ) -> Identity:
        """Learns a face from faces that are already found and cropped."""
        start, version = self._texture_generator, self.weights_version
        return adapt(
            start, references, epochs=epochs, seed=seed, weights_version=version, progress=progress, on_epoch=on_epoch
        )

    def render(
        self,
        identity: Identity,
        landmarks: NDArray[np.float32],
        progress: Progress = silent,
        *,
        is_cut_out: bool = True,
    ) -> Iterator[NDArray[np.uint8]]:
        """Pictures of the face in chunks (n, 256, 256, 4), RGB and straight alpha, as they are made (Section 3.4)."""
        generator = self._tuned_generators.generator_for(self._texture_generator, identity)
        return render(generator, identity.references, landmarks, progress, is_cut_out=is_cut_out)

    def result_judge(self, landmarks: NDArray[np.float32]) -> ResultJudge:
        """Looks at what `render` makes of these landmarks (T, 68, 2) and notes what is wrong with it; close it."""
        return ResultJudge(landmarks)

    def full_frame(self, identity: Identity, picture: NDArray[np.uint8]) -> FullFrame:
        """Places rendered faces back into the picture (H, W, 3 or 4) that the identity's first face was cut from."""
        return FullFrame(flattened(picture), *self._of_picture(identity))

    def face_at_size(self, identity: Identity, size: int) -> FaceAtSize:
        """Makes rendered faces larger, with the pixels of the photo that the identity keeps."""
        return FaceAtSize(*self._of_picture(identity), size)

    def _of_picture(self, identity: Identity) -> tuple[FaceReferences, NDArray[np.uint8], Following]:
        """A face, its first picture as it is rendered, and how all else follows."""
        rendered = next(self.render(identity, identity.references.landmarks[:1], is_cut_out=False))[0]
        following = deepcopy(self._texture_generator.following).cpu()  # where the picture is
        return identity.references, rendered, following

    def _speech_motion(
        self,
        recording: Recording,
        heard_times: NDArray[np.float64],
        evidence: SpeechEvidence,
        listener: SpokenListener | None,
        controls: MotionControls,
        progress: Progress,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """delta l^m, (T, 68, 2), and how far the tongue is out, (T,); evidence and listener are told what is heard."""
        model, total = self._acoustic_model, ceil(recording.seconds)
        reach = [np.zeros(0, np.float32)]  # stays so where no phones are scored
        progress("motion", 0, total)

        def heard() -> Iterator[NDArray[np.float32]]:
            count = 0
            for block, letters in heard_blocks(model, recording, wants_letters=listener is not None):
                if isinstance(model, CtcAcousticModel) and model.listens_to == "hidden":
                    phones = model.phone_probabilities(block)
                    evidence.add(phones[:, SAID], model.features_per_second)
                    reach.append(tongue_reach(phones))
                    if listener is not None and letters is not None:
                        listener.add(phones, letters)
                yield block
                count += len(block)
                progress("motion", min(round(count / model.features_per_second), total), total)

        displacements, done = np.empty((len(heard_times), POINT_COUNT, 2), np.float32), 0
        for made in motion_at(self._motion_generator, heard(), heard_times):
            displacements[done : done + len(made)] = made
            done += len(made)
        progress("motion", total, total)
        tongue = tongue_out(np.concatenate(reach), model.features_per_second, heard_times, controls.smoothing)
        return displacements, tongue

    def _eye_displacements(
        self, frame_times: NDArray[np.float64], seed: int, controls: MotionControls
    ) -> NDArray[np.float32]:
        """delta l^e, (T, 22, 2), canonical units."""
        if controls.blink_gain == 0:
            return np.zeros((len(frame_times), len(EYE_REGION), 2), np.float32)
        eyes = blink_displacements(
            self._blink_generator,
            frame_times,
            seed,
            controls.blink_gain,
            frequency=controls.blink_frequency,
            duration=controls.blink_duration,
        )
        return eyes_by_region(eyes, self.neutral_canonical, controls)

    def _mean_face(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        pixels = self.neutral_canonical * CROP_SIZE
        return to_crop(pixels, crop_transform(pixels)), np.eye(2, 3, dtype=np.float32)
