"""Tells what is installed on this machine, what is missing, and how to repair it.

Every library is imported by name and only where it is checked, so that a damaged installation does not end the report.
Nothing is changed or downloaded.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import shutil
import subprocess
import sys
from dataclasses import dataclass
from enum import StrEnum
from importlib import metadata
from pathlib import Path

from shared.errors import SpeechFaceError

_CHECKOUT = Path(__file__).resolve().parents[1]
IS_CHECKOUT = (_CHECKOUT / "build.py").is_file()  # else it was installed from the wheel
INSTALL, ANEW, WEIGHTS_AGAIN = (
    (
        "run: python build.py test",
        "delete .venv, then run: python build.py test",
        "git checkout -- backend_server/weights",
    )
    if IS_CHECKOUT
    else ("install the backend again, with pip or in the add-on's preferences",) * 3
)
LIBRARIES = (
    *("numpy", "scipy", "torch", "mediapipe", "av", "soundfile", "soxr", "msgspec", "zmq", "safetensors"),
    *("cv2", "skimage", "pooch", "matplotlib", "jinja2", "PIL", "pillow_heif", "OpenEXR", "typer", "rich"),
    *("platformdirs", "psutil", "prometheus_client", "pygltflib", "pebble", "pathvalidate", "filelock"),
)
CUDA_ADVICE = "run: python build.py test --cuda" if IS_CHECKOUT else "install the backend again, for CUDA"
STAGES = ("speech", "motion", "blink", "arkit", "texture")
WEIGHTS = Path(__file__).with_name("weights")
SCARCE_BYTES, FEW_BYTES = 200e6, 2e9  # a minute of 256 x 256 frames with alpha takes about 200 MB


class State(StrEnum):
    """The state of one part: `FAIL` when Speech Face cannot work without it."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """One part that was checked.

    Attributes:
        name: of the part.
        state: of the part.
        what: what was found, for people.
        advice: what to do; empty when there is nothing to do.
    """

    name: str
    state: State
    what: str
    advice: str = ""


def diagnose(folder: Path | None = None) -> list[Finding]:
    """Checks everything that Speech Face needs or can use.

    Args:
        folder: where results would be written; the current one if left out.
    """
    return [
        python_finding(sys.version_info[:2]),
        libraries_finding(LIBRARIES),
        torch_finding(),
        face_finding(),
        *(weights_finding(WEIGHTS, stage) for stage in STAGES),
        *(_training_findings() if IS_CHECKOUT else ()),
        disk_finding(folder or Path.cwd()),
        backend_finding(),
    ]


def _training_findings() -> list[Finding]:
    use = "synthetic speech and the phones of texts: synthesize, train speech, motion, visemes, evaluate"
    return [optional_finding("espeak-ng", "espeakng_loader", use)]


def is_healthy(findings: list[Finding]) -> bool:
    """Tells whether Speech Face can work with what was found."""
    return all(finding.state is not State.FAIL for finding in findings)


def python_finding(version: tuple[int, int]) -> Finding:
    """Tells whether all libraries support this Python."""
    words = f"{version[0]}.{version[1]}"
    if (3, 11) <= version < (3, 14):
        return Finding("Python", State.OK, words)
    return Finding("Python", State.FAIL, words, "use Python 3.11 to 3.13; build.py finds it")


def libraries_finding(names: tuple[str, ...]) -> Finding:
    """Tells which libraries are missing."""
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        return Finding("Libraries", State.FAIL, "missing: " + ", ".join(missing), INSTALL)
    return Finding("Libraries", State.OK, f"{len(names)} found")


def torch_finding() -> Finding:
    """Tells which build of PyTorch is installed, and on what it computes."""
    try:
        torch = importlib.import_module("torch")
    except (ImportError, OSError) as error:  # OSError: a shared library is missing
        return Finding("PyTorch", State.FAIL, f"does not start: {error}", ANEW)
    if torch.cuda.is_available():
        return Finding("PyTorch", State.OK, f"{torch.__version__} on {torch.cuda.get_device_name(0)}")
    words = f"{torch.__version__} on the CPU, {torch.get_num_threads()} threads"
    if not has_nvidia_gpu():
        return Finding("PyTorch", State.OK, words)
    advice = "update its driver (580 or newer)" if torch.version.cuda else CUDA_ADVICE
    return Finding("PyTorch", State.WARN, f"{words}; the NVIDIA GPU is not used", advice)


def devices() -> list[str]:
    """The devices that the networks can run on, the fastest first; only "cpu" when PyTorch does not start."""
    try:
        torch = importlib.import_module("torch")
    except (ImportError, OSError):
        return ["cpu"]
    return [*(f"cuda:{number}" for number in range(torch.cuda.device_count())), "cpu"]


def has_nvidia_gpu() -> bool:
    """Tells whether NVIDIA's driver lists a GPU."""
    try:
        answer = subprocess.run(["nvidia-smi", "-L"], capture_output=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return False
    return b"GPU" in answer.stdout


def face_finding() -> Finding:
    """Tells whether the face detector's models load."""
    try:
        detector = importlib.import_module("backend_server.face.detector")
        with detector.FaceDetector():
            return Finding("Face detector", State.OK, f"MediaPipe {metadata.version('mediapipe')}, its models load")
    except SpeechFaceError as error:
        what, _, advice = error.sentence.partition("; ")
        return Finding("Face detector", State.FAIL, what, advice)
    except Exception as error:  # noqa: BLE001 (this row reports whatever keeps it from starting)
        return Finding("Face detector", State.FAIL, f"does not start: {error}", ANEW)


def weights_finding(folder: Path, stage: str) -> Finding:
    """Tells whether the weights of one stage can be read."""
    name, path = f"Weights: {stage}", folder / f"{stage}.safetensors"
    advice = WEIGHTS_AGAIN
    own = folder / "speech.onnx"
    if stage == "speech" and own.is_file():
        return own_model_finding(name, own, path)
    if not path.is_file():
        return Finding(name, State.FAIL, f"{path.name} is missing", advice)
    try:
        safetensors = importlib.import_module("safetensors")
        with safetensors.safe_open(path, framework="np") as file:
            count = len(file.keys())
    except Exception as error:  # noqa: BLE001 (this row reports whatever the reader raises)
        return Finding(name, State.FAIL, f"{path.name} cannot be read: {error}", advice)
    return Finding(name, State.OK, f"{count} tensors, {_size_and_digest(path)}")


def own_model_finding(name: str, path: Path, ours: Path) -> Finding:
    """Tells whether the user's own acoustic model is the only one in a weights folder, and can run.

    Args:
        name: of the finding.
        path: the ONNX file.
        ours: the file that it replaces.
    """
    if ours.exists():
        what = f"{path.name} and {ours.name} are both there"
        return Finding(name, State.FAIL, what, "keep the one that motion.safetensors was trained against")
    if importlib.util.find_spec("onnxruntime") is None:
        return Finding(name, State.FAIL, f"{path.name} needs onnxruntime", "run: pip install 'speech-face[onnx]'")
    return Finding(name, State.OK, f"your own {path.name}, {_size_and_digest(path)}")


def _size_and_digest(path: Path) -> str:
    content = path.read_bytes()
    return f"{len(content) / 2**20:.1f} MiB, sha256 {hashlib.sha256(content).hexdigest()[:12]}"


def optional_finding(name: str, module: str, use: str) -> Finding:
    """Tells whether a library is installed that only part of the work needs; it is not imported."""
    spec = importlib.util.find_spec(module)
    if spec is None:
        return Finding(name, State.WARN, "not installed", f"{use}; {INSTALL}")
    return Finding(name, State.OK, metadata.version(module.replace("_", "-")))


def disk_finding(folder: Path) -> Finding:
    """Tells whether there is room for results."""
    free = shutil.disk_usage(folder).free
    words = f"{free / 1e9:.1f} GB free for {folder}"
    if free < SCARCE_BYTES:
        return Finding("Disk", State.FAIL, words, "free at least 0.2 GB")
    if free < FEW_BYTES:
        return Finding("Disk", State.WARN, words, "a minute of animation takes about 0.2 GB")
    return Finding("Disk", State.OK, words)


def backend_finding() -> Finding:
    """Tells whether this user's backend runs, or left its connection file behind."""
    try:
        endpoint = importlib.import_module("shared.endpoint")
        errors = importlib.import_module("shared.errors")
        psutil = importlib.import_module("psutil")
    except ImportError as error:
        return Finding("Backend", State.FAIL, str(error), INSTALL)
    path = endpoint.default_connection_file()
    if not path.exists():
        return Finding("Backend", State.OK, "none is running; the add-on starts one when it needs it")
    try:
        connection = endpoint.read_connection_file(path)
    except errors.ConnectionFileError as error:
        return Finding("Backend", State.WARN, error.sentence, f"stop the backend and move {path} away")
    if psutil.pid_exists(connection.pid):
        return Finding("Backend", State.OK, f"process {connection.pid} at {connection.address}")
    what = f"{path} was left by a backend that has ended"
    return Finding("Backend", State.WARN, what, f"start the backend again, which replaces {path}")
