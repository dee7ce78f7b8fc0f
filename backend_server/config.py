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


SHORTEST_SPEECH_SECONDS = 0.1
LONGEST_SPEECH_SECONDS = 1800.0  # half an hour a clip bounds memory and waiting
QUIETEST_SPEECH_DB = -60.0  # dBFS; a clip whose loudest sample stays below is silence


@dataclass(frozen=True)
class SpeechConfig:
    """The CTC acoustic model, a network of the DeepSpeech kind (Section 3.1), and its training."""

    mel_bands: int = 64
    window_samples: int = 400  # 25 ms
    hop_samples: int = 160  # 100 mel frames a second
    stem_channels: int = 192  # at 50 positions a second
    channels: int = 320  # at 25 positions a second
    kernel: int = 5
    dilations: tuple[int, ...] = (1, 1, 2, 1, 2, 1, 2)  # one residual block each
    classes: int = 29  # Section 3.1
    scores_per_second: float = 50.0
    dropout: float = 0.1
    label_prior: float = 0.3  # flattens the peaks of CTC (Huang et al. 2024)
    learning_rate: float = 1.5e-3
    weight_decay: float = 1e-2
    batch_seconds: float = 90.0
    epochs: int = 16


@dataclass(frozen=True)
class MotionConfig:
    """l-GAN (Sections 3.1 and 4.2)."""

    context: int = CONTEXT_FRAMES
    channels: int = 29
    encoder_channels: tuple[int, ...] = (32, 64, 64)  # VOCA's widths as far as a window of six can be halved
    hidden_size: int = 128
    components: int = 33  # PCA coefficients (Section 4.2)
    score_temperature: float = 0.0  # above 0: log-softmax of the scores over it, a fixed transform
    loss_unit: float = 0.01  # canonical units; about a pixel of the crop, since the paper's weights suppose pixels
    direction_scale: float = 0.5  # loss units a frame, scale of the smooth sign in Eq. 3
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
