"""How do a few pictures become an identity file?"""

from __future__ import annotations

from pathlib import Path

from backend_server.cascade import Cascade
from backend_server.commands.animate import picture_paths
from backend_server.face.images import read_image
from backend_server.progress import Progress
from backend_server.texture.identity import save_identity
from shared.errors import ImageError


def adapt(images: tuple[Path, ...], out: Path, *, epochs: int, seed: int, device: str, progress: Progress) -> str:
    """Writes the identity file and returns one sentence about how well it was learnt.

    Raises:
        SpeechFaceError: the first thing that was wrong with the pictures; nothing is written then.
    """
    paths = picture_paths(images)
    if not paths:
        raise ImageError("no images were given; name 1 to 20 pictures of one person with --images")
    pictures = [read_image(path) for path in paths]
    identity = Cascade.load(device).adapt(pictures, epochs=epochs, seed=seed, progress=progress)
    out.parent.mkdir(parents=True, exist_ok=True)
    save_identity(out, identity)
    quality = f"; held-out PSNR {identity.held_out_psnr:.1f} dB" if identity.held_out_psnr is not None else ""
    return f"{out}: learnt from {len(paths)} image(s) in {epochs} epochs{quality}"
