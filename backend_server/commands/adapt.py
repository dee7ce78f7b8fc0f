"""Makes an identity file from a few pictures, and a page that shows what was learnt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from backend_server.cascade import Cascade
from backend_server.commands.notebook import Notebook
from backend_server.commands.output_file import check_apart, output_file
from backend_server.export.images import PREVIEW_BACKGROUND, over_background, write_png
from backend_server.export.tags import synthetic_tags
from backend_server.identities.learning import find_or_learn
from backend_server.identities.pictures import read_source
from backend_server.identities.sheet import LearntSheet, write_learnt_sheet
from backend_server.identities.store import open_store
from backend_server.identity import Identity, IdentityRecord, encoded_identity
from backend_server.progress import Epoch, EpochWatcher, Progress
from backend_server.texture.learning.rehearsal import open_mouth, shut_eyes
from shared.errors import ImageError, ValueRangeError

MOUTH_OPENING = 0.2  # of the distance of the outer eye corners, in the pictures of an open mouth


@dataclass(frozen=True)
class AdaptSettings:
    """The options of `adapt`."""

    images: tuple[Path, ...]  # or folders of them
    out: Path
    landmarks: Path | None = None
    epochs: int = 10
    seed: int = 0
    is_repeated: bool = False
    has_sheet: bool = True
    preview: Path | None = None
    device: str = "auto"

    @property
    def sheet_path(self) -> Path:
        """`FACE.safetensors.png`: a name that no photo has."""
        return self.out.with_name(f"{self.out.name}.png")

    @property
    def places(self) -> tuple[Path, ...]:
        """All files that will be written."""
        return (self.out, *([self.sheet_path] if self.has_sheet else []), *([self.preview] if self.preview else []))


def adapt(
    settings: AdaptSettings,
    progress: Progress,
    say: Callable[[str], None] = lambda _: None,
    on_epoch: EpochWatcher = lambda _: None,
    notebook: Notebook | None = None,
) -> str:
    """Writes the identity file and the pictures, and returns one sentence about the result.

    Files of others that stand in the way are renamed, and `say` is told.

    Raises:
        SpeechFaceError: the first thing that was wrong with the pictures; nothing is written then.
        NoteError: the notebook is strict, and something is noteworthy; nothing is written then.
    """
    notebook = notebook or Notebook()
    if not settings.images:
        raise ImageError("no images were given; give 1 to 20 pictures of one person with --images")
    _check_places(settings)
    source = read_source(settings.images, settings.landmarks)
    notebook.add(source.notes)
    cascade = Cascade.load(settings.device)
    tags = synthetic_tags(cascade.weights_version, settings.seed)
    previews: list[NDArray[np.uint8]] = []

    def watch(epoch: Epoch) -> None:
        on_epoch(epoch)
        if settings.has_sheet or settings.preview:
            opened = _opened(epoch.neutral)
            previews.append(over_background(epoch.render(opened[None])[0], PREVIEW_BACKGROUND))
        if settings.preview:
            with output_file(settings.preview, say) as temporary:
                write_png(temporary, previews[-1], tags)

    learning = find_or_learn(
        cascade,
        open_store() if settings.epochs else None,
        source,
        epochs=settings.epochs,
        seed=settings.seed,
        progress=progress,
        is_repeated=settings.is_repeated,
        on_epoch=watch,
    )
    notebook.add(learning.notes)
    identity, summary = learning.identity, _summary(learning.identity.record)
    with output_file(settings.out, say) as temporary:
        temporary.write_bytes(encoded_identity(identity))
    if settings.has_sheet:
        with output_file(settings.sheet_path, say) as temporary:
            write_learnt_sheet(temporary, _sheet(f"{settings.out.name}: {summary}", cascade, identity, previews), tags)
    return f"{settings.out}: {learning.sentence}; {summary}"


def _check_places(settings: AdaptSettings) -> None:
    for place in settings.places:
        if place.is_dir():
            raise ValueRangeError(f"the output {place} is a folder; give a file, such as {place / 'face.safetensors'}")
        check_apart(place, (*settings.images, *([settings.landmarks] if settings.landmarks else [])))
    if settings.preview and settings.preview.suffix.lower() != ".png":
        raise ValueRangeError(f"the preview {settings.preview} is not a PNG file; give a name that ends in .png")
    if settings.preview in (settings.out, settings.sheet_path):
        raise ValueRangeError(f"the preview {settings.preview} has the name of another result; choose another name")


def _opened(neutral: NDArray[np.float32]) -> NDArray[np.float32]:
    return open_mouth(torch.from_numpy(neutral), MOUTH_OPENING).numpy()


def _sheet(title: str, cascade: Cascade, identity: Identity, previews: list[NDArray[np.uint8]]) -> LearntSheet:
    neutral = identity.references.neutral_landmarks
    shapes = {
        "at rest": neutral,
        "mouth open": _opened(neutral),
        "eyes shut": shut_eyes(torch.from_numpy(neutral)).numpy(),
    }
    frames = np.concatenate(list(cascade.render(identity, np.stack(list(shapes.values())))))
    shown = over_background(frames, PREVIEW_BACKGROUND)
    return LearntSheet(title, identity, dict(zip(shapes, shown, strict=True)), previews)


def _summary(record: IdentityRecord) -> str:
    count = "1 picture" if record.image_count == 1 else f"{record.image_count} pictures"
    quality = f", held-out PSNR {record.held_out_psnr:.1f} dB" if record.held_out_psnr is not None else ""
    return f"{count}, {record.epochs} epochs{quality}"
