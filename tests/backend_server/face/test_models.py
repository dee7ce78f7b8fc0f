import subprocess
import sys

import pytest
from skimage.data import astronaut

from backend_server.doctor import State, face_finding
from backend_server.face import models
from backend_server.face.models import as_mediapipe, open_detector, open_landmarker, open_segmenter
from shared.errors import SpeechFaceError, WeightsError


@pytest.mark.parametrize("content", [None, b"no archive"], ids=["missing", "damaged"])
def test_a_model_file_that_cannot_be_read_is_named_by_the_doctor_too(tmp_path, monkeypatch, content):
    file = tmp_path / "face_landmarker.task"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setattr(models, "LANDMARKER", file)
    with pytest.raises(WeightsError, match=r"cannot read the face model .*face_landmarker\.task"):
        open_detector(0.5)
    finding = face_finding()
    assert finding.state is State.FAIL
    assert "face_landmarker.task" in finding.what


def test_models_in_a_folder_with_letters_beyond_ascii_open(tmp_path, monkeypatch):
    for name in ("LANDMARKER", "SEGMENTER"):
        file = tmp_path / "Gesichter äöü 顔" / getattr(models, name).name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(getattr(models, name).read_bytes())
        monkeypatch.setattr(models, name, file)
    photo = as_mediapipe(astronaut())
    with open_detector(0.5) as detector, open_landmarker(is_video=False) as landmarker, open_segmenter() as segmenter:
        assert len(detector.detect(photo).detections) == 1
        assert len(landmarker.detect(photo).face_landmarks[0]) == 478
        assert segmenter.segment(photo).confidence_masks[0].numpy_view().max() > 0.9


def test_a_library_that_the_system_lacks_is_named_with_its_package(monkeypatch):
    from mediapipe.tasks.python.core import mediapipe_c_bindings

    def load(*_):
        raise OSError("libEGL.so.1: cannot open shared object file: No such file or directory")

    monkeypatch.setattr(mediapipe_c_bindings, "_shared_lib", None)
    monkeypatch.setattr(mediapipe_c_bindings.ctypes, "CDLL", load)
    with pytest.raises(SpeechFaceError, match=r"libEGL\.so\.1: cannot open .*; install OpenGL ES"):
        open_segmenter()
    finding = face_finding()
    assert finding.state is State.FAIL
    assert "libEGL.so.1" in finding.what
    assert "apt install libegl1 libgles2" in finding.advice


def test_mediapipe_is_not_loaded_before_a_model_is_opened():
    script = "import sys, backend_server.batch.line; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert "backend_server.face.models" in loaded
    assert not {"mediapipe", "matplotlib"} & set(loaded)
