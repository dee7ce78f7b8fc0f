"""The backend's commands. `python -m backend_server COMMAND --help` says what each takes.

Each function here only turns words on a command line into one call.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from typer.models import OptionInfo

from backend_server.commands.console import ManyValues, SpeechAndImages, StageBars, output, plain_failures
from backend_server.commands.identities import identities
from backend_server.export.formats import FrameFormat
from shared.motion_controls import RANGES, MotionControls

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__, pretty_exceptions_enable=False)

Images = Annotated[list[Path] | None, typer.Option("--images", help="Pictures of one person, or folders of them.")]
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:N, or auto for CUDA where there is some.")]
Seed = Annotated[int, typer.Option(help="The same seed gives the same result.")]
Flite = Annotated[bool, typer.Option("--flite", help="Let the program flite speak too; install it first.")]
Epochs = Annotated[
    int, typer.Option(min=0, max=200, help="Fine-tuning epochs; 0 uses the trained weights as they are.")
]

Landmarks = Annotated[
    Path | None, typer.Option(help='Placed by hand, overriding detection: JSON, {"me.jpg": [[x, y], ... 68]}.')
]
Anew = Annotated[bool, typer.Option("--anew", help="Learn the face even if it was learnt before.")]


def _control(name: str, meaning: str) -> OptionInfo:
    return typer.Option(help=f"{meaning}, {RANGES[name].least:g} to {RANGES[name].most:g}.")


class Stage(StrEnum):
    """What can be trained."""

    SPEECH = "speech"
    MOTION = "motion"
    BLINK = "blink"
    TEXTURE = "texture"
    VISEMES = "visemes"


class StageAndData(ManyValues):
    """A command that takes a stage beside `--data`: a stage's name among the folders is the stage."""

    def is_argument(self, value: str) -> bool:
        """Whether it names a stage."""
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
        Path | None, typer.Option(help="A file made by `adapt` or digits of an ID, instead of images.")
    ] = None,
    landmarks: Landmarks = None,
    anew: Anew = False,
    fps: Annotated[float, typer.Option(help="Frames a second: 25, 23.976, 29.97 ...")] = 25.0,
    texture: Annotated[bool, typer.Option(help="Render pictures, or curves alone.")] = True,
    full_frame: Annotated[
        bool,
        typer.Option("--full-frame", help="Frames of the whole picture at its own size; of several, the calmest face."),
    ] = False,
    frames_as: Annotated[
        FrameFormat,
        typer.Option(help="One picture a frame (EXR: linear, premultiplied), or a film with sound; MP4 has no alpha."),
    ] = FrameFormat.PNG,
    background: Annotated[
        str | None, typer.Option(help="Colour under the face in MP4 films, #rrggbb; else grey.", show_default=False)
    ] = None,
    blink: Annotated[bool, typer.Option(help="Let the eyes blink.")] = True,
    silence: Annotated[float, _control("silence", "How far the mouth rests where nobody speaks")] = 0.0,
    intensity: Annotated[float, _control("intensity", "Multiplies what the speech moves")] = 1.0,
    smoothing: Annotated[float, _control("smoothing", "Seconds, width of a Gaussian along time")] = 0.0,
    lead: Annotated[float, _control("lead", "Seconds by which the mouth comes before the sound")] = 0.0,
    blink_frequency: Annotated[float, _control("blink_frequency", "Times as many blinks")] = 1.0,
    blink_duration: Annotated[float, _control("blink_duration", "Times as long blinks")] = 1.0,
    epochs: Epochs = 10,
    seed: Seed = 0,
    device: Device = "auto",
) -> None:
    """Speech and images in; landmarks, curves, frames with alpha, a preview film and a report out."""
    with plain_failures(), StageBars() as bars:
        from backend_server.commands.animate import SAMPLE_SPEECH, AnimateSettings, animate
        from backend_server.commands.pictures import picture_paths, portrait_path
        from shared.timing import FrameRate

        if speech is None:
            bars.say("no speech was given, so the shipped sample is animated")
        paths = (portrait_path(),) if sample_portrait else picture_paths(images or [])
        settings = AnimateSettings(
            speech=speech or SAMPLE_SPEECH,
            images=paths,
            identity=identity,
            out=out,
            frame_rate=FrameRate.from_decimal(fps),
            has_texture=texture,
            is_full_frame=full_frame,
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
            ),
            epochs=epochs,
            seed=seed,
            device=device,
            landmarks=landmarks,
            is_anew=anew,
        )
        animate(settings, bars, bars.say, bars.note_epoch)
    output.print(f"written to {out}")


@app.command(cls=ManyValues)
def adapt(
    out: Annotated[Path, typer.Option(help="The identity file, IDENTITY.safetensors.")],
    images: Images = None,
    landmarks: Landmarks = None,
    epochs: Epochs = 10,
    seed: Seed = 0,
    anew: Anew = False,
    sheet: Annotated[bool, typer.Option(help="Also write OUT.png, which shows what was learnt.")] = True,
    preview: Annotated[Path | None, typer.Option(help="A PNG file, written anew after each epoch.")] = None,
    device: Device = "auto",
) -> None:
    """Learns one face from 1 to 20 pictures and keeps it in a file for `animate --identity`."""
    with plain_failures(), StageBars() as bars:
        from backend_server.commands.adapt import AdaptSettings, adapt

        settings = AdaptSettings(tuple(images or ()), out, landmarks, epochs, seed, anew, sheet, preview, device)
        summary = adapt(settings, bars, bars.note_epoch)
    output.print(summary, soft_wrap=True, highlight=False, markup=False)


app.add_typer(identities, name="identities")


@app.command()
def serve(
    connection_file: Annotated[Path | None, typer.Option(help="Where to write the address and keys.")] = None,
    device: Device = "auto",
    bind: Annotated[str, typer.Option(help="Address to listen on; loopback unless you say otherwise.")] = "127.0.0.1",
    data_dir: Annotated[Path | None, typer.Option(help="Where the queue, results and identities are kept.")] = None,
    parent_pid: Annotated[int | None, typer.Option(help="End when this process has ended.")] = None,
) -> None:
    """Serves the add-on and other clients until it is stopped."""
    with plain_failures():
        from backend_server.service.server import serve

        serve(connection_file=connection_file, device=device, bind=bind, data_dir=data_dir, parent_pid=parent_pid)


@app.command()
def prepare(
    video_dir: Annotated[Path, typer.Argument(help="Folder of videos with sound, one sub-folder a speaker.")],
    out: Annotated[Path, typer.Option(help="The corpus folder.")],
    workers: Annotated[int, typer.Option(min=0, help="Processes; 0 takes one a core.")] = 0,
    clips_of_a_speaker: Annotated[int, typer.Option(min=0, help="For a small corpus; 0 takes all.")] = 0,
) -> None:
    """Turns videos of talking people into a training corpus; clips done before are kept."""
    with plain_failures(), StageBars() as bars:
        from backend_server.data.prepare import prepare

        report = prepare(video_dir, out, workers=workers, clips_of_a_speaker=clips_of_a_speaker, progress=bars)
    output.print(report)


@app.command(cls=ManyValues)
def synthesize(
    data: Annotated[list[Path], typer.Option(help="Folders of transcribed speech whose texts are spoken.")],
    out: Annotated[Path, typer.Option(help="Folder for the sounds and their index.tsv.")],
    hours: Annotated[float, typer.Option(min=0.001, help="How much speech.")] = 4.0,
    seed: Seed = 0,
    flite: Flite = False,
) -> None:
    """Makes synthetic training speech with exact texts (needs the extra `train`)."""
    with plain_failures(), StageBars() as bars:
        from backend_server.commands.synthesize import synthesize

        summary = synthesize(tuple(data), out, hours=hours, seed=seed, with_flite=flite, progress=bars)
    output.print(summary)


@app.command(cls=StageAndData)
def train(
    stage: Annotated[Stage, typer.Argument(help="Which network.")],
    data: Annotated[
        list[Path], typer.Option(help="A corpus made by `prepare`; for speech and motion also transcribed speech.")
    ],
    out: Annotated[Path, typer.Option(help="The weights file, or the folder for it.")],
    device: Device = "auto",
    resume: Annotated[bool, typer.Option(help="Go on from the last checkpoint.")] = False,
    minutes: Annotated[float | None, typer.Option(min=0.1, help="Stop after this long; else when it is done.")] = None,
    preset: Annotated[
        str, typer.Option(help="shipped, or paper for the paper's numbers (motion, texture).")
    ] = "shipped",
    seed: Seed = 0,
    start: Annotated[
        Path | None, typer.Option(help="Weights to begin with instead of random ones (speech, texture).")
    ] = None,
    speech: Annotated[Path | None, typer.Option(help="Acoustic model to hear with, ours or ONNX (motion).")] = None,
    flite: Flite = False,
    vgg19: Annotated[
        Path | None, typer.Option(help="Weights of VGG19, whose features judge pictures (texture, Eq. 10).")
    ] = None,
    vggface: Annotated[Path | None, typer.Option(help="Weights of VGGFace, likewise (texture).")] = None,
    second_order: Annotated[
        bool, typer.Option("--second-order", help="Meta-learn by second derivatives too (texture, Fig. 3).")
    ] = False,
) -> None:
    """Trains one network; checkpoints are kept beside the weights."""
    with plain_failures(), StageBars() as bars:
        from backend_server.commands.train import TrainSettings, train

        settings = TrainSettings(
            stage.value,
            tuple(data),
            out,
            device,
            resume,
            minutes,
            preset,
            seed,
            start,
            speech,
            flite,
            vgg19,
            vggface,
            second_order,
        )
        summary = train(settings, bars)
    output.print(summary)


@app.command()
def evaluate(
    data: Annotated[Path, typer.Option(help="A corpus made by `prepare`.")],
    out: Annotated[Path, typer.Option(help="Folder for the report.")],
    speech: Annotated[Path | None, typer.Option(help="Transcribed speech, to count wrong characters.")] = None,
    ablations: Annotated[bool, typer.Option(help="Also train networks with other contexts, losses and parts.")] = False,
    epochs: Annotated[int, typer.Option(min=1, help="Of each of those trainings of motion.")] = 15,
    texture_updates: Annotated[int, typer.Option(min=1, help="Of each of those trainings of texture.")] = 400,
    texture_minutes: Annotated[float, typer.Option(min=0.01, help="Of each of them at most.")] = 15,
    motion: Annotated[bool, typer.Option(help="Judge motion, blinks and hearing.")] = True,
    texture: Annotated[bool, typer.Option(help="Render the held-out people and judge their faces.")] = True,
    device: Device = "auto",
    weights: Annotated[Path | None, typer.Option(help="Folder of the weights; the shipped ones if left out.")] = None,
    identity: Annotated[Path | None, typer.Option(help="A MobileFaceNet, to tell whether faces stay the same.")] = None,
) -> None:
    """Measures motion, blinks, hearing and texture on held-out sentences and people; one page with pictures."""
    with plain_failures(), StageBars() as bars:
        from backend_server.checkpoints import WEIGHTS_DIR
        from backend_server.commands.evaluate import evaluate
        from backend_server.evaluation.run import Budget, Settings

        settings = Settings(
            data,
            out,
            speech,
            ablations,
            epochs,
            motion,
            texture,
            device,
            weights or WEIGHTS_DIR,
            identity,
            Budget(texture_updates, texture_minutes),
        )
        tables = evaluate(settings, bars)
    output.print(tables, soft_wrap=True, markup=False, highlight=False)
    output.print(f"written to {out / 'report.html'}")


@app.command()
def bench(
    out: Annotated[Path | None, typer.Option(help="Also write the figures here as JSON.")] = None,
    device: Device = "auto",
) -> None:
    """Measures speed and memory of each stage on this machine."""
    with plain_failures(), StageBars() as bars:
        from backend_server.commands.bench import bench

        table = bench(out, device=device, progress=bars)
    output.print(table)


@app.command()
def doctor() -> None:
    """Says what is installed, what is missing, and how to mend it."""
    with plain_failures():
        from backend_server.commands.doctor import doctor

        table, is_healthy = doctor()
    output.print(table)
    raise typer.Exit(0 if is_healthy else 1)


if __name__ == "__main__":
    app()
