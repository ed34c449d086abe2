"""Groups without training: what they are, how far they are trusted, and what is refused."""

import numpy as np
import pytest
import torch
from sklearn.datasets import make_blobs
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score

from sklearn_cae import _quick, cluster_report, load, quick_look, save
from sklearn_cae.datasets import make_toy_images
from sklearn_cae.metrics import stability_report
from sklearn_cae.modules import FirstOrderScattering, LinearDecoder, LogScattering


@pytest.fixture(scope="module")
def toys():
    return make_toy_images(240, random_state=0, return_X_y=True)


@pytest.fixture(scope="module")
def looked(toys):
    return quick_look(toys[0], random_state=0)


@pytest.fixture(scope="module")
def vectors():
    centers = 9 * np.eye(4, 20)
    return make_blobs(400, centers=centers, random_state=0)


def test_groups_are_found_and_trusted(looked, toys):
    X, y = toys
    assert adjusted_rand_score(y, looked.labels_) > 0.95
    assert looked.search_["found"]
    assert looked.search_["halves"] > 0.9
    np.testing.assert_array_equal(looked.predict(X), looked.labels_)


def test_prototypes_are_mean_images(looked, toys):
    X, _ = toys
    means = np.stack([X[looked.labels_ == group].mean(axis=0) for group in range(3)])
    error = np.square(looked.decode_prototypes() - means).mean()
    assert error < 0.02 * X.var(axis=0).mean()


def test_no_epoch_is_trained_and_the_same_seed_repeats(looked, toys):
    assert looked.n_iter_ == 0
    again = quick_look(toys[0], random_state=0)
    np.testing.assert_array_equal(again.embed(toys[0]), looked.embed(toys[0]))
    np.testing.assert_array_equal(again.decode_prototypes(), looked.decode_prototypes())
    np.testing.assert_array_equal(again.labels_, looked.labels_)


def test_what_follows_a_fit_works(looked, toys, tmp_path):
    X, _ = toys
    save(looked, tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(again.transform(X), looked.transform(X))
    np.testing.assert_array_equal(again.decode_prototypes(), looked.decode_prototypes())
    assert again.search_["halves"] == looked.search_["halves"]
    report = stability_report(looked, X, n_repeats=1, random_state=0)
    assert report.ari_halves[0] > 0.9
    assert cluster_report(looked, X, path=tmp_path / "report.html", stability=report).exists()
    assert looked.sample(3, random_state=0)[0].shape == (3, 16, 16)


def test_a_checkpoint_is_taken_up(toys, tmp_path):
    X = toys[0][:100]
    params = {"random_state": 0, "n_clusters": 3, "checkpoint_dir": tmp_path}
    one, other = (quick_look(X, **params) for _ in range(2))
    np.testing.assert_array_equal(one.decode_prototypes(), other.decode_prototypes())


def test_vectors_need_no_network(vectors, tmp_path):
    X, y = vectors
    model = quick_look(X, random_state=0)
    assert adjusted_rand_score(y, model.labels_) == 1
    assert model.search_["found"]
    means = np.stack([X[model.labels_ == group].mean(axis=0) for group in range(4)])
    np.testing.assert_allclose(model.decode_prototypes(), means, atol=0.5)
    save(model, tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(again.predict(X), model.labels_)
    images = np.zeros((len(X), 16, 16), np.uint8)
    assert cluster_report(model, X, images=images, path=tmp_path / "report.html").exists()


def test_many_images_are_transformed_to_the_first_order(toys, monkeypatch):
    assert quick_look(toys[0][:60], n_clusters=3).encoder is LogScattering
    monkeypatch.setattr(_quick, "_MANY", 50)
    assert quick_look(toys[0][:60], n_clusters=3).encoder is FirstOrderScattering


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["vectors", "images"])
def test_nothing_is_claimed_about_noise(kind, seed):
    rng = np.random.RandomState(seed)
    X = rng.normal(size=(300, 30)) if kind == "vectors" else rng.randint(0, 256, (300, 16, 16))
    with pytest.warns(ConvergenceWarning, match="No number of communities is stable"):
        model = quick_look(X, random_state=seed)
    assert not model.search_["found"]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", ["two images", "two images many times"])
def test_two_images_that_differ(toys, kind):
    X = toys[0][:2] if kind == "two images" else np.repeat(toys[0][:2], 20, axis=0)
    model = quick_look(X, random_state=0)
    assert 1 <= model.n_clusters_ <= 2
    assert np.isfinite(model.decode_prototypes()).all()


@pytest.mark.parametrize(
    ("X", "params", "message"),
    [
        (np.zeros((9, 16, 16), np.uint8), {}, "must hold images that differ"),
        (np.full((9, 16, 16), np.nan), {}, "NaN"),
        (np.full((9, 4), np.nan), {}, "NaN"),
        (np.eye(16, dtype=np.uint8)[None], {}, "1 sample"),
        (np.zeros((9, 8, 8, 8)), {"spatial_dims": 3}, "quick_look takes images or vectors"),
        (np.eye(16, dtype=np.uint8)[None].repeat(9, 0), {"n_clusters": 10}, "at most n_samples=9"),
        (np.eye(16), {"modality": "xray"}, "modality chooses the augmentation"),
        ("images.npy", {}, "X must be an array, got the text"),
    ],
    ids=["constant", "nan", "nan vectors", "one", "volumes", "clusters", "modality", "text"],
)
def test_what_is_refused(X, params, message):
    with pytest.raises((ValueError, TypeError), match=message):
        quick_look(X, **params)


# ---- Its parts ----


def test_a_linear_decoder_is_a_ridge_regression():
    generator = torch.Generator().manual_seed(0)
    embedding = torch.randn(600, 4, generator=generator)
    assigned = torch.rand(600, 2, generator=generator)
    inputs = torch.cat([embedding, assigned], dim=1)
    images = inputs @ torch.randn(6, 64, generator=generator) + 3
    decoder = LinearDecoder((1, 8, 8), 4)
    decoder.add_condition(2)
    decoder.solve(embedding, images.view(-1, 1, 8, 8), assigned)
    centered = inputs - inputs.mean(dim=0)
    penalty = 0.01 * 600 * embedding.var(dim=0).mean() * torch.eye(6)
    weights = torch.linalg.solve(centered.T @ centered + penalty, centered.T @ images)
    expected = centered @ weights + images.mean(dim=0)
    with torch.no_grad():
        decoded = decoder(embedding, assigned).flatten(1)
    np.testing.assert_allclose(decoded, expected, atol=1e-3)


def test_a_linear_decoder_is_conditioned_and_trained_too(toys):
    X, _ = toys
    model = quick_look(X, n_clusters=3, conditioning_epochs=1, random_state=0)
    assert model.decoder_.condition is not None
    error = np.square(model.reconstruct(X) - X).mean()
    assert error < 0.5 * X.var()
    trained = quick_look(X, n_clusters=3, encoder=None, train_encoder=True, random_state=0)
    assert trained.n_iter_ == 1
