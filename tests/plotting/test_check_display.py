"""A page of examples of what a look at images found."""

import numpy as np
import pytest

from sklearn_cae.datasets import make_toy_images
from sklearn_cae.images import check_images
from sklearn_cae.plotting import ImageCheckDisplay


@pytest.fixture
def X():
    X = make_toy_images(60, n_classes=1, random_state=0).data
    X[5], X[40], X[7] = X[50], X[41], 0
    return X


def test_each_finding_has_a_row_of_its_first_images(X):
    check = check_images(X, {"patient": np.arange(60) % 59})
    display = ImageCheckDisplay.from_check(check, X, n_images=3)
    names = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert names == [
        *("constant (1)", "duplicates (4)", "duplicates across patients (4)"),
        "several per patient (2)",
    ]
    np.testing.assert_array_equal(display.examples["constant"], X[[7]])
    np.testing.assert_array_equal(display.examples["duplicates"], X[[5, 50, 40]])
    flat = ImageCheckDisplay.from_check(
        check, X.reshape(60, -1), image_shape=(16, 16), n_images=3, ax=display.ax_
    )
    assert flat.ax_ is display.ax_
    np.testing.assert_array_equal(flat.examples["duplicates"], X[[5, 50, 40]])


def test_what_cannot_be_drawn_is_told(X):
    check = check_images(X)
    with pytest.raises(ValueError, match="X must hold the 60 images that were checked, got 9"):
        ImageCheckDisplay.from_check(check, X[:9])
    with pytest.raises(ValueError, match="n_images == 0, must be >= 1"):
        ImageCheckDisplay.from_check(check, X, n_images=0)
    with pytest.raises(ValueError, match="check must have a finding with rows"):
        ImageCheckDisplay.from_check(check_images(X[8:30]), X[8:30])
    with pytest.raises(ValueError, match="examples must hold at least one finding"):
        ImageCheckDisplay({}, {})
