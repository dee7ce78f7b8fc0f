"""Tests what a batch says of a Ray cluster that is not there.

What one of two nodes does, one of which is lost in the middle, `chaos --cluster` proves: `chaos/test_command.py`.
"""

import pytest

from backend_server.batch.run import BatchSettings, Order, run_batch
from shared.errors import SpeechFaceError

pytest.importorskip("ray", reason="the extra batch is not installed")

pytestmark = pytest.mark.slow


def test_a_cluster_that_does_not_answer_is_told(manifest, tmp_path):
    settings = BatchSettings(Order(str(manifest(1))), tmp_path / "out", ray="127.0.0.1:1")
    with pytest.raises(SpeechFaceError) as caught:
        run_batch(settings, lambda *_: None, lambda _: None, lambda _: None)
    assert "the Ray cluster 127.0.0.1:1 does not answer" in caught.value.sentence
