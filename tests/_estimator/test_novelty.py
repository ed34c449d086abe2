"""Novelty of samples: what is foreign stands out, and what is not does so in 5 %."""

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quick import quick_clusterer
from scipy.ndimage import gaussian_filter

from sklearn_cae import load, save
from sklearn_cae.datasets import load_mnist, make_toy_images
from sklearn_cae.persistence import LoadError


@pytest.fixture(scope="module")
def xrays(pneumonia):
    return pneumonia["train"][0][:600]


@pytest.fixture(scope="module")
def fitted(xrays):
    return quick_clusterer(warm_up_epochs=1, conditioning_epochs=0).fit(xrays)


@pytest.fixture(scope="module")
def foreign(pneumonia, data_root):
    X, rng = pneumonia["val"][0][:200], np.random.RandomState(0)
    return {
        "white": np.full_like(X, 255),
        "black": np.zeros_like(X),
        "grey": np.full_like(X, 128),
        "noise": rng.randint(0, 256, X.shape).astype(np.uint8),
        "inverted": 255 - X,
        "turned": np.rot90(X, axes=(1, 2)),
        "digits": load_mnist("test", root=data_root).data[:200].reshape(-1, 28, 28),
    }


def test_new_images_of_the_same_kind_are_unusual_in_5_percent(fitted, pneumonia):
    share = (fitted.novelty(pneumonia["val"][0]) >= 0.95).mean()
    assert 0.02 <= share <= 0.09  # 524 images: two standard errors around 5 %, and calibration


@pytest.mark.parametrize("n_samples", [60, 300])
def test_training_images_are_unusual_in_5_percent(pneumonia, n_samples):
    X = pneumonia["train"][0][:n_samples]
    model = quick_clusterer(warm_up_epochs=1, conditioning_epochs=0).fit(X)
    assert (model.novelty(X) >= 0.95).mean() <= 0.1


@pytest.mark.parametrize(
    "kind", ["white", "black", "grey", "noise", "inverted", "turned", "digits"]
)
def test_foreign_images_stand_out(fitted, foreign, kind):
    assert (fitted.novelty(foreign[kind]) >= 0.95).mean() >= 0.95


def test_images_that_are_too_smooth_stand_out(data_root):
    """They have smaller errors than sharp ones."""
    X = load_mnist("test", root=data_root).data[:600].reshape(-1, 28, 28)
    model = quick_clusterer(warm_up_epochs=1, conditioning_epochs=0).fit(X[:400])
    smooth = gaussian_filter(X[400:], (0, 1.5, 1.5))
    assert (model.novelty(X[400:]) >= 0.95).mean() <= 0.12
    assert (model.novelty(smooth) >= 0.95).mean() >= 0.95


def test_networks_do_not_matter(fitted, xrays, pneumonia):
    other = quick_clusterer(warm_up_epochs=1, conditioning_epochs=0, random_state=5).fit(xrays)
    X = pneumonia["val"][0]
    difference = other.novelty(X) - fitted.novelty(X)
    assert np.abs(difference).mean() < 0.05  # only the groups differ


def test_predict_rejects_what_is_unusual(fitted, pneumonia):
    X = np.concatenate([pneumonia["val"][0], 255 - pneumonia["val"][0]])
    labels, novelty = fitted.predict(X), fitted.novelty(X)
    for reject in (0.01, 0.05, 0.5):
        expected = np.where(novelty >= 1 - reject, -1, labels)
        np.testing.assert_array_equal(fitted.predict(X, reject=reject), expected)
    np.testing.assert_array_equal(fitted.assign(X).novelty, novelty)


@pytest.mark.parametrize("reject", [np.nan, 0, 1, -0.1, 5, "5 %", True])
def test_a_share_to_reject_is_checked(fitted, xrays, reject):
    with pytest.raises((ValueError, TypeError), match="reject"):
        fitted.predict(xrays[:3], reject=reject)


def test_a_saved_model_tells_the_same(fitted, xrays, tmp_path):
    save(fitted, tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(again.novelty(xrays[:50]), fitted.novelty(xrays[:50]))


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("centers", np.zeros((5, 20))),  # more than the model has groups
        ("centers", np.zeros((3, 7))),
        ("mean", np.zeros(1)),
        ("level", np.full(4, np.nan)),
        ("unit", np.zeros(4)),
        ("reference", np.empty(0)),
        ("reference", np.arange(50.0)[::-1]),
        ("intensities", np.zeros((60, 1))),
        ("intensities", np.array(["a"])),
    ],
)
def test_a_forged_measure_is_not_loaded(fitted, tmp_path, part, value):
    forged = copy.copy(fitted)
    measure = copy.copy(fitted._state.novelty)
    setattr(measure, part, value)
    forged._keep(novelty=measure)
    save(forged, tmp_path / "model.safetensors")
    with pytest.raises(LoadError, match="novelty"):
        load(tmp_path / "model.safetensors")


def test_a_fit_on_few_samples_has_no_novelty():
    X, _ = make_toy_images(39, n_classes=3, random_state=0, return_X_y=True)
    model = quick_clusterer(n_clusters=2, batch_size=8, warm_up_epochs=1).fit(X)
    assert model.assign(X).novelty is None
    with pytest.raises(ValueError, match=r"at least 40 samples.* fit on 39"):
        model.novelty(X)
    with pytest.raises(ValueError, match="at least 40 samples"):
        model.predict(X, reject=0.05)


@settings(deadline=None, max_examples=10)
@given(
    n_samples=st.integers(40, 60),
    n_features=st.integers(1, 30),
    kind=st.sampled_from(["normal", "one differs", "two values", "huge"]),
)
def test_vectors_of_any_kind_have_a_novelty(n_samples, n_features, kind):
    rng = np.random.RandomState(0)
    X = {
        "normal": rng.normal(size=(n_samples, n_features)),
        "one differs": np.eye(n_samples, n_features),
        "two values": rng.randint(0, 2, (n_samples, n_features)).astype(float),
        "huge": 1e8 * rng.normal(size=(n_samples, n_features)),
    }[kind]
    model = quick_clusterer(n_clusters=2, warm_up_epochs=1, conditioning_epochs=0).fit(X)
    novelty = model.novelty(X)
    assert novelty.shape == (n_samples,)
    assert ((novelty >= 0) & (novelty < 1)).all()


def test_far_vectors_are_unusual():
    X = np.random.RandomState(0).normal(size=(200, 6))
    model = quick_clusterer(n_clusters=2, warm_up_epochs=1, conditioning_epochs=0).fit(X)
    assert (model.novelty(X + 20) >= 0.95).all()


def test_large_images_with_channels_have_a_novelty():
    X = np.random.RandomState(0).randint(0, 120, (40, 48, 40, 3)).astype(np.uint8)
    model = quick_clusterer(n_clusters=2, warm_up_epochs=1, conditioning_epochs=0).fit(X)
    assert (model.novelty(X + 100) >= 0.95).all()


def test_recluster_measures_distances_to_the_new_groups(xrays):
    model = quick_clusterer(warm_up_epochs=1, conditioning_epochs=0).fit(xrays)
    before = model.novelty(xrays)
    after = model.set_params(n_clusters=7).recluster(xrays).novelty(xrays)
    assert (before != after).any()
