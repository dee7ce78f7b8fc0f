import numpy as np
from skimage.data import astronaut

from backend_server.face.crop import crop_image, to_source
from backend_server.face.detector import FaceDetector
from backend_server.face.reference import prepare_references


def test_the_face_nearest_to_rest_comes_first_and_says_where_it_was_cut_from():
    picture = astronaut()
    with FaceDetector() as detector:
        smiling = detector.detect(picture).landmarks
    closed = smiling.copy()
    closed[[61, 62, 63]] = closed[[67, 66, 65]]  # the inner lips meet
    found = prepare_references([picture, picture[:300]], [smiling, closed])
    assert found.source == 1
    np.testing.assert_array_equal(found.crops[0], crop_image(picture[:300], found.crop))
    np.testing.assert_allclose(to_source(found.landmarks[0], found.crop), closed, atol=0.01)
