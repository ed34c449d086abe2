"""Cheap looks at images, and the hint that `fit` gives."""

import re

import numpy as np
import pytest

from sklearn_cae._input import looks
from sklearn_cae.datasets import make_toy_images


@pytest.mark.parametrize("shape", [(8, 8), (9, 30), (40, 33), (256, 16)])
def test_thumbnails_are_means_of_equal_areas(shape):
    images = np.random.default_rng(0).random((3, *shape))
    thumbnails = looks.shrink(images)
    sides = [min(16, side) for side in shape]
    # Repeated so often that each area has whole pixels.
    fine = images.repeat(sides[0], axis=1).repeat(sides[1], axis=2)
    areas = fine.reshape(3, sides[0], shape[0], sides[1], shape[1]).mean(axis=(2, 4))
    np.testing.assert_allclose(thumbnails, areas.reshape(3, -1), rtol=1e-5)


def test_digests_are_equal_for_equal_rows_alone():
    X = np.random.default_rng(0).integers(0, 2, (500, 3, 3)).astype(np.uint8)
    _, expected = np.unique(X.reshape(500, -1), axis=0, return_inverse=True)
    found = looks.digests(X)
    assert ((found[:, None] == found) == (expected[:, None] == expected)).all()
    assert (looks.digests(X[:, ::-1, ::-1][:, ::-1, ::-1]) == found).all()


def change_none(X):
    pass


def make_constant(X):
    X[:3] = 7


def copy_some(X):
    X[:3] = X[3]


def invert_some(X):
    X[:3] = 255 - X[:3]


@pytest.mark.parametrize(
    ("change", "n", "message"),
    [
        (change_none, 200, ""),
        (make_constant, 200, "Of 200 images, 3 are constant. "),
        (copy_some, 200, "Of 200 images, 3 are copies of others. "),
        (invert_some, 200, "Of 200 images, 3 are inverted in comparison with the others. "),
        (make_constant, 301, ""),
        (copy_some, 301, ""),
        (invert_some, 301, ""),
    ],
)
def test_a_hint_names_what_one_image_in_a_hundred_has(change, n, message):
    X = make_toy_images(n, n_classes=1, random_state=0).data
    change(X)
    hint = looks.hint(X, (1, 16, 16), False)
    assert hint.startswith(message)
    assert bool(hint) == bool(message)
    assert not hint or "sklearn_cae.images.check_images(X)" in hint


def test_inverted_images_among_many_are_estimated():
    X = make_toy_images(3000, n_classes=1, random_state=0).data
    X[::30] = 255 - X[::30]
    found = re.search("3000 images, ([0-9]+) are inverted", looks.hint(X, (1, 16, 16), False))
    assert 50 <= int(found[1]) <= 150


def test_fit_gives_the_hint_once(make_quick, recwarn):
    X = make_toy_images(60, random_state=0).data
    X[5] = X[6]
    make_quick(warm_up_epochs=1, conditioning_epochs=0).fit(X)
    hints = [each for each in recwarn if "1 are copies of others" in str(each.message)]
    assert [each.filename for each in hints] == [__file__]
