import hashlib
from pathlib import Path

import numpy as np
import platformdirs

from backend_server.identities.naming import data_folder, file_id, identity_folder, identity_id

IMAGE = np.arange(72, dtype=np.uint8).reshape(4, 6, 3)


def name(images=(IMAGE, IMAGE), landmarks=None, epochs=10, seed=0, weights_version="v1"):
    return identity_id(images, landmarks, epochs=epochs, seed=seed, weights_version=weights_version)


def test_the_name_is_the_sha256_of_what_counts():
    written = b"speech_face 1 v1 10 0" + b" |u1 (4, 6, 3) " + IMAGE.tobytes()
    assert name((IMAGE,)) == hashlib.sha256(written).hexdigest()


def test_the_name_changes_with_everything_that_counts():
    landmarks = np.zeros((2, 68, 2), np.float32)
    names = [
        name(),
        name(weights_version="v2"),
        name(epochs=3),
        name(seed=1),
        name((IMAGE, IMAGE, IMAGE)),
        name(landmarks=landmarks),
        name(landmarks=landmarks + 1),
        name((IMAGE,)),
        name((IMAGE.reshape(6, 4, 3),)),
        name((IMAGE + 1,)),
        name((IMAGE, IMAGE + 1)),
        name((IMAGE + 1, IMAGE)),
    ]
    assert len(set(names)) == len(names)
    assert name() == names[0]


def test_a_view_is_named_like_its_copy():
    turned = IMAGE[:, ::-1]
    assert name((turned,)) == name((turned.copy(),))


def test_a_file_is_named_by_its_content(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert file_id(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()


def test_the_data_folder_is_the_users_unless_told_otherwise(monkeypatch, tmp_path):
    monkeypatch.setenv("SPEECH_FACE_DATA", str(tmp_path))
    assert data_folder() == tmp_path
    assert identity_folder(data_folder()) == tmp_path / "identities"
    monkeypatch.delenv("SPEECH_FACE_DATA")
    assert data_folder() == Path(platformdirs.user_data_dir("speech_face", appauthor=False))
