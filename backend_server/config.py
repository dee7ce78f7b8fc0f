"""Keeps the numbers that shape the networks and their training, and where each comes from.

One frozen dataclass per stage, each number beside its section of the paper. A network takes its config and nothing
else; a checkpoint carries it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SAMPLE_RATE = 16_000  # Hz, of every waveform after `speech.audio`
CROP_SIZE = 256  # pixels, side of the face crop (Section 4.3: images of 3 x 256 x 256)
CORPUS_FRAME_RATE = 25.0  # frames/s of GRID, at which motion, blink and texture are trained
CHARACTERS = " abcdefghijklmnopqrstuvwxyz'"  # with the CTC blank at index 28: 29 classes (Section 3.1, F_t in R^{6x29})
CONTEXT_FRAMES = 6  # speech samples per window (Section 4.2, Fig. 6 left)
CONTEXT_SPACING_SECONDS = 0.033  # six of them span 198 ms (Section 4.2)
IDENTITIES_ON_DEVICE = 4  # tuned networks kept ready beside the initial one; 12 MB of device memory each


SHORTEST_SPEECH_SECONDS = 0.1
LONGEST_SPEECH_SECONDS = 14_400.0  # four hours; only the motion and the wait grow with the sound
QUIETEST_SPEECH_DB = -60.0  # dBFS; a clip whose loudest sample stays below is silence


@dataclass(frozen=True)
class SpeechConfig:
    """The acoustic model, a network of the DeepSpeech kind (Section 3.1): Moonshine's encoder with two heads."""

    width: int = 288  # of the encoder, as all sizes to `layers`: Moonshine tiny
    heads: int = 8
    rotary_size: int = 32  # dimensions of a head that positions turn
    layers: int = 6
    heard_layer: int = 4  # whose output motion and phones listen to; characters take the last
    classes: int = 29  # Section 3.1
    scores_per_second: float = 125 / 3  # one for 384 samples
    label_prior: float = 0.3  # flattens the peaks of CTC (Huang et al. 2024)
    phone_weight: float = 0.5  # of CTC over phones, beside CTC over characters
    timed_phone_weight: float = 1.0  # of the cross-entropy of phones whose times are known
    mouth_weight: float = 2.0  # of the squared error of the mouth's spans
    clean_weight: float = 1.0  # of the squared error against what the first encoder hears without noise
    mouth_repeats: int = 4  # how often an epoch has each utterance with a measured mouth
    learning_rate: float = 2e-4  # of the encoder up to the heard layer
    upper_learning_rate: float = 5e-4  # of its layers above
    head_learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    batch_seconds: float = 48.0
    epochs: int = 3


@dataclass(frozen=True)
class MotionConfig:
    """l-GAN (Sections 3.1 and 4.2); `PAPER_MOTION` has the paper's numbers, the defaults are what is shipped."""

    listens_to: Literal["hidden", "scores"] = "hidden"  # of the acoustic model; scores of characters in Section 3.1
    channels: int = 29  # of the acoustic model
    features_per_second: float = 125 / 3  # of the acoustic model
    context: int = 0  # samples of a window, six in Section 4.2; 0: convolutions over time instead
    encoder_channels: tuple[int, ...] = (96, 128, 128)  # of a window; VOCA's are 32, 64, 64
    width: int = 128  # of convolutions over time, as the next three
    dilations: tuple[int, ...] = (1, 1, 2, 4)  # of layers that look ahead and back: 0.19 s
    past_dilations: tuple[int, ...] = (4, 8)  # of layers that look back only
    inner_dropout: float = 0.2  # share of each layer's outputs that a training step does not see
    hidden_size: int = 256
    components: int = 33  # PCA coefficients (Section 4.2)
    dropout: float = 0.3  # share of features and of the encoder's outputs that a training step does not see
    loss_unit: float = 0.1  # canonical units; lengths in the losses, whose unit the paper does not give
    judged_unit: float = 0.01  # canonical units; lengths the discriminator sees, about a pixel of the crop
    direction_scale: float = 0.5  # loss units a frame, scale of the smooth sign in Eq. 3
    lambda_dist: float = 1.0  # Eq. 5
    lambda_reg: float = 0.05  # 0.5 in Eq. 5, which takes a tenth of the mouth's amplitude
    lambda_dir: float = 0.5
    lambda_gan: float = 1.0
    lambda_mouth: float = 40.0  # of the squared error of mouth opening and width, not in Eq. 5
    lambda_spread: float = 2.0  # of the squared error of how far these two spread, not in Eq. 5
    lambda_closure: float = 600.0  # of lips apart where modelled ones are closed, not in Eq. 5
    learning_rate: float = 1e-3  # 2e-4 in Section 4.2
    weight_decay: float = 1e-2  # of AdamW, which is Adam without
    gradient_limit: float = 50.0  # norm to which the generator's gradient is shortened; 0: it is not
    is_decayed: bool = True  # learning rate falls to zero over the second half
    batch_size: int = 8
    epochs: int = 20
    run_frames: int = 75  # consecutive frames of each clip of a batch
    speaker_balance: float = 0.5  # 0: all clips alike; 1: all speakers alike
    modelled_share: float = 0.25  # of the draws are other speech with modelled articulation
    synthetic_clips: int = 600
    recorded_clips: int = 900
    variations: int = 4  # further ways to hear each clip: speed, pitch, noise
    clean_share: float = 0.3  # of the draws hear the clip as it is
    jitter_seconds: float = 0.01  # speech read up to this much early or late
    rests_in_silence: bool = True  # jaw and lips of the training targets are at rest where nobody speaks
    has_usual_amplitude: bool = True  # everybody in training moves as far as the average person
    averaging: float = 0.995  # decay of the running average of weights that is kept


PAPER_MOTION = MotionConfig(
    listens_to="scores",
    context=CONTEXT_FRAMES,
    dropout=0.0,
    lambda_mouth=0.0,
    lambda_spread=0.0,
    has_usual_amplitude=False,
    lambda_closure=0.0,
    modelled_share=0.0,
    encoder_channels=(32, 64, 64),
    hidden_size=128,
    loss_unit=0.01,
    lambda_reg=0.5,
    learning_rate=2e-4,
    weight_decay=0.0,
    gradient_limit=0.0,
    is_decayed=False,
    batch_size=6,
    epochs=40,
    variations=0,
    jitter_seconds=0.0,
    speaker_balance=0.0,
    rests_in_silence=False,
    averaging=0.0,
)


@dataclass(frozen=True)
class BlinkConfig:
    """G_B (Sections 3.2 and 4.2)."""

    frames: int = 75  # one block: 3 s at 25 frames/s
    noise_size: int = 10
    hidden_size: int = 64
    components: int = 8  # set by training to the fewest that hold pca_variance
    pca_variance: float = 0.99  # Section 4.2
    blinks_per_second: float = 0.3  # of the training sequences
    usual_per_second: float = 0.33  # of sampled blinks, one in 3 s; people blink 0.28 to 0.4 times (Section 4.2)
    usual_seconds: float = 0.34  # mean; 0.33 (Table 1) in short clips, whose ends leave no room for the longest
    drawn_per_second: float = 0.33  # what the network itself draws, measured by training: sampling corrects the rest
    drawn_seconds: float = 0.34  # the same of their seconds
    blink_stretch: tuple[float, float] = (1.0, 1.4)  # in time; most blinks are one fast blinker's, people take 0.33 s
    bandwidth_factors: tuple[float, ...] = (0.1, 0.3, 1.0, 3.0)  # times the median squared distance: sigma in Eq. 6
    crop_frames: int = 16  # compared beside whole sequences
    crops: int = 4  # such crops per step
    lambda_range: float = 1.0  # min-max regularisation (Section 3.2)
    learning_rate: float = 1e-3  # falling to zero over the second half; 2e-4 in Section 4.2 needs five times the steps
    batch_size: int = 128
    steps: int = 1500


@dataclass(frozen=True)
class ArkitConfig:
    """The network from landmarks to ARKit's blend shapes, which the paper does not have."""

    hidden_size: int = 64
    unit: float = 0.1  # canonical units; lengths that the network sees
    shut_eyes: float = 0.65  # eyeBlink above rest where eyes are shut, as GRID's people score; a rig's eyes shut at 1
    noise: float = 0.003  # canonical units, added to each coordinate in training
    counted_clips: int = 10  # a person with more clips than these is drawn no more often for it
    least_spread: float = 0.01  # of a shape; the errors of shapes that move less count as if they moved so much
    weight_decay: float = 1e-4
    learning_rate: float = 4e-3  # falling to zero over the second half
    batch_size: int = 256
    steps: int = 1200


@dataclass(frozen=True)
class TextureConfig:
    """t-GAN (Sections 3.4 and 4.3); the defaults are those of the shipped network, `warp`.

    The paper lets one AdaIN bottleneck carry the whole identity and weighs its losses 0.5 / 1 / 0.3: `PAPER_TEXTURE`.
    With ten people to learn from that stays blurred, so `warp` repaints a warped reference image instead.
    """

    preset: str = "warp"  # or "paper"
    channels: tuple[int, ...] = (32, 64, 112, 144, 192)  # of the U-net, at 96, 48, 24, 12 and 6 pixels
    encoder_channels: tuple[int, ...] = (16, 32, 64, 96, 128)  # of E_I
    code_size: int = 64  # of E_I's last layer
    discriminator_channels: tuple[int, ...] = (32, 64, 128)
    attends: bool = True  # mouth, eyes and the rest come from the references that fit best; or all from the first
    follows: bool = True  # what has no landmarks follows as fitted to the training clips; or rigidly with the head
    has_teeth: bool = True  # what is inside the mouth moves with the head, else with the lips
    slides_lids: bool = True  # lids close over eyes that stand still, else eyes are squeezed
    draws_mouth: bool = True  # what no reference shows of a mouth is drawn in layers, else painted by the network
    flow_reach: float = 6.0  # pixels by which the network may correct the warp; 0 leaves it as it is
    has_mask_prior: bool = True  # repaints mainly where a mouth opens and where lids open or shut
    shading_cell: int = 8  # pixels; the warp's own detail stays where shading is smooth; 1 shades every pixel
    pixel_norm: int = 1  # absolute differences are sharper than Eq. 8's squares
    alpha_1: float = 1.0  # Eq. 10, of VGG19, or of the discriminator's features in its place
    alpha_2: float = 0.02  # of VGGFace where its file is given; the paper's share of alpha_1
    lambda_pix: float = 10.0  # Eq. 11
    lambda_adv: float = 0.2
    lambda_feat: float = 0.5
    lambda_sharp: float = 2.0  # of the difference in detail; without it absolute differences reward a blur
    mouth_weight: float = 4.0  # added to the weight 1 of every other pixel
    eye_weight: float = 4.0
    learning_rate: float = 6e-4  # Adam, pre-training
    inner_step_size: float = 1e-3  # Section 4.3, fixed step of the fast weights
    outer_learning_rate: float = 1e-4  # Section 4.3, Adam on the global weights
    fine_tuning_learning_rate: float = 2e-4
    fine_tuning_images: int = 20  # K
    fine_tuning_epochs: int = 10  # Table 4


PAPER_TEXTURE = TextureConfig(
    preset="paper",
    channels=(64, 128, 256, 256, 512, 512),  # six down and six up (Section 4.3); 256 pixels to 4
    encoder_channels=(64, 128, 256, 256, 512, 512),
    code_size=512,
    discriminator_channels=(64, 128, 256, 256, 512, 512),  # six residual blocks (Section 4.3)
    pixel_norm=2,  # Eq. 8
    alpha_1=1e-1,  # Section 4.3
    alpha_2=2e-3,
    lambda_pix=0.5,
    lambda_adv=1.0,
    lambda_feat=0.3,
    lambda_sharp=0.0,
    mouth_weight=0.0,
    eye_weight=0.0,
    learning_rate=1e-4,
    fine_tuning_learning_rate=1e-4,
)

TEXTURE_PRESETS = {"warp": TextureConfig(), "paper": PAPER_TEXTURE}


@dataclass(frozen=True)
class TextureTrainingConfig:
    """How t-GAN is trained: pairs first, then the episodes of Fig. 3."""

    batch_size: int = 4
    warm_up_steps: int = 600  # before the discriminator takes part
    clips_per_speaker: int = 20
    every_nth_frame: int = 2
    far_pair_share: float = 0.7  # of pairs picked for a large change of mouth or eyes
    episode_share: float = 0.2  # of the time, spent on episodes at the end
    support_images: int = 4  # d_trn
    query_images: int = 4  # d_qry
    references: tuple[int, ...] = (1, 1, 2, 4, 8)  # of a target; one of these is drawn for each batch
    other_photo_share: float = 0.25  # of references placed and lit as in another photo
    turned_share: float = 0.4  # of pictures, targets and references each by themselves, whose head is turned in space
    yaw: float = 9.0  # degrees of such turns, standard deviation
    pitch: float = 5.0
    inner_steps: int = 3  # m
    is_second_order: bool = False  # whether the outer gradient passes through the inner steps
    following_steps: int = 800  # of fitting what the warp does without landmarks, before all other training
    checkpoint_seconds: float = 180.0
