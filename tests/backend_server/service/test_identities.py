from types import SimpleNamespace

import numpy as np
import pytest

from backend_server.service.identities import IdentityStore, identity_id
from shared import wire
from shared.errors import ErrorCode, SpeechFaceError
from shared.protocol import Adapted


def test_the_name_changes_with_everything_that_counts(adapt):
    landmarks = np.zeros((2, 68, 2), np.float32)
    image = np.zeros((4, 6, 3), np.uint8)
    names = [
        identity_id(adapt(), "v1"),
        identity_id(adapt(), "v2"),
        identity_id(adapt(epochs=3), "v1"),
        identity_id(adapt(seed=1), "v1"),
        identity_id(adapt(count=3), "v1"),
        identity_id(adapt(landmarks=landmarks), "v1"),
        identity_id(adapt(landmarks=landmarks + 1), "v1"),
        identity_id(adapt(images=(image,)), "v1"),
        identity_id(adapt(images=(image.reshape(6, 4, 3),)), "v1"),
        identity_id(adapt(images=(image + 1,)), "v1"),
    ]
    assert len(set(names)) == len(names)
    assert identity_id(adapt(), "v1") == names[0]  # another message id and job: the same identity
    assert len(names[0]) == 64


def test_save_list_load_delete(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(__file__.rpartition("/")[0])
    store = IdentityStore(tmp_path / "identities", "speech_face_fake")
    neutral, crop = np.ones((68, 2), np.float32), np.eye(2, 3, dtype=np.float32)
    name = "ab" * 32
    answer = wire.encode(Adapted(identity=name, neutral=neutral, crop=crop))
    assert not store.has(name)
    store.save(name, SimpleNamespace(neutral_landmarks=neutral, crop=crop), answer)
    assert store.has(name)
    assert store.names() == [name]
    np.testing.assert_array_equal(store.load(name).neutral_landmarks, neutral)
    known = store.answer(name, job="j", sequence=1)
    assert (known.job, known.sequence, known.is_cached, known.identity) == ("j", 1, True, name)
    (tmp_path / "identities" / f"{name}.adapted").write_bytes(b"damaged")
    assert store.answer(name) is None
    store.delete(name)
    assert store.names() == []
    for call in (store.load, store.delete):
        with pytest.raises(SpeechFaceError, match="adapt the images again") as caught:
            call(name)
        assert caught.value.code is ErrorCode.UNKNOWN_IDENTITY
