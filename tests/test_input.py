"""X and y as users have them: tables, pictures, tensors, and what is no array at all."""

import numpy as np
import pandas as pd
import pytest
from conftest import quick_clusterer

from sklearn_cae import load, save


def as_frame(X, library=pd, **kwargs):
    """Flat images as a table with a column for each pixel."""
    X = X.reshape(len(X), -1)
    return library.DataFrame({f"pixel{i}": X[:, i] for i in range(X.shape[1])}, **kwargs)


# ---- Names of columns ----


@pytest.fixture(scope="module")
def fitted_to_pixels(toy_images):
    frame = as_frame(toy_images[0])
    return quick_clusterer(image_shape=(16, 16), warm_up_epochs=1).fit(frame), frame


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_columns_of_pixels_keep_their_names(toy_images, make_quick, tmp_path, library):
    frames = pytest.importorskip(library, reason=f"{library} makes its own frames")
    frame = as_frame(toy_images[0], frames)
    names = list(frame.columns)
    fitted = make_quick(image_shape=(16, 16), warm_up_epochs=1).fit(frame)
    save(fitted, tmp_path / "model")
    for model in (fitted, load(tmp_path / "model")):
        assert model.feature_names_in_.tolist() == names
        assert model.n_features_in_ == 256
        np.testing.assert_array_equal(model.predict(frame), fitted.labels_)
        with pytest.raises(ValueError, match="must be in the same order as they were in fit"):
            model.predict(frame[names[::-1]])
        with pytest.raises(ValueError, match="unseen at fit time"):
            model.transform(frame.rename({"pixel0": "other"}, **RENAMES[library]))


RENAMES = {"pandas": {"axis": "columns"}, "polars": {}}


def test_rows_without_names_warn_as_in_scikit_learn(toy_images, fitted_to_pixels):
    model, frame = fitted_to_pixels
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        labels = model.predict(frame.to_numpy())
    np.testing.assert_array_equal(labels, model.labels_)
    unnamed = quick_clusterer(image_shape=(16, 16), warm_up_epochs=1).fit(frame.to_numpy())
    assert not hasattr(unnamed, "feature_names_in_")
    with pytest.warns(UserWarning, match="X has feature names, but"):
        unnamed.predict(frame)


def test_names_are_forgotten_by_a_fit_to_images_without_columns(toy_images, make_quick):
    X = toy_images[0]
    model = make_quick(image_shape=(16, 16), warm_up_epochs=1).fit(as_frame(X))
    assert hasattr(model, "feature_names_in_")
    assert not hasattr(model.set_params(image_shape=None).fit(X), "feature_names_in_")


def test_columns_that_are_missing_are_named(fitted_to_pixels):
    model, frame = fitted_to_pixels
    with pytest.raises(ValueError, match="seen at fit time, yet now missing:\n- pixel0"):
        model.predict(frame.iloc[:, 1:])
