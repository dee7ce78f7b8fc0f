"""Runs the backend's commands. `python -m backend_server COMMAND --help` shows the options of each.

Each function here only turns a command line into one call.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from typer.models import OptionInfo

from backend_server.chaos.command_line import chaos
from backend_server.commands.batch import batch
from backend_server.commands.console import ManyValues, SpeechAndImages, StageBars, output, plain_failures
from backend_server.commands.doctor import doctor
from backend_server.commands.identities import identities
from backend_server.commands.render import render
from backend_server.commands.rig import MappingFiles, RigNames, open_rigs, rigs
from backend_server.evaluation.command_line import evaluate
from backend_server.export.formats import FrameFormat
from backend_server.service.command_line import clients, jobs, serve, status
from shared.motion_controls import LIVELINESS, RANGES, MotionControls

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__, pretty_exceptions_enable=False)

Images = Annotated[list[Path] | None, typer.Option("--images", help="Pictures of one person, or folders of them.")]
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:N, or auto for CUDA if there is a GPU.")]
Seed = Annotated[
    int, typer.Option(callback=lambda seed: seed % 2**32, help="Any whole number; the same gives the same result.")
]
Epochs = Annotated[int, typer.Option(min=0, max=200, help="Fine-tuning epochs; 0 uses the trained weights unchanged.")]

Landmarks = Annotated[
    Path | None, typer.Option(help='Placed by hand, overriding detection: JSON, {"me.jpg": [[x, y], ... 68]}.')
]
Strict = Annotated[bool, typer.Option("--strict", help="Treat each note on pictures, sound or result as an error.")]
Anew = Annotated[bool, typer.Option("--anew", help="Learn the face even if it was learnt before.")]


def _control(name: str, meaning: str) -> OptionInfo:
    return typer.Option(help=f"{meaning}, {RANGES[name].least:g} to {RANGES[name].most:g}.")


class Stage(StrEnum):
    """What can be trained."""

    SPEECH = "speech"
    MOTION = "motion"
    BLINK = "blink"
    ARKIT = "arkit"
    TEXTURE = "texture"
    VISEMES = "visemes"
    LIVELINESS = "liveliness"
    MOUTH = "mouth"


class StageAndData(ManyValues):
    """A command with a stage and `--data`: the name of a stage among the folders is the stage."""

    def is_argument(self, value: str) -> bool:
        """Whether it is the name of a stage."""
        return value in tuple(Stage)


@app.command(cls=SpeechAndImages)
def animate(
    out: Annotated[Path, typer.Option(help="Folder for the results.")],
    speech: Annotated[
        Path | None, typer.Argument(help="A sound or video file; the shipped sample if left out.")
    ] = None,
    images: Images = None,
    sample_portrait: Annotated[bool, typer.Option(help="Animate the shipped portrait.")] = False,
    identity: Annotated[
        Path | None, typer.Option(help="A file made by `adapt`, or the first digits of an ID, instead of images.")
    ] = None,
    landmarks: Landmarks = None,
    anew: Anew = False,
    fps: Annotated[float, typer.Option(help="Frames per second: 25, 23.976, 29.97 ...")] = 25.0,
    texture: Annotated[bool, typer.Option(help="Render pictures, or only make curves.")] = True,
    full_frame: Annotated[bool, typer.Option(help="The whole picture; of several, the one nearest to rest.")] = False,
    size: Annotated[int, typer.Option(help="Pixels of the face a side: 256, or 512 or 1024 of a large photo.")] = 256,
    frames_as: Annotated[
        FrameFormat,
        typer.Option(help="Pictures (EXR: linear, premultiplied), or a film with sound; MP4 has no alpha."),
    ] = FrameFormat.PNG,
    background: Annotated[
        str | None, typer.Option(help="Colour behind the face in MP4 films, #rrggbb; else grey.", show_default=False)
    ] = None,
    write: Annotated[str, typer.Option(help="Also live-link,live-link-smpte,json,gltf,usd,atlas,atlas:8x4.")] = "",
    rig: RigNames = None,
    mapping: MappingFiles = None,
    words: Annotated[bool, typer.Option(help="Also write words.json: phones, words of --transcript.")] = False,
    transcript: Annotated[str | None, typer.Option(help="What is said, or a text file of it; implies --words.")] = None,
    blink: Annotated[bool, typer.Option(help="Let the eyes blink.")] = True,
    silence: Annotated[float, _control("silence", "How much the mouth rests where nobody speaks")] = 0.0,
    intensity: Annotated[float, _control("intensity", "Multiplies the motion of the speech")] = 1.0,
    smoothing: Annotated[float, _control("smoothing", "Width in seconds of a Gaussian filter over time")] = 0.0,
    lead: Annotated[float, _control("lead", "Seconds by which the mouth moves before the sound")] = 0.0,
    blink_frequency: Annotated[float, _control("blink_frequency", "Multiplies the number of blinks")] = 1.0,
    blink_duration: Annotated[float, _control("blink_duration", "Multiplies the length of blinks")] = 1.0,
    jaw: Annotated[float, _control("jaw", "Multiplies how far the jaw opens")] = 1.0,
    lips: Annotated[float, _control("lips", "Multiplies the lips' own motion: width, rounding")] = 1.0,
    brows: Annotated[float, _control("brows", "Multiplies the motion of the brows")] = 1.0,
    eyes: Annotated[float, _control("eyes", "Multiplies how far the lids move")] = 1.0,
    liveliness: Annotated[float, _control("liveliness", "How much head and brows move by themselves")] = LIVELINESS,
    epochs: Epochs = 10,
    seed: Seed = 0,
    strict: Strict = False,
    device: Device = "auto",
) -> None:
    """Makes landmarks, curves, blend shapes, frames with alpha, a preview film and a report from speech and images."""
    with plain_failures(), StageBars() as bars:
        from backend_server.commands.animate import SAMPLE_SPEECH, AnimateSettings, animate
        from backend_server.commands.notebook import Notebook
        from backend_server.commands.transcript import read_transcript
        from backend_server.export.hand_off import read_hand_offs
        from backend_server.identities.pictures import checked_paths, portrait_path
        from shared.timing import FrameRate

        if speech is None:
            bars.say("no speech was given, so the shipped sample is animated")
        paths = (portrait_path(),) if sample_portrait else checked_paths(images or [])
        settings = AnimateSettings(
            speech=speech or SAMPLE_SPEECH,
            images=paths,
            identity=identity,
            out=out,
            frame_rate=FrameRate.from_decimal(fps),
            has_texture=texture,
            is_full_frame=full_frame,
            size=size,
            frame_format=frames_as,
            background=background,
            has_blinks=blink,
            controls=MotionControls(
                silence=silence,
                intensity=intensity,
                smoothing=smoothing,
                lead=lead,
                blink_frequency=blink_frequency,
                blink_duration=blink_duration,
                jaw=jaw,
                lips=lips,
                brows=brows,
                eyes=eyes,
                liveliness=liveliness,
            ),
            epochs=epochs,
            seed=seed,
            device=device,
            landmarks=landmarks,
            is_repeated=anew,
            hand_offs=read_hand_offs(write),
            rigs=open_rigs(rig or [], mapping or []),
            transcript=read_transcript(transcript) if transcript is not None else "" if words else None,
        )
        animate(settings, bars, bars.say, bars.note_epoch, Notebook(bars.warn, is_strict=strict))
    output.print(f"written to {out}")


app.command()(batch)
app.command()(render)
app.command()(doctor)


@app.command(cls=ManyValues)
def adapt(
    out: Annotated[Path, typer.Option(help="The identity file, IDENTITY.safetensors.")],
    images: Images = None,
    landmarks: Landmarks = None,
    epochs: Epochs = 10,
    seed: Seed = 0,
    anew: Anew = False,
    sheet: Annotated[bool, typer.Option(help="Also write OUT.png, which shows what was learnt.")] = True,
    preview: Annotated[Path | None, typer.Option(help="A PNG file, written again after each epoch.")] = None,
    strict: Strict = False,
    device: Device = "auto",
) -> None:
    """Learns one face from 1 to 20 pictures and keeps it in a file for `animate --identity`."""
    with plain_failures(), StageBars() as bars:
        from backend_server.commands.adapt import AdaptSettings, adapt
        from backend_server.commands.notebook import Notebook

        settings = AdaptSettings(tuple(images or ()), out, landmarks, epochs, seed, anew, sheet, preview, device)
        summary = adapt(settings, bars, bars.say, bars.note_epoch, Notebook(bars.warn, is_strict=strict))
    output.print(summary, soft_wrap=True, highlight=False, markup=False)


app.add_typer(identities, name="identities")
app.add_typer(rigs, name="rig")


app.command()(serve)
app.command()(status)
app.add_typer(jobs, name="jobs")
app.add_typer(clients, name="clients")


@app.command()
def prepare(
    video_dir: Annotated[Path, typer.Argument(help="Folder of videos with sound, one sub-folder per speaker.")],
    out: Annotated[Path, typer.Option(help="The corpus folder.")],
    workers: Annotated[int, typer.Option(min=0, help="Processes; 0 takes one per core.")] = 0,
    clips_per_speaker: Annotated[int, typer.Option(min=0, help="For a small corpus; 0 takes all.")] = 0,
) -> None:
    """Turns videos of talking people into a training corpus; finished clips are kept."""
    with plain_failures(), StageBars() as bars:
        from backend_server.data.prepare import prepare

        report = prepare(video_dir, out, workers=workers, clips_per_speaker=clips_per_speaker, progress=bars)
    output.print(report)


@app.command(cls=ManyValues)
def synthesize(
    data: Annotated[list[Path], typer.Option(help="Folders of transcribed speech, whose texts are spoken.")],
    out: Annotated[Path, typer.Option(help="Folder for the sounds and their index.tsv.")],
    hours: Annotated[float, typer.Option(min=0.001, help="How much speech.")] = 4.0,
    seed: Seed = 0,
) -> None:
    """Makes synthetic training speech with exact texts (needs the extra `train`)."""
    with plain_failures(), StageBars() as bars:
        from backend_server.commands.synthesize import synthesize

        summary = synthesize(tuple(data), out, hours=hours, seed=seed, progress=bars)
    output.print(summary)


@app.command(cls=StageAndData)
def train(
    stage: Annotated[Stage, typer.Argument(help="Which network.")],
    data: Annotated[
        list[Path], typer.Option(help="A corpus made by `prepare`; for speech and motion also transcribed speech.")
    ],
    out: Annotated[Path, typer.Option(help="The weights file, or the folder for it.")],
    device: Device = "auto",
    resume: Annotated[bool, typer.Option(help="Continue from the last checkpoint.")] = False,
    minutes: Annotated[float | None, typer.Option(min=0.1, help="Stop after this long at most.")] = None,
    preset: Annotated[
        str, typer.Option(help="shipped, or paper for the paper's settings (motion, texture).")
    ] = "shipped",
    seed: Seed = 0,
    start: Annotated[
        Path | None, typer.Option(help="Weights of an earlier run to begin with (speech, texture).")
    ] = None,
    encoder: Annotated[
        Path | None,
        typer.Option(help="The encoder to begin with: wheel of moonshine-voice, or its encoder_model.ort (speech)."),
    ] = None,
    speech: Annotated[Path | None, typer.Option(help="Acoustic model, ours or ONNX (motion).")] = None,
    vgg19: Annotated[
        Path | None, typer.Option(help="Weights of VGG19, whose features compare pictures (texture, Eq. 10).")
    ] = None,
    vggface: Annotated[Path | None, typer.Option(help="Weights of VGGFace, for the same (texture).")] = None,
    second_order: Annotated[
        bool, typer.Option("--second-order", help="Also use second derivatives in meta-learning (texture, Fig. 3).")
    ] = False,
    batch: Annotated[
        int | None, typer.Option(min=1, help="Pairs of pictures an update, 4 if left out; a GPU takes more (texture).")
    ] = None,
) -> None:
    """Trains one network; checkpoints are kept beside the weights."""
    with plain_failures(), StageBars() as bars:
        from backend_server.commands.train import TrainSettings, train

        common = (stage.value, tuple(data), out, device, resume, minutes, preset, seed)
        settings = TrainSettings(*common, start, encoder, speech, vgg19, vggface, second_order, batch)
        summary = train(settings, bars)
    output.print(summary)


app.command()(evaluate)


@app.command()
def bench(
    out: Annotated[Path | None, typer.Option(help="Also write the figures to this JSON file.")] = None,
    device: Device = "auto",
    batch_lines: Annotated[
        int | None, typer.Option(min=1, help="Measure a batch of so many lines of 3 s, and nothing else.")
    ] = None,
) -> None:
    """Measures speed and memory of each stage on this machine."""
    with plain_failures(), StageBars() as bars:
        from backend_server.commands.bench import bench

        table = bench(out, device=device, batch_lines=batch_lines, progress=bars)
    output.print(table)


app.command()(chaos)


if __name__ == "__main__":
    app()
