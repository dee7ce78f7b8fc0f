"""Which numbers shape the networks and their training, and where does each come from?

One frozen dataclass a stage, each number beside its section of the paper. A network takes its config and nothing
else; a checkpoint carries it.
"""

from __future__ import annotations

from dataclasses import dataclass

SAMPLE_RATE = 16_000  # Hz, of every waveform behind `speech.audio`
CROP_SIZE = 256  # pixels, side of the face crop (Section 4.3: images of 3 x 256 x 256)
CORPUS_FRAME_RATE = 25.0  # frames/s of GRID, at which motion, blink and texture are trained
CHARACTERS = " abcdefghijklmnopqrstuvwxyz'"  # with the CTC blank at index 28: 29 classes (Section 3.1, F_t in R^{6x29})
CONTEXT_FRAMES = 6  # speech samples a window (Section 4.2, Fig. 6 left)
CONTEXT_SPACING_SECONDS = 0.033  # six of them span 198 ms (Section 4.2)


@dataclass(frozen=True)
class SpeechConfig:
    """The CTC acoustic model, a network of the DeepSpeech kind (Section 3.1)."""

    mel_bands: int = 64
    hop_samples: int = 160  # 100 mel frames a second
    window_samples: int = 400
    channels: int = 256
    blocks: int = 8
    kernel: int = 9
    classes: int = 29  # Section 3.1
    scores_per_second: float = 50.0


@dataclass(frozen=True)
class MotionConfig:
    """l-GAN (Sections 3.1 and 4.2)."""

    context: int = CONTEXT_FRAMES
    channels: int = 29
    components: int = 33  # PCA coefficients (Section 4.2)
    lambda_dist: float = 1.0  # Eq. 5
    lambda_reg: float = 0.5
    lambda_dir: float = 0.5
    lambda_gan: float = 1.0
    learning_rate: float = 2e-4  # Section 4.2
    batch_size: int = 6
    epochs: int = 40


@dataclass(frozen=True)
class BlinkConfig:
    """G_B (Sections 3.2 and 4.2)."""

    frames: int = 75  # one block: 3 s at 25 frames/s
    noise_size: int = 10
    hidden_size: int = 64
    pca_variance: float = 0.99  # Section 4.2
    learning_rate: float = 2e-4


@dataclass(frozen=True)
class TextureConfig:
    """t-GAN (Sections 3.4 and 4.3)."""

    alpha_1: float = 1e-1  # Eq. 10
    alpha_2: float = 2e-3
    lambda_pix: float = 0.5  # Eq. 11
    lambda_adv: float = 1.0
    lambda_feat: float = 0.3
    inner_step_size: float = 1e-3  # Section 4.3, fixed step of the fast weights
    outer_learning_rate: float = 1e-4  # Adam on the global weights
    fine_tuning_images: int = 20  # K
    fine_tuning_epochs: int = 10  # Table 4
