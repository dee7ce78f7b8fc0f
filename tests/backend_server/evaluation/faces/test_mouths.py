import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut

from backend_server.evaluation.faces import mouths
from backend_server.evaluation.faces.networks import TrainedNetwork
from backend_server.evaluation.faces.recipes import clip_references
from shared.errors import ImageError


@pytest.fixture
def context(corpus, texture_files, context_of):
    def make(**options):
        return context_of(corpus.path, TrainedNetwork(texture_files[1], "cpu"), **options)

    return make


@pytest.fixture
def base(corpus):
    """The held-out person with shut lips."""
    (clip,) = corpus.clips("val")
    return clip_references(clip, [0]).neutral_landmarks


def gap(points, upper, lower):
    return float(np.linalg.norm(points[lower] - points[upper]))


def test_mouths_open_by_what_is_said_and_lids_shut(base):
    made, unit = mouths.expressions(base), gap(base, 36, 45)
    assert [gap(face, 62, 66) / unit for face in made[:5]] == pytest.approx(mouths.OPENINGS, abs=1e-4)
    assert [gap(face, 37, 41) / gap(base, 37, 41) for face in made[5:]] == pytest.approx([0.7, 0.4, 0], abs=1e-4)
    assert (made[5:, 48:] == base[48:]).all()  # lips stay shut there


def test_regions_hold_the_open_mouth_and_both_eyes(base):
    opened = mouths.expressions(base)[4]
    for region, points in ((mouths.mouth_region(base), opened[48:]), (mouths.lids_region(base), opened[36:48])):
        rows, columns = region
        assert (points[:, 0] > columns.start).all()
        assert (points[:, 0] < columns.stop).all()
        assert (points[:, 1] > rows.start).all()
        assert (points[:, 1] < rows.stop).all()
    far = mouths.mouth_region(base + np.float32([90, 110]))
    assert (far[0].stop, far[1].stop) == (256, 256)  # moved into the picture
    assert far[0].stop - far[0].start == far[1].stop - far[1].start
    picture = np.zeros((256, 256, 3), np.uint8)
    assert mouths.enlarged(picture, (slice(10, 20), slice(5, 35))).shape == (30, 90, 3)


def test_each_portrait_has_a_strip_for_mouth_and_lids_by_each_network(context, texture_files, corpus):
    both = mouths.compared_faces(context(beside=texture_files[0]))
    (clip,) = corpus.clips("val")
    portrait = mouths.Portrait("c", clip_references(clip, [0]))
    strips = mouths.portrait_strips(portrait, both)
    assert [caption.split(":")[0] for caption, _ in strips] == ["c, new", "c, today", "c, new", "c, today"]
    assert [len(pictures) for _, pictures in strips] == [6, 6, 4, 4]
    assert "0.03, 0.06, 0.1, 0.16, 0.24" in strips[0][0]
    photo = mouths.enlarged(portrait.references.crops[0], mouths.mouth_region(portrait.references.neutral_landmarks))
    assert (strips[0][1][0] == photo).all()
    assert (strips[0][1][5] != strips[1][1][5]).any()  # another network draws another mouth


def test_people_a_known_photo_and_the_users_are_drawn_and_what_shows_no_face_is_named(context, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.fromarray(astronaut()[:400]).save(photos / "ann.jpg")
    Image.new("RGB", (300, 300), "grey").save(photos / "wall.png")
    (photos / "notes.txt").write_text("no photo")
    told = []
    section = mouths.run(context(portraits=photos, progress=lambda *step: told.append(step)))
    (picture,) = section.pictures
    assert picture.caption == "c, astronaut.png, ann.jpg: drawn by new."
    assert "Not drawn: wall.png" in section.paragraphs[1]
    assert told[-1] == ("mouths", 3, 3)
    with Image.open(tmp_path / mouths.SHEET) as sheet:
        assert sheet.height > 3 * 3 * 80
    (photos / "ann.jpg").unlink()
    (photos / "wall.png").unlink()
    with pytest.raises(ImageError, match="holds no pictures"):
        mouths.run(context(portraits=photos))


def test_no_more_than_twelve_are_drawn(context, tmp_path, monkeypatch):
    monkeypatch.setattr(mouths, "MOST_PORTRAITS", 1)
    section = mouths.run(context())
    assert section.pictures[0].caption == "c: drawn by new."
    assert section.paragraphs[1] == "Not drawn: astronaut.png: there is room for 1 portraits"
