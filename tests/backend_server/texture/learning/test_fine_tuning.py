from dataclasses import replace

import numpy as np
import pytest
import torch

from backend_server.identity import load_identity, save_identity
from backend_server.texture.colours import match_colours
from backend_server.texture.learning import fine_tuning
from backend_server.texture.learning.fine_tuning import adapt
from backend_server.texture.learning.rehearsal import open_mouth, shut_eyes, unseen_expressions
from backend_server.texture.networks.discriminator import build_discriminator
from backend_server.texture.networks.presets import build_generator
from backend_server.texture.render import render, tuned_generator
from backend_server.texture.warping.raster import opening_measures
from shared.errors import Cancelled, ShapeError, ValueRangeError, WeightsError


@pytest.fixture(autouse=True)
def short_epochs(monkeypatch):
    monkeypatch.setattr(fine_tuning, "_FEWEST_TARGETS", 2)


@pytest.fixture
def generator(small_configs):
    torch.manual_seed(0)
    return build_generator(small_configs["warp"]).eval().requires_grad_(False)


def tune(generator, faces, **settings):
    return adapt(generator, faces, **{"epochs": 1, "seed": 3, "weights_version": "v", **settings})


def test_no_epochs_leave_the_weights_alone(generator, drawn_faces):
    faces = drawn_faces(7)
    identity = tune(generator, faces, epochs=0)
    assert identity.weights == {} and identity.references is faces
    record = identity.record
    assert (record.losses, record.epochs, record.seed, record.image_count) == ((), 0, 3, 7)
    np.testing.assert_array_equal(record.neutral, faces.neutral_landmarks)
    np.testing.assert_array_equal(record.crop, faces.crop)


@pytest.mark.parametrize("count", [1, 5])
def test_fine_tuning_changes_a_copy_and_repeats_with_its_seed(generator, drawn_faces, count, small_configs):
    generator.judges = (build_discriminator(small_configs["warp"]).eval().requires_grad_(False),)
    before = {name: weight.clone() for name, weight in generator.state_dict().items()}
    steps = []
    faces = drawn_faces(count)
    first = tune(generator, faces, progress=lambda *step: steps.append(step))
    assert all(torch.equal(before[name], weight) for name, weight in generator.state_dict().items())
    assert 1 == first.record.epochs == len(first.record.losses) and np.isfinite(first.record.losses).all()
    assert (first.record.held_out_psnr is None) == (count < 5)
    assert steps[-1][1] <= steps[-1][2] and {stage for stage, _, _ in steps} == {"adapt"}
    if count == 1:
        assert first.weights and all(w.dtype == np.float16 for w in first.weights.values())
        # one image tells who it is, not how the face moves
        assert all(name.startswith("encoder.") or "norm.affine" in name for name in first.weights)
        again = tune(generator, faces)
        assert all(np.array_equal(first.weights[name], again.weights[name]) for name in first.weights)
        assert any(not np.array_equal(first.weights[n], w) for n, w in tune(generator, faces, seed=4).weights.items())


def test_fine_tuning_stops_when_told_to(generator, drawn_faces):
    def stop(_stage, step, _steps):
        if step == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        tune(generator, drawn_faces(2), epochs=10, progress=stop)


def test_every_epoch_is_told_with_the_network_as_it_is(generator, drawn_faces, face_landmarks):
    faces, told = drawn_faces(5), []

    def note(epoch):
        assert epoch.neutral is faces.neutral_landmarks
        told.append((epoch.number, epoch.loss, epoch.held_out_psnr, epoch.render(face_landmarks()[None])))

    watched = tune(generator, faces, epochs=2, on_epoch=note).record
    assert [number for number, *_ in told] == [1, 2]
    assert [loss for _, loss, *_ in told] == list(watched.losses)
    assert all(psnr is not None and psnr <= watched.held_out_psnr for _, _, psnr, _ in told)
    assert [psnr for _, _, psnr, _ in told] == list(watched.held_out_psnrs)
    assert not np.array_equal(told[0][3], told[1][3])
    plain = tune(generator, faces, epochs=2).record  # being watched changes nothing
    assert plain.losses == watched.losses and plain.held_out_psnr == watched.held_out_psnr


@pytest.mark.parametrize("preset", ["warp", "paper"])
def test_a_kept_identity_renders_as_the_one_that_was_tuned(
    tmp_path, preset, small_configs, drawn_faces, face_landmarks
):
    torch.manual_seed(0)
    generator = build_generator(small_configs[preset]).eval().requires_grad_(False)
    identity = tune(generator, drawn_faces(2))
    save_identity(tmp_path / "kept.safetensors", identity)
    kept = load_identity(tmp_path / "kept.safetensors")
    assert {name: weight.shape for name, weight in kept.weights.items()} == {
        name: weight.shape for name, weight in identity.weights.items()
    }
    pictures = [
        next(render(tuned_generator(generator, one), one.references, face_landmarks()[None]))
        for one in (identity, kept)
    ]
    np.testing.assert_array_equal(*pictures)


def test_bad_settings_are_named(generator, drawn_faces):
    with pytest.raises(ValueRangeError, match="-1"):
        tune(generator, drawn_faces(1), epochs=-1)


def test_rehearsed_expressions_are_those_not_shown(face_landmarks):
    rest = torch.from_numpy(face_landmarks(mouth=1, lids=10))
    assert opening_measures(open_mouth(rest, 0.2)[None])[0, 0] == pytest.approx(0.2, abs=1e-3)
    assert opening_measures(shut_eyes(rest)[None])[0, 2:].max() < 1e-3
    assert len(unseen_expressions(rest[None])) == 5  # three mouths, two of the eyes
    wide_shut = torch.from_numpy(face_landmarks(mouth=30, lids=1))
    assert unseen_expressions(torch.stack([rest, wide_shut])) == []


def test_colours_follow_the_first_image_but_are_not_washed_out():
    images = torch.rand(2, 3, 16, 16) - 0.5
    images[1] = images[0] * 0.7 + 0.2
    matched = match_colours(images, torch.ones(2, 1, 16, 16))
    torch.testing.assert_close(matched[1], images[0], rtol=0, atol=1e-4)


def test_frames_come_in_chunks_with_the_matte_warped_along(generator, drawn_faces, face_landmarks):
    faces = drawn_faces(1)
    landmarks = np.stack([face_landmarks(mouth=2.0 + t) for t in range(6)])
    reports = []
    stream = render(generator, faces, landmarks, lambda *step: reports.append(step))
    first = next(stream)
    assert reports[0] == ("texture", 0, 6)
    frames = np.concatenate([first, *stream])
    assert frames.shape == (6, 256, 256, 4) and frames.dtype == np.uint8
    assert reports[-1] == ("texture", 6, 6)
    # the first frame has the reference's own landmarks: outside the window its matte and its picture
    assert np.abs(frames[0, :50, :, 3].astype(int) - faces.mattes[0, :50]).max() <= 2
    assert np.abs(frames[0, :50, :, :3].astype(int) - faces.crops[0, :50]).max() <= 2
    assert not torch.is_inference_mode_enabled()


def test_cut_out_frames_show_the_persons_own_colours_at_the_edge(generator, drawn_faces):
    faces = drawn_faces(1)
    faces = replace(faces, foreground=255 - faces.crops[0])
    cut_out, whole = (
        next(render(generator, faces, faces.landmarks, is_cut_out=is_cut_out))[0, :50, :, :3].astype(int)
        for is_cut_out in (True, False)
    )
    assert np.abs(cut_out - (255 - faces.crops[0, :50].astype(int))).max() <= 3
    assert np.abs(whole - faces.crops[0, :50]).max() <= 2


def test_a_batch_too_large_for_the_memory_is_halved(generator, drawn_faces, face_landmarks, monkeypatch):
    faces = drawn_faces(1)
    landmarks = np.stack([face_landmarks(mouth=2.0 + t) for t in range(5)])
    expected = np.concatenate(list(render(generator, faces, landmarks)))
    sizes, forward = [], generator.forward

    def tight(points, references, code=None):
        sizes.append(len(points))
        if len(points) > 2:
            raise torch.OutOfMemoryError
        return forward(points, references, code)

    monkeypatch.setattr(generator, "forward", tight)
    frames = np.concatenate(list(render(generator, faces, landmarks)))
    assert sizes == [4, 2, 2, 1]
    assert np.abs(frames.astype(int) - expected).max() <= 1


def test_rendering_refuses_other_shapes_and_other_weights(generator, drawn_faces, small_configs):
    identity = tune(generator, drawn_faces(1), epochs=1)
    with pytest.raises(ShapeError, match=r"\(66, 2\)"):
        render(generator, identity.references, np.zeros((66, 2), np.float32))
    other = build_generator(replace(small_configs["warp"], code_size=8))
    with pytest.raises(WeightsError, match="adapt it again"):
        tuned_generator(other, identity)
