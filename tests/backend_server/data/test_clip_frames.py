import av
import numpy as np
import pytest

from backend_server.data.clip import frames_to_keep
from backend_server.data.clip_frames import ClipRefused, read_frames, read_sound


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".avi", ".webm", ".mpg"])
def test_sound_and_picture_of_every_container_share_their_clock(tmp_path, make_video, suffix):
    video = make_video(tmp_path / f"a{suffix}", size=(160, 112))
    samples, start = read_sound(video)
    frames = list(read_frames(video, start))
    assert len(samples) == pytest.approx(1.4 * 16000, abs=800)
    assert np.argmax(np.abs(samples.astype(int)) > 3000) / 16000 == pytest.approx(0.8, abs=0.03)
    assert len(frames) == 35
    assert frames[0].seconds == pytest.approx(0, abs=0.015)
    assert frames[-1].seconds == pytest.approx(1.36, abs=0.045)
    assert frames[0].image.shape == (112, 160, 3)


def test_pictures_before_the_sound_are_left_out(tmp_path, make_video):
    video = make_video(tmp_path / "a.mp4")
    assert len(list(read_frames(video, 0.4))) == 25


def test_a_file_without_pictures_is_refused(tmp_path):
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.int16), format="s16", layout="mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(ClipRefused, match="no picture"):
        list(read_frames(tmp_path / "a.mp4", 0.0))


def test_a_fast_video_is_thinned_to_25_a_second():
    kept = frames_to_keep(np.arange(100) / 50)
    np.testing.assert_array_equal(kept, np.arange(0, 100, 2))
    assert len(frames_to_keep(np.arange(60) / 30)) == 50
    np.testing.assert_array_equal(frames_to_keep(np.arange(48) / 24), np.arange(48))
    with pytest.raises(ClipRefused, match="15"):
        frames_to_keep(np.arange(30) / 15)
