"""Tests who may import whom (docs/architecture.md, section 3), from the source of the whole tree."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("shared", "blender_addon", "backend_server", "speech_face_client")
STANDARD = frozenset(sys.stdlib_module_names)

SHARED_MAY = STANDARD | {"numpy", "msgspec", "shared"}
BLENDER = {"bpy", "bpy_extras", "bmesh", "gpu", "gpu_extras", "aud", "mathutils", "addon_utils", "bl_operators"}
ADDON_MAY = STANDARD | BLENDER | {"numpy", "zmq", "blender_addon"}
CLIENT_MAY = STANDARD | {"numpy", "speech_face_client"}
# What only one module of the client library may import.
CLIENT_ONLY_IN = {"zmq": "dealer", "soundfile": "sound", "shared": "_shared"}
BACKEND_MUST_NOT = BLENDER | {"blender_addon", "speech_face_client"}
# A library that only one part of the backend may import.
BACKEND_ONLY_IN = {
    "zmq": ("service.", "chaos.client."),
    "prometheus_client": "service.metrics",
    "soundfile": "speech.audio",
    "onnxruntime": ("speech.onnx_model", "speech.moonshine"),
    "OpenEXR": "export.exr",
    "pygltflib": "export.gltf",
    "pxr": "export.usd",
    "mediapipe": "face.models",
    "pillow_heif": "face.images",
    "pebble": "batch.local",
    "ray": ("batch.cluster", "chaos.ray_nodes"),
}

STAGES = ("speech", "motion", "blink", "arkit", "retarget", "texture")
FOUNDATIONS = ("config", "layers", "pca", "checkpoints", "files", "progress", "identity", "training")
UPPER = ("cascade", "identities", "service", "chaos", "batch", "commands", "__main__", "evaluation")


def module_name(path, root):
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path, root):
    """Absolute names of everything that a file imports, anywhere in it."""
    package = module_name(path, root).split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            found.add(source)
            found.update(f"{source}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("__import__", "import_module"):
            found.update(a.value for a in node.args[:1] if isinstance(a, ast.Constant))
    return {name for name in found if name}


def breaches(root):
    """One line per breach."""
    files = {module_name(p, root): p for package in PACKAGES for p in sorted((root / package).rglob("*.py"))}
    table = {name: imports_of(path, root) for name, path in files.items()}
    found = []
    for name, imported in table.items():
        package, _, inner = name.partition(".")
        check = {
            "shared": shared_breaches,
            "blender_addon": addon_breaches,
            "backend_server": backend_breaches,
            "speech_face_client": client_breaches,
        }
        found += [f"{name} imports {module}" for module in sorted(check[package](inner, imported))]
        if package == "shared" and names_its_package(files[name]):
            found.append(f"{name} names its own package; it travels inside the zip, so import relatively")
    for name in ("blender_addon.client", "blender_addon.job"):
        found += [f"{name} reaches bpy through {through}" for through in reaching(name, "bpy", table)]
    return found


def names_its_package(path):
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and not node.level]
    return "shared" in tops(names)


def tops(imported):
    return {module.split(".")[0] for module in imported}


def shared_breaches(inner, imported):
    return tops(imported) - SHARED_MAY


def addon_breaches(inner, imported):
    allowed = ADDON_MAY | ({"shared"} if inner == "_shared" else set())
    found = tops(imported) - allowed
    if inner != "client":
        found |= tops(imported) & {"zmq"}
    return found


def client_breaches(inner, imported):
    allowed = CLIENT_MAY | {library for library, home in CLIENT_ONLY_IN.items() if inner == home}
    return tops(imported) - allowed


def backend_breaches(inner, imported):
    found = tops(imported) & BACKEND_MUST_NOT
    for library, home in BACKEND_ONLY_IN.items():
        if library in tops(imported) and not (inner + ".").startswith(home):
            found.add(library)
    part = inner.split(".")[0]
    parts = {m.split(".")[1] for m in imported if m.startswith("backend_server.")} - {part}
    forbidden = set()
    if part in FOUNDATIONS or part in STAGES or part == "articulation":
        forbidden = set(STAGES) | set(UPPER)
    elif part == "cascade":
        forbidden = set(UPPER)
    elif part == "identities":
        forbidden = set(UPPER) - {"cascade"}
    elif part not in UPPER and part:
        forbidden = {"cascade", "identities", "service", "commands", "__main__"}
    if part not in ("__main__", "commands"):
        forbidden |= {"chaos", "batch"} - {part}
    if part == "batch":
        forbidden |= {"commands", "evaluation"}
    if part not in ("__main__", "service", "chaos"):
        forbidden |= {"service"}
    found |= parts & forbidden
    if inner.endswith("losses"):
        networks = ("generator", "discriminator")
        found |= {m for m in imported if m.startswith("backend_server.") and m.rpartition(".")[2].endswith(networks)}
    return found


def reaching(name, target, table, seen=None):
    """Modules of the same package through which a module comes to import the target."""
    seen = {name} if seen is None else seen
    found = [name] if target in tops(table.get(name, ())) else []
    for module in sorted(table.get(name, ())):
        if module in table and module not in seen and module.startswith("blender_addon."):
            seen.add(module)
            found += reaching(module, target, table, seen)
    return found


def test_nobody_imports_what_it_may_not():
    assert breaches(ROOT) == []


PLANTED = [
    ("shared/extra.py", "import torch", "shared.extra imports torch"),
    ("shared/extra.py", "def f():\n    from scipy import signal", "shared.extra imports scipy"),
    ("shared/extra.py", "import backend_server.config", "shared.extra imports backend_server"),
    (
        "shared/extra.py",
        "from shared import errors",
        "shared.extra names its own package; it travels inside the zip, so import relatively",
    ),
    ("blender_addon/extra.py", "import torch", "blender_addon.extra imports torch"),
    ("blender_addon/extra.py", "from shared import wire", "blender_addon.extra imports shared"),
    ("blender_addon/extra.py", "import zmq", "blender_addon.extra imports zmq"),
    ("blender_addon/extra.py", "__import__('backend_server')", "blender_addon.extra imports backend_server"),
    ("blender_addon/client.py", "import bpy", "blender_addon.client reaches bpy through blender_addon.client"),
    ("blender_addon/job.py", "from . import scene", "blender_addon.job reaches bpy through blender_addon.scene"),
    ("speech_face_client/extra.py", "import torch", "speech_face_client.extra imports torch"),
    ("speech_face_client/extra.py", "from shared import wire", "speech_face_client.extra imports shared"),
    ("speech_face_client/job.py", "import zmq", "speech_face_client.job imports zmq"),
    (
        "speech_face_client/backend.py",
        "def f():\n    import backend_server",
        "speech_face_client.backend imports backend_server",
    ),
    (
        "backend_server/extra.py",
        "import speech_face_client",
        "backend_server.extra imports speech_face_client",
    ),
    ("backend_server/extra.py", "import bpy", "backend_server.extra imports bpy"),
    ("backend_server/extra.py", "from blender_addon import job", "backend_server.extra imports blender_addon"),
    ("backend_server/motion/line.py", "import zmq", "backend_server.motion.line imports zmq"),
    ("backend_server/speech/survey.py", "import soundfile", "backend_server.speech.survey imports soundfile"),
    ("backend_server/cascade.py", "import OpenEXR", "backend_server.cascade imports OpenEXR"),
    ("backend_server/export/hand_off.py", "from pxr import Usd", "backend_server.export.hand_off imports pxr"),
    (
        "backend_server/training/x.py",
        "from backend_server.motion import training",
        "backend_server.training.x imports motion",
    ),
    (
        "backend_server/motion/x.py",
        "from backend_server.blink import generator",
        "backend_server.motion.x imports blink",
    ),
    (
        "backend_server/articulation/x.py",
        "from backend_server.speech import audio",
        "backend_server.articulation.x imports speech",
    ),
    (
        "backend_server/arkit/x.py",
        "from backend_server.motion import controls",
        "backend_server.arkit.x imports motion",
    ),
    ("backend_server/motion/x.py", "from ..texture.warp import warp", "backend_server.motion.x imports texture"),
    ("backend_server/motion/x.py", "from backend_server import cascade", "backend_server.motion.x imports cascade"),
    ("backend_server/pca.py", "import backend_server.motion.generator", "backend_server.pca imports motion"),
    (
        "backend_server/cascade.py",
        "from backend_server.service import jobs",
        "backend_server.cascade imports service",
    ),
    ("backend_server/chaos/job.py", "import zmq", "backend_server.chaos.job imports zmq"),
    (
        "backend_server/service/jobs.py",
        "from backend_server.chaos import proxy",
        "backend_server.service.jobs imports chaos",
    ),
    ("backend_server/batch/run.py", "import ray", "backend_server.batch.run imports ray"),
    (
        "backend_server/batch/x.py",
        "from backend_server.commands import animate",
        "backend_server.batch.x imports commands",
    ),
    (
        "backend_server/service/work/x.py",
        "from backend_server.batch.run import run_batch",
        "backend_server.service.work.x imports batch",
    ),
    (
        "backend_server/cascade.py",
        "from backend_server.identities.store import open_store",
        "backend_server.cascade imports identities",
    ),
    (
        "backend_server/identities/x.py",
        "from backend_server.cascade import Cascade\nfrom backend_server.commands import animate",
        "backend_server.identities.x imports commands",
    ),
    (
        "backend_server/identity.py",
        "from backend_server.texture.render import render",
        "backend_server.identity imports texture",
    ),
    (
        "backend_server/motion/losses.py",
        "from backend_server.motion.generator import MotionGenerator",
        "backend_server.motion.losses imports backend_server.motion.generator",
    ),
]


@pytest.mark.parametrize(("path", "code", "breach"), PLANTED)
def test_a_planted_breach_is_found(tmp_path, path, code, breach):
    for file, text in (
        ("shared/wire.py", "import numpy"),
        ("blender_addon/scene.py", "import bpy"),
        ("blender_addon/_shared.py", "from shared import wire"),
        ("speech_face_client/_shared.py", "from shared import wire"),
        ("speech_face_client/dealer.py", "import zmq\nfrom . import _shared"),
        ("backend_server/service/server.py", "import zmq\nfrom backend_server import cascade"),
        ("backend_server/motion/generator.py", "import torch\nfrom backend_server.config import MotionConfig"),
        (path, code),
    ):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(code if file == path else text)
    assert breaches(tmp_path) == [breach]
