"""Fitting: Algorithm 1, its inputs, its warnings, and that it repeats."""

import copy
import inspect
import pickle
import signal
import threading
import tracemalloc
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from nets import default_device
from quick import quick_clusterer
from scipy.optimize import linear_sum_assignment
from sklearn.base import clone
from sklearn.cluster import HDBSCAN, AgglomerativeClustering, KMeans
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import adjusted_rand_score, confusion_matrix
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import normalize
from skorch.callbacks import Callback, EarlyStopping
from torchvision.transforms.v2 import RandomRotation

from sklearn_cae import ContrastiveAutoencoderClusterer
from sklearn_cae._grouping import search
from sklearn_cae._training import phases, trainer, watchers
from sklearn_cae._training.phases import LearnedPrototypes
from sklearn_cae._utils import random
from sklearn_cae.augmentations import PRESETS, ImageViews
from sklearn_cae.augmentations._choose import choose_views
from sklearn_cae.clusterers import CommunityClusterer, ElbowClusterer, MixtureClusterer
from sklearn_cae.datasets import make_toy_images
from sklearn_cae.modules import ConditionalDecoder, Encoder, UnpooledEncoder
from sklearn_cae.optim import LARS

NETWORKS = ("encoder_", "projection_head_", "decoder_")


def states(estimator):
    """All weights and buffers, as arrays."""
    return {
        f"{name}.{key}": value.numpy().copy()
        for name in NETWORKS
        for key, value in getattr(estimator, name).state_dict().items()
    }


def assert_equal_bits(one, other):
    first, second = states(one), states(other)
    assert first.keys() == second.keys()
    assert all(np.array_equal(first[key], second[key]) for key in first)
    assert np.array_equal(one.cluster_centers_, other.cluster_centers_)
    assert np.array_equal(one.labels_, other.labels_)


# ---- What fit leaves behind ----


def test_fitted_attributes(fitted, toy_images):
    X, _ = toy_images
    assert fitted.cluster_centers_.shape == (3, 16)
    np.testing.assert_allclose(np.linalg.norm(fitted.cluster_centers_, axis=1), 1, rtol=1e-5)
    assert fitted.labels_.shape == (96,)
    assert set(fitted.labels_) == set(range(fitted.n_clusters_)) == {0, 1, 2}
    assert np.array_equal(fitted.labels_, fitted.predict(X))
    assert fitted.search_ is None
    assert fitted.embedding_means_.shape == (3, 16)
    assert fitted.embedding_covariances_.shape == (3, 16, 16)
    assert fitted.image_shape_ == (1, 16, 16)
    assert fitted.intensity_range_ == (0, 255)
    assert fitted.n_features_in_ == 256
    assert fitted.n_iter_ == 3


def test_samples_that_were_not_clustered_are_assigned(toy_images, make_quick, monkeypatch):
    X, _ = toy_images
    monkeypatch.setattr(search, "CLUSTERED_SAMPLES", 40)
    model = make_quick().fit(X)
    assert model.labels_.shape == (96,)
    assert np.array_equal(model.labels_, model.predict(X))
    assert np.isfinite(model.embedding_means_).all()
    whole = make_quick()
    monkeypatch.setattr(search, "CLUSTERED_SAMPLES", 96)
    assert adjusted_rand_score(whole.fit(X).labels_, model.labels_) > 0.5


def test_history_is_one_table_over_both_phases(fitted):
    table = pd.DataFrame(list(fitted.history_))
    assert table["phase"].tolist() == ["warm_up"] * 2 + ["conditioning"]
    assert table["epoch"].tolist() == [1, 2, 3]
    assert {"train_loss", "contrastive_loss", "reconstruction_loss", "learning_rate", "dur"} <= set(
        table
    )
    warm_up = table[table["phase"] == "warm_up"]
    expected = warm_up["contrastive_loss"] + 0.1 * warm_up["reconstruction_loss"]
    np.testing.assert_allclose(warm_up["train_loss"], expected, rtol=1e-5)
    assert table["learning_rate"].max() <= 1e-3
    # One curve over all epochs: the second phase goes on below where the first one ended.
    assert table["learning_rate"].diff().iloc[2:].lt(0).all()
    assert not any(
        isinstance(value, (list, torch.Tensor)) for row in fitted.history_ for value in row.values()
    )


def test_means_are_those_of_raw_embeddings(fitted, toy_images):
    embedding = copy.copy(fitted).set_params(output="embedding").transform(toy_images[0])
    for label in range(3):
        np.testing.assert_allclose(
            fitted.embedding_means_[label],
            embedding[fitted.labels_ == label].mean(axis=0),
            rtol=1e-4,
            atol=1e-5,
        )


def test_finds_the_groups_of_easy_images(make_quick):
    X, y = make_toy_images(150, n_classes=3, image_size=16, random_state=1, return_X_y=True)
    # Settings under which other seeds and numbers of threads find them, too.
    clusterer = make_quick(
        warm_up_epochs=20,
        embedding_dim=128,
        augmentation="xray",
        reconstruction_weight=10,
        learning_rate=3e-3,
    ).fit(X)
    assert adjusted_rand_score(y, clusterer.labels_) > 0.9


def test_the_encoder_is_bit_equal_before_and_after_phase_two(toy_images, make_quick):
    class NormalisedEncoder(Encoder):
        def __init__(self, image_shape, embedding_dim):
            super().__init__(image_shape, embedding_dim)
            self.insert(1, torch.nn.BatchNorm2d(32))

    X, _ = toy_images
    without = make_quick(encoder=NormalisedEncoder, conditioning_epochs=0, learning_rate=1e-3)
    with_phase_two = make_quick(encoder=NormalisedEncoder, conditioning_epochs=2)
    # The schedule counts both phases: hold its curve, and so the warm-up, by hand.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "learning_rate_at", lambda epoch, n_epochs, peak: peak)
        without.fit(X)
        with_phase_two.fit(X)
    before, after = states(without), states(with_phase_two)
    frozen = [key for key in before if not key.startswith("decoder_")]
    assert any("running_mean" in key for key in frozen)
    assert all(np.array_equal(before[key], after[key]) for key in frozen)
    assert not np.array_equal(before["decoder_.stem.0.weight"], after["decoder_.stem.0.weight"])


def test_without_phase_two_the_decoder_has_no_condition(toy_images, make_quick):
    clusterer = make_quick(conditioning_epochs=0).fit(toy_images[0])
    assert clusterer.decoder_.condition is None
    assert clusterer.n_iter_ == 2
    assert clusterer.decode_prototypes().shape == (3, 16, 16)


def test_elbow(toy_images, make_quick):
    X, _ = toy_images
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # whether there is one is not the claim
        clusterer = make_quick(clusterer=ElbowClusterer(max_clusters=6), n_clusters="elbow").fit(X)
    assert clusterer.search_["n_clusters"].tolist() == [2, 3, 4, 5, 6]
    assert clusterer.search_["inertia"].shape == clusterer.search_["silhouette"].shape == (5,)
    assert clusterer.n_clusters_ == clusterer.search_["best"] == len(clusterer.cluster_centers_)
    assert clusterer.clusterer_.search_ is clusterer.search_
    with pytest.warns(FutureWarning, match="search_"):
        assert clusterer.elbow_ is clusterer.search_


def test_the_search_may_be_around_any_clusterer(toy_images, make_quick):
    """It is what n_clusters="elbow" puts around the user's clusterer, to the same bits."""
    X, _ = toy_images
    mixture = GaussianMixture(covariance_type="diag")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        given = make_quick(n_clusters="elbow", clusterer=ElbowClusterer(mixture)).fit(X)
        wrapped = make_quick(n_clusters="elbow", clusterer=mixture).fit(X)
    np.testing.assert_array_equal(given.search_["inertia"], wrapped.search_["inertia"])
    np.testing.assert_array_equal(given.predict_proba(X), wrapped.predict_proba(X))


def test_variational_is_the_weight_of_its_term(toy_images, make_quick):
    X, _ = toy_images
    weights = (True, 1e-3, 1.0)
    tables = [pd.DataFrame(list(make_quick(variational=w).fit(X).history_)) for w in weights]
    assert tables[0].train_loss.equals(tables[1].train_loss)
    assert not tables[0].train_loss.equals(tables[2].train_loss)


@pytest.mark.parametrize("optimizer", ["lars", "adamw"])
def test_training_lowers_its_losses(toy_images, make_quick, optimizer):
    clusterer = make_quick(optimizer=optimizer, warm_up_epochs=8, conditioning_epochs=4)
    history = pd.DataFrame(list(clusterer.fit(toy_images[0]).history_))
    first, last = history.iloc[0], history[history["phase"] == "warm_up"].iloc[-1]
    assert last["contrastive_loss"] < first["contrastive_loss"]
    assert history.iloc[-1]["reconstruction_loss"] < first["reconstruction_loss"]


# ---- Randomness ----


@pytest.mark.parametrize("variational", [False, True])
def test_same_seed_same_bits_and_the_callers_generators_untouched(
    toy_images, make_quick, variational
):
    X, _ = toy_images
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    first = make_quick(variational=variational).fit(X)
    first.sample(3)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert (np.random.get_state()[1] == numpy_state).all()
    torch.manual_seed(123)  # nothing depends on the caller's generators either
    np.random.seed(123)
    again = make_quick(variational=variational).fit(X)
    assert_equal_bits(first, again)
    assert not np.array_equal(
        first.cluster_centers_, make_quick(random_state=1).fit(X).cluster_centers_
    )


def test_random_state_none_differs_and_a_generator_is_drawn_from(toy_images, make_quick):
    X, _ = toy_images
    first, second = (make_quick(random_state=None).fit(X) for _ in range(2))
    assert not np.array_equal(first.cluster_centers_, second.cluster_centers_)
    rng = np.random.RandomState(0)
    third, fourth = (make_quick(random_state=rng).fit(X) for _ in range(2))
    assert not np.array_equal(third.cluster_centers_, fourth.cluster_centers_)


def test_set_params_then_fit_equals_constructing_then_fit(toy_images, make_quick):
    params = {"temperature": 0.2, "embedding_dim": 8, "n_clusters": 2, "warm_up_epochs": 2}
    X, _ = toy_images
    assert_equal_bits(make_quick(**params).fit(X), make_quick().set_params(**params).fit(X))


def test_own_callables_are_seeded_too(toy_images, make_quick):
    X, _ = toy_images

    def noisy(batch):
        return batch + 0.05 * torch.randn_like(batch)

    def dropping(embedding_dim):
        return torch.nn.Sequential(
            torch.nn.Flatten(), torch.nn.Dropout(), torch.nn.Linear(256, embedding_dim)
        )

    for own in ({"augmentation": noisy}, {"encoder": dropping}):
        state = torch.get_rng_state()
        first = make_quick(**own).fit(X)
        assert torch.equal(torch.get_rng_state(), state)
        torch.rand(3)
        assert_equal_bits(first, make_quick(**own).fit(X))


class OwnGenerator:
    """Views with a generator of their own, as MONAI's are, applied to one image at a time."""

    def __init__(self):
        self.set_random_state()

    def set_random_state(self, seed=None, state=None):
        self.seeds = [*vars(self).get("seeds", []), seed]
        self.R = np.random.RandomState(seed) if state is None else state
        return self

    def __call__(self, batch):
        noise = [self.R.normal(0, self.R.uniform(0, 0.2), image.shape) for image in batch]
        return (batch + torch.tensor(np.array(noise)).to(batch)).clamp(0, 1)


def test_views_with_a_generator_of_their_own_are_seeded(toy_images, make_quick):
    X, _ = toy_images
    views = OwnGenerator()
    first = make_quick(augmentation=views).fit(X)
    assert_equal_bits(first, make_quick(augmentation=OwnGenerator()).fit(X))
    assert views.seeds == [None]  # it was copied, so that fits in other threads do not disturb it
    other = make_quick(augmentation=views, random_state=1).fit(X)
    assert not np.array_equal(first.cluster_centers_, other.cluster_centers_)


def test_views_with_a_generator_of_their_own_differ_from_batch_to_batch():
    draw = choose_views(OwnGenerator(), "images")
    generator, images = torch.Generator().manual_seed(0), torch.full((8, 1, 8, 8), 0.5)
    first, second = draw(images, generator), draw(images, generator)
    assert len(torch.unique(torch.cat([first, second]), dim=0)) == 16  # both halves, too


# ---- What may be passed ----


@pytest.fixture(scope="module")
def of_images(toy_images):
    """A fit on images of shape (n, height, width), in the range that is told in every form."""
    return quick_clusterer(intensity_range=(0, 255), warm_up_epochs=1).fit(toy_images[0])


@pytest.mark.parametrize(
    ("make_input", "image_shape"),
    [
        (lambda X: X[:, None], None),
        (lambda X: X[..., None], None),
        (lambda X: X.reshape(len(X), -1), (16, 16)),
        (lambda X: X.reshape(len(X), -1), (16, 16, 1)),
        (torch.from_numpy, None),
        (np.asfortranarray, None),
        (lambda X: np.repeat(X, 2, axis=0)[::2], None),
        (lambda X: X.tolist(), None),
        (lambda X: pd.DataFrame(X.reshape(len(X), -1)), (16, 16)),
    ],
    ids=[
        *["CHW", "HWC", "flat", "flat HWC", "tensor", "Fortran", "strided", "lists"],
        "flat DataFrame",
    ],
)
def test_the_same_images_in_any_form_give_the_same_model(
    toy_images, of_images, make_input, image_shape
):
    X, _ = toy_images
    given = make_input(X)
    model = clone(of_images).set_params(image_shape=image_shape).fit(given)
    assert_equal_bits(model, of_images)
    reconstruction = model.reconstruct(given)
    assert reconstruction.shape == np.shape(given)
    np.testing.assert_array_equal(reconstruction.ravel(), of_images.reconstruct(X).ravel())


@pytest.mark.parametrize("shape", [(3, 8, 8), (4, 12, 30), (2, 33, 9)])
def test_channels_and_unequal_sides(make_quick, shape):
    X = np.random.RandomState(0).randint(0, 256, (40, *shape), dtype=np.uint8)
    model = make_quick(warm_up_epochs=1, conditioning_epochs=1).fit(X)
    assert model.image_shape_ == shape
    assert model.reconstruct(X[:5]).shape == (5, *shape)
    last = X.transpose(0, 2, 3, 1)
    assert model.set_params(warm_up_epochs=1).fit(last).reconstruct(last[:5]).shape[1:] == (
        *shape[1:],
        shape[0],
    )


@pytest.mark.parametrize("shape", [(8, 8), (512, 512), (8, 512)])
def test_the_smallest_and_the_largest_images(make_quick, shape):
    X = np.random.RandomState(0).randint(0, 256, (8, *shape), dtype=np.uint8)
    model = make_quick(n_clusters=2, warm_up_epochs=1, conditioning_epochs=1).fit(X)
    assert model.reconstruct(X).shape == X.shape


def test_memory_maps_stay_on_the_disk(tmp_path, fitted, toy_images, make_quick):
    X, _ = toy_images
    np.save(tmp_path / "images.npy", X)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # torch warns about arrays it cannot write to
        model = make_quick().fit(mapped)
    assert_equal_bits(model, fitted)


def test_a_fit_does_not_read_a_memory_map_at_once(tmp_path, make_quick):
    X = np.random.RandomState(0).randint(0, 256, (16_000, 32, 32), dtype=np.uint8)
    np.save(tmp_path / "images.npy", X)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    params = {"encoder": build_encoder, "decoder": build_decoder, "batch_size": 256}  # quick ones
    tracemalloc.start()
    make_quick(**params, warm_up_epochs=1, conditioning_epochs=1).fit(mapped)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < X.nbytes


def test_vectors_and_their_names(make_quick):
    rng = np.random.RandomState(0)
    X = rng.normal(size=(120, 6)) + 8 * np.eye(6)[rng.randint(3, size=120)]
    frame = pd.DataFrame(X * [1, 10, 100, 1, 1, 1000], columns=list("abcdef"))
    model = make_quick(warm_up_epochs=5).fit(frame)
    assert model.feature_names_in_.tolist() == list("abcdef")
    assert model.image_shape_ is None
    assert model.reconstruct(frame).shape == (120, 6)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[list("fedcba")])
    images = np.random.RandomState(0).rand(40, 8, 8)
    assert not hasattr(model.fit(images), "feature_names_in_")


def test_n_is_batch_size_plus_one(make_quick):
    X = make_toy_images(33, image_size=16, random_state=0, return_X_y=True)[0]
    assert make_quick(batch_size=32, warm_up_epochs=1).fit(X).labels_.shape == (33,)


def test_one_cluster(toy_images, make_quick):
    X, _ = toy_images
    model = make_quick(n_clusters=1).fit(X)
    assert (model.predict_proba(X) == 1).all()
    assert model.score(X) == 0
    assert not model.margin(X).any()


def build_encoder(image_shape):
    n_pixels = int(np.prod(image_shape))
    return torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(n_pixels, 16, bias=False), torch.nn.Tanh()
    )


def build_decoder(embedding_dim, image_shape):
    return torch.nn.Sequential(
        torch.nn.Linear(embedding_dim, int(np.prod(image_shape))),
        torch.nn.Unflatten(1, image_shape),
    )


def test_own_networks(toy_images, make_quick):
    X, _ = toy_images
    model = make_quick(encoder=build_encoder, decoder=build_decoder).fit(X)
    assert isinstance(model.encoder_[0], torch.nn.Flatten)
    assert model.decoder_.condition.weight.any()
    assert model.reconstruct(X).shape == X.shape


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"encoder": torch.nn.Flatten()}, TypeError, "encoder must be a factory"),
        ({"encoder": lambda: "network"}, TypeError, "returned str"),
        ({"encoder": lambda: 1 / 0}, ValueError, r"encoder must be a factory for .* \(1, 16, 16\)"),
        ({"encoder": torch.nn.Flatten}, ValueError, r"encoder must turn \(n, 1, 16, 16\)"),
        (
            {"encoder": lambda: torch.nn.Conv2d(3, 4, 3)},
            ValueError,
            r"encoder must take samples of shape \(n, 1, 16, 16\), but failed",
        ),
        (
            {"decoder": lambda: torch.nn.Linear(16, 256)},
            ValueError,
            r"two samples became \(2, 256\)",
        ),
    ],
)
def test_own_networks_that_do_not_fit(toy_images, make_quick, params, error, message):
    with pytest.raises(error, match=message):
        make_quick(**params).fit(toy_images[0])


@pytest.mark.parametrize(
    "augmentation",
    [
        *["xray", "digits", ImageViews(degrees=5.0), lambda batch: batch.flip(3)],
        RandomRotation(20),
        lambda batch: torch.stack([RandomRotation(20)(image) for image in batch]),
    ],
)
def test_own_views(fitted, toy_images, make_quick, augmentation):
    model = make_quick(augmentation=augmentation).fit(toy_images[0])
    assert not np.array_equal(model.cluster_centers_, fitted.cluster_centers_)


@pytest.mark.parametrize("clusterer", [AgglomerativeClustering(), HDBSCAN(copy=True)])
def test_own_clusterers(toy_images, make_quick, clusterer):
    n_clusters = 4 if "n_clusters" in clusterer.get_params() else "elbow"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = make_quick(clusterer=clusterer, n_clusters=n_clusters).fit(toy_images[0])
    assert type(model.clusterer_) is type(clusterer)
    if n_clusters != "elbow":
        assert model.n_clusters_ == n_clusters
    assert not hasattr(clusterer, "labels_")


def test_the_number_can_be_left_to_the_clusterer(toy_images, make_quick):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = make_quick(n_clusters="auto", clusterer=CommunityClusterer(max_clusters=5)).fit(
            toy_images[0]
        )
    assert isinstance(model.clusterer_, CommunityClusterer)
    assert model.search_ is model.clusterer_.search_
    assert 1 <= model.n_clusters_ <= model.clusterer_.n_clusters_ <= 5
    four = make_quick(n_clusters="auto", clusterer=KMeans(4, n_init=1)).fit(toy_images[0])
    assert four.n_clusters_ == 4


@pytest.mark.parametrize(
    "clusterer", [MixtureClusterer(n_dims=4), CommunityClusterer()], ids=lambda c: type(c).__name__
)
def test_samples_are_assigned_by_the_clusterer(toy_images, make_quick, clusterer):
    X, _ = toy_images
    model = make_quick(n_clusters=6, clusterer=clusterer, assignment="clusterer").fit(X)
    unit = normalize(copy.copy(model).set_params(output="embedding").transform(X))
    np.testing.assert_allclose(
        model.predict_proba(X), model.clusterer_.predict_proba(unit), rtol=1e-4, atol=1e-5
    )
    assert np.array_equal(model.predict(X), model.predict_proba(X).argmax(axis=1))
    assert np.array_equal(model.predict(X), model.labels_)
    for label in range(model.n_clusters_):
        mean = unit[model.labels_ == label].mean(axis=0)
        np.testing.assert_allclose(
            model.cluster_centers_[label], mean / np.linalg.norm(mean), rtol=1e-4, atol=1e-5
        )
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict(X), model.labels_)
    assert model.decode_prototypes().shape == (model.n_clusters_, 16, 16)
    # How typical a member is, and how doubtful, cosines tell here, too.
    cosine = unit @ model.cluster_centers_.T
    for label, rows in enumerate(model.representatives(X, 3)):
        members = np.flatnonzero(model.labels_ == label)
        assert set(rows) <= set(members)
        assert cosine[rows[0], label] == pytest.approx(cosine[members, label].max())
    next_, own = np.sort(cosine, axis=1)[:, -2:].T
    np.testing.assert_allclose(model.margin(X), own - next_, atol=1e-5)


@pytest.mark.parametrize("clusterer", [MixtureClusterer(n_dims=4), CommunityClusterer()])
def test_samples_are_drawn_from_the_clusterers_groups(toy_images, make_quick, clusterer):
    params = {"clusterer": clusterer, "assignment": "clusterer"}
    model = make_quick(n_clusters=6, **params).fit(toy_images[0])
    largest = int(np.bincount(model.labels_).argmax())
    decoded = []
    model.decode = decoded.append
    model.sample(200, cluster=largest, random_state=0)
    probability = model.clusterer_.predict_proba(normalize(decoded[0].astype(np.float32)))
    share = (probability[:, model._state.posterior.kept].argmax(axis=1) == largest).mean()
    assert share > 0.9


def test_a_refined_model_is_one_like_any_other(fitted, toy_images, make_quick):
    X, _ = toy_images
    model = make_quick(refinement_epochs=2).fit(X)
    phases = [row["phase"] for row in model.history_]
    assert phases == ["warm_up"] * 2 + ["refinement"] * 2 + ["conditioning"]
    assert [row["epoch"] for row in model.history_] == list(range(1, 6))
    assert model.n_iter_ == 5
    assert np.array_equal(model.predict(X), model.labels_)
    np.testing.assert_allclose(np.linalg.norm(model.cluster_centers_, axis=1), 1, rtol=1e-5)
    assert not np.array_equal(
        states(fitted)["encoder_.0.weight"], states(model)["encoder_.0.weight"]
    )
    # The learning rate of the other phases is that of a fit without.
    rates = [row["learning_rate"] for row in model.history_]
    assert rates[:2] + rates[4:] == [row["learning_rate"] for row in fitted.history_]
    assert rates[2:4] == [1e-4] * 2
    assert_equal_bits(model, make_quick(refinement_epochs=2).fit(X))


def test_the_refinement_has_an_optimizer_of_its_own(toy_images, make_quick, monkeypatch):
    used = []
    monkeypatch.setattr(
        phases.RefinementNet,
        "on_train_begin",
        lambda self, *args, **kwargs: used.append(self.optimizer_),
    )
    make_quick(refinement_epochs=1, optimizer="lars").fit(toy_images[0])
    (optimizer,) = used
    assert type(optimizer) is torch.optim.AdamW
    rates = {group["lr"]: len(group["params"]) for group in optimizer.param_groups}
    assert rates.keys() == {1e-4, 1e-2}  # of the encoder, and of the prototypes
    assert rates[1e-2] == 1


def test_the_defaults_are_those_of_the_paper(toy_images):
    """By value: a default that moved would change every result that names the paper."""
    model = ContrastiveAutoencoderClusterer()
    params = model.get_params(deep=False)
    expected = {"temperature": 0.5, "reconstruction_weight": 0.1, "batch_size": 256}
    expected |= {"warm_up_epochs": 50, "conditioning_epochs": 50, "embedding_dim": 128}
    expected |= {"optimizer": "lars", "augmentation": "paper", "n_clusters": "elbow"}
    assert expected.items() <= params.items()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of so few images
        model.set_params(
            warm_up_epochs=11, conditioning_epochs=89, embedding_dim=8, n_clusters=2, device="cpu"
        ).fit(toy_images[0][:32])
    rates = [row["learning_rate"] for row in model.history_]
    np.testing.assert_allclose([rates[0], rates[10]], [0.01, 0.25])
    assert rates[-1] == pytest.approx(0.05, abs=1e-3)
    assert inspect.signature(LARS).parameters["trust_coefficient"].default == 0.02
    views = vars(PRESETS["paper"])
    expected = {"degrees": 30.0, "min_crop": 0.5, "flip": True, "noise": 0.1}
    assert expected.items() <= views.items()


def test_refinement_makes_assignments_agree_and_sure(toy_images, make_quick):
    X, _ = toy_images
    plain, refined = (
        make_quick(warm_up_epochs=10, refinement_epochs=n, conditioning_epochs=0).fit(X)
        for n in (0, 15)
    )
    assert refined.predict_proba(X).max(axis=1).mean() > plain.predict_proba(X).max(axis=1).mean()
    assert refined.n_clusters_ == 3


def test_refinement_of_many_samples_and_of_two(toy_images, make_quick, monkeypatch):
    monkeypatch.setattr(search, "CLUSTERED_SAMPLES", 40)
    model = make_quick(refinement_epochs=1).fit(toy_images[0])
    assert np.array_equal(model.predict(toy_images[0]), model.labels_)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        two = make_quick(n_clusters=1, refinement_epochs=2).fit(toy_images[0][:2])
    assert two.labels_.tolist() == [0, 0]


def test_refinement_is_told_the_sizes_that_were_found(toy_images, make_quick, monkeypatch):
    given = []
    monkeypatch.setattr(
        phases,
        "LearnedPrototypes",
        lambda *args: given.append(args) or LearnedPrototypes(*args),
    )
    X = toy_images[0][:50]
    model = make_quick(refinement_epochs=1).fit(X)
    ((_, _, proportions, _),) = given
    sizes = np.bincount(model.clusterer_.labels_)
    assert len(set(sizes)) > 1
    np.testing.assert_allclose(proportions, sizes / len(X), rtol=1e-6)


def test_refinement_of_vectors(make_quick):
    X = np.random.default_rng(0).normal(size=(60, 5))
    model = make_quick(refinement_epochs=1).fit(X)
    assert np.array_equal(model.predict(X), model.labels_)


class CountEpochs(Callback):
    """Count the epochs it sees, in its clone's class."""

    seen = []

    def on_train_begin(self, net, **kwargs):
        self.seen.append(0)

    def on_epoch_end(self, net, **kwargs):
        self.seen[-1] += 1


def test_callbacks_see_both_phases(toy_images, make_quick):
    CountEpochs.seen.clear()
    callback = CountEpochs()
    model = make_quick(callbacks=[callback, ("again", CountEpochs())]).fit(toy_images[0])
    # Two callbacks count into one list, whose last entry is the phase's.
    assert CountEpochs.seen == [0, 2 + 2, 0, 1 + 1]
    assert model.callbacks[0] is callback


def test_early_stopping_ends_a_phase_but_not_the_fit(toy_images, make_quick):
    stop = EarlyStopping(monitor="train_loss", patience=1, threshold=1e9, threshold_mode="abs")
    model = make_quick(warm_up_epochs=6, conditioning_epochs=2, callbacks=[stop])
    model.fit(toy_images[0])
    assert [row["phase"] for row in model.history_] == ["warm_up"] * 2 + ["conditioning"] * 2


def test_verbose_shows_both_phases_and_the_sweep(toy_images, make_quick, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        make_quick(verbose=1, n_clusters="elbow", clusterer=ElbowClusterer(max_clusters=4)).fit(
            toy_images[0]
        )
    shown = capsys.readouterr().err
    assert all(name in shown for name in ("warm_up", "elbow", "conditioning", "train_loss"))
    make_quick().fit(toy_images[0])
    assert capsys.readouterr() == ("", "")


def test_a_warm_start_tells_of_another_range(toy_images, make_quick):
    """The weights were trained on intensities that meant something else."""
    X = toy_images[0] / np.float32(255)
    model = make_quick(warm_start=True, warm_up_epochs=1).fit(X)
    with pytest.warns(UserWarning, match=r"Pass intensity_range=\(0.0, 1.0\) to both fits"):
        model.fit(3 * X)
    model.set_params(intensity_range=(0, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(3 * X)


def test_a_parameter_of_no_clusterer_is_refused_with_the_way_out(make_quick):
    with pytest.raises(ValueError, match=r"clusterer__max_clusters cannot be set.* is None"):
        make_quick().set_params(clusterer__max_clusters=5)
    model = make_quick().set_params(clusterer=ElbowClusterer(), clusterer__max_clusters=5)
    assert model.clusterer.max_clusters == 5


def test_warm_start_goes_on_from_the_fitted_weights(toy_images, make_quick):
    X, _ = toy_images
    model = make_quick(warm_start=True, warm_up_epochs=6).fit(X)
    before = model.history_[0]["contrastive_loss"]
    encoder = model.encoder_
    model.set_params(n_clusters=2).fit(X)
    assert model.encoder_ is encoder
    assert model.history_[0]["contrastive_loss"] < before
    assert model.n_clusters_ == 2
    assert model.decoder_.condition.in_features == 2
    with pytest.raises(ValueError, match="warm_start needs the embedding_dim"):
        model.set_params(embedding_dim=8).fit(X)
    with pytest.raises(ValueError, match="warm_start needs the shape of a sample"):
        model.set_params(embedding_dim=16).fit(np.random.RandomState(0).rand(40, 8, 8))
    with pytest.raises(ValueError, match="warm_start needs the whiten of the previous fit, False"):
        model.set_params(whiten=True).fit(X)
    model.set_params(whiten=False, warm_start=False).fit(X)
    assert model.encoder_ is not encoder


def test_an_interrupted_warm_up_keeps_what_it_had(toy_images, make_quick):
    class Interrupt(Callback):
        def on_batch_end(self, net, **kwargs):
            if len(net.history) == 2:
                raise KeyboardInterrupt

    X, _ = toy_images
    with pytest.warns(ConvergenceWarning, match="after 1 of 2 epochs of the phase 'refinement'"):
        model = make_quick(warm_up_epochs=1, refinement_epochs=2, callbacks=[Interrupt()]).fit(X)
    assert [row["phase"] for row in model.history_] == ["warm_up", "refinement"]
    assert np.array_equal(model.predict(X), model.labels_)
    assert model.interrupted_
    with pytest.warns(ConvergenceWarning, match="after 1 of 2 epochs of the phase 'warm_up'"):
        model = make_quick(callbacks=[Interrupt()]).fit(X)
    assert model.n_iter_ == 1
    assert np.array_equal(model.predict(X), model.labels_)
    assert model.decode_prototypes().shape == (3, 16, 16)


def test_an_interrupt_between_epochs_is_one(toy_images, make_quick, monkeypatch):
    def stop(self, net, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(watchers.StopOnNaN, "on_epoch_end", stop)
    with pytest.warns(ConvergenceWarning, match="after 1 of 2 epochs of the phase 'warm_up'"):
        model = make_quick().fit(toy_images[0])
    assert model.interrupted_
    assert {row["phase"] for row in model.history_} == {"warm_up"}


def test_a_ctrl_c_that_a_handler_takes_interrupts_nothing(toy_images, make_quick):
    class CtrlC(Callback):
        def on_epoch_end(self, net, **kwargs):
            signal.raise_signal(signal.SIGINT)

    taken = []
    before = signal.signal(signal.SIGINT, lambda *args: taken.append(args))
    try:
        model = make_quick(callbacks=[CtrlC()]).fit(toy_images[0])
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(taken) == model.n_iter_ == 3
    assert not model.interrupted_


def test_an_interrupted_search_leaves_no_clusters_of_other_networks(toy_images, make_quick):
    class Interrupted(KMeans):
        def fit_predict(self, X, y=None):
            raise KeyboardInterrupt

    X, _ = toy_images
    model = make_quick(warm_start=True).fit(X)
    with pytest.raises(KeyboardInterrupt):
        model.set_params(clusterer=Interrupted()).fit(X)
    with pytest.raises(NotFittedError):
        model.predict(X)
    with pytest.raises(NotFittedError):
        model.get_feature_names_out()
    encoder = model.encoder_
    model.set_params(clusterer=None).fit(X)  # the weights are there: nothing is lost
    assert model.encoder_ is encoder
    assert not model.interrupted_


def embedding_of(model, X):
    return clone_fitted(model).set_params(output="embedding").transform(X)


def clone_fitted(model):
    return pickle.loads(pickle.dumps(model))


@pytest.mark.parametrize("whiten", [False, True])
def test_clusters_are_found_anew_without_training(toy_images, make_quick, whiten):
    X, _ = toy_images
    model = make_quick(whiten=whiten).fit(X)
    embedding, history = embedding_of(model, X), list(model.history_)
    assert model.set_params(n_clusters=2).recluster(X[:60]) is model
    assert np.array_equal(embedding_of(model, X), embedding)
    assert list(model.history_) == history
    assert model.n_clusters_ == len(model.cluster_centers_) == 2
    assert np.array_equal(model.predict(X[:60]), model.labels_)
    assert len(model.clustered_indices_) == 60
    assert model.decoder_.condition is None  # it was that of other clusters
    assert model.decode_prototypes().shape == (2, 16, 16)
    assert not model.interrupted_
    model.set_params(n_clusters="auto", clusterer=AgglomerativeClustering(4)).recluster(X)
    assert model.n_clusters_ == model.clusterer_.n_clusters_ == 4
    model.set_params(clusterer=MixtureClusterer(3), assignment="clusterer").recluster(X)
    assert np.array_equal(model.predict_proba(X).argmax(axis=1), model.labels_)


class Failing(KMeans):
    """A clusterer that raises what it is told."""

    def __init__(self, n_clusters=3, error=KeyboardInterrupt):
        super().__init__(n_clusters)
        self.error = error

    def fit_predict(self, X, y=None):
        raise self.error


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
@pytest.mark.parametrize("whiten", [False, True])
def test_a_search_that_fails_loses_no_training(toy_images, make_quick, error, whiten):
    X, _ = toy_images
    params = {"warm_up_epochs": 3, "whiten": whiten}
    model = make_quick(clusterer=Failing(error=error), **params)
    with pytest.raises(error) as raised:
        model.fit(X)
    assert "call recluster(X)" in raised.value.__notes__[0]
    model.set_params(clusterer=None).recluster(X)
    assert model.interrupted_  # phase two was left out
    whole = make_quick(**params).fit(X)
    assert np.array_equal(embedding_of(model, X), embedding_of(whole, X))
    assert adjusted_rand_score(model.labels_, whole.labels_) > 0.9
    assert model.n_iter_ == 3
    assert np.array_equal(model.predict(X), model.labels_)


@pytest.mark.parametrize("params", [{"clusterer": Failing()}, {"n_clusters": 97}])
def test_clustering_anew_that_fails_leaves_the_model(fitted, toy_images, params):
    X, _ = toy_images
    model = clone_fitted(fitted).set_params(**params)
    with pytest.raises((KeyboardInterrupt, ValueError)):
        model.recluster(X)
    assert np.array_equal(model.predict(X), fitted.labels_)
    assert np.array_equal(model.decode_prototypes(), fitted.decode_prototypes())


def test_nothing_that_was_not_trained_is_clustered(toy_images, make_quick):
    class Fail(Callback):
        def on_epoch_end(self, net, **kwargs):
            raise RuntimeError

    X, _ = toy_images
    with pytest.raises(NotFittedError, match="Call fit first"):
        make_quick().recluster(X)
    model = make_quick(whiten=True, callbacks=[Fail()])
    with pytest.raises(RuntimeError) as raised:
        model.fit(X)
    assert not any("recluster" in note for note in getattr(raised.value, "__notes__", []))
    with pytest.raises(NotFittedError, match="Call fit first"):
        model.recluster(X)
    with pytest.raises(ValueError, match="at least 2 samples"):
        make_quick(warm_up_epochs=1, conditioning_epochs=0).fit(X).recluster(X[:1])


class Backwards(KMeans):
    """KMeans whose clusters are numbered from the last one on."""

    def fit_predict(self, X, y=None):
        self.labels_ = self.n_clusters - 1 - self.fit(X).labels_
        return self.labels_


@pytest.mark.parametrize("n_clusters", [3, 4])
@pytest.mark.parametrize("way", ["fit", "recluster"])
def test_groups_keep_their_numbers_as_images_come_in(toy_images, make_quick, n_clusters, way):
    X, _ = toy_images
    model = make_quick(clusterer=KMeans(n_init=5, random_state=0), warm_start=True).fit(X[:64])
    before = model.labels_
    clusterer = Backwards(n_init=5, random_state=0)
    model.set_params(clusterer=clusterer, n_clusters=n_clusters, warm_up_epochs=1)
    getattr(model, way)(X)
    after = model.labels_
    assert len(after) == 96
    assert np.array_equal(model.predict(X), after)
    shared = confusion_matrix(before, after[:64])[:3]
    best = shared[linear_sum_assignment(shared, maximize=True)].sum()
    assert np.trace(shared) == best  # no other numbers agree better
    if model.decoder_.condition is not None:
        assert model.decoder_.condition.in_features == n_clusters
    typical = model.transform(X)[np.arange(96), after]  # prototypes and means, too, are renumbered
    assert (typical == model.transform(X).max(axis=1)).all()
    cosines = normalize(model.embedding_means_) @ model.cluster_centers_.T
    assert (cosines.argmax(axis=1) == np.arange(n_clusters)).all()


def test_groups_of_a_posterior_keep_their_numbers(toy_images, make_quick):
    X, _ = toy_images
    params = {"clusterer": MixtureClusterer(random_state=0), "assignment": "clusterer"}
    model = make_quick(**params, conditioning_epochs=0).fit(X[:64])
    before = model.labels_
    model.set_params(clusterer=MixtureClusterer(random_state=1)).recluster(X)
    shared = confusion_matrix(before, model.labels_[:64])
    assert np.trace(shared) == shared[linear_sum_assignment(shared, maximize=True)].sum()
    assert np.array_equal(model.predict(X), model.labels_)


def test_bfloat16_trains_about_the_same(fitted, toy_images, make_quick):
    X, _ = toy_images
    exact, fast = fitted, make_quick(precision="bfloat16").fit(X)
    assert not np.array_equal(exact.cluster_centers_, fast.cluster_centers_)
    first, second = exact.history_[-1]["train_loss"], fast.history_[-1]["train_loss"]
    assert second == pytest.approx(first, rel=0.1)
    assert fast.set_params(output="embedding").transform(X).dtype == np.float32


# ---- What may not be passed ----


def images(n=20, size=16):
    return np.random.RandomState(0).rand(n, size, size)


def with_value(value):
    X = images()
    X[3, 4, 5] = value
    return X


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (with_value(np.nan), ValueError, "X contains NaN"),
        (with_value(np.inf), ValueError, "X contains infinity"),
        (images()[:0], ValueError, "0 sample"),
        (images()[:1], ValueError, "1 sample"),
        (np.full((20, 16, 16), 3.0), ValueError, "X must hold images that differ"),
        (images().astype(object), TypeError, "X must hold numbers, got dtype object"),
        (images().astype(str), TypeError, "X must hold numbers"),
        (images()[0, 0], ValueError, "Expected 2D array"),
        (np.zeros((4, 1, 1, 16, 16)), ValueError, "2 to 4 dimensions, got 5.* Pass slices"),
        (np.random.rand(4, 32, 32, 32), ValueError, "pass spatial_dims=3, or slices"),
        (["a.png", "b.png"], TypeError, "got text such as 'a.png'. Read the files"),
        ("images", TypeError, "got the text 'images'"),
        (
            [np.zeros((8, 8)), np.zeros((9, 9))],
            ValueError,
            "same shape and type.* Resize, crop",
        ),
        (images(size=7), ValueError, "sides of 8 to 512 pixels, got 7 x 7"),
        (np.random.rand(4, 3, 28, 3), ValueError, "Both the first and the last"),
    ],
)
def test_bad_images(make_quick, X, error, message):
    with pytest.raises(error, match=message):
        make_quick(n_clusters=2).fit(X)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_clusters": 0}, "n_clusters"),
        ({"n_clusters": 21}, "n_clusters must be at most n_samples=20, got 21"),
        ({"n_clusters": "knee"}, "n_clusters"),
        ({"clusterer": ElbowClusterer(max_clusters=1)}, "max_clusters"),
        ({"temperature": 0}, "temperature"),
        ({"temperature": -1.0}, "temperature"),
        ({"assignment_temperature": 0.0}, "assignment_temperature"),
        ({"assignment_temperature": 1e-46}, "assignment_temperature"),  # 0 in float32
        ({"reconstruction_weight": -0.1}, "reconstruction_weight"),
        ({"warm_up_epochs": 0}, "warm_up_epochs"),
        ({"conditioning_epochs": -1}, "conditioning_epochs"),
        ({"batch_size": 1}, "batch_size"),
        ({"optimizer": "sgd"}, "optimizer"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"augmentation": "chest"}, "augmentation"),
        ({"augmentation": "vector"}, "augmentation must fit images, got 'vector'"),
        ({"encoder": "resnet"}, "encoder"),
        ({"clusterer": "kmeans"}, "clusterer"),
        ({"clusterer": HDBSCAN(), "n_clusters": 3}, "n_clusters must be 'elbow' or 'auto'"),
        ({"assignment": "kmeans"}, "assignment"),
        ({"assignment": "clusterer"}, "needs a clusterer with predict_proba, got clusterer=None"),
        ({"assignment": "clusterer", "clusterer": HDBSCAN(), "n_clusters": "auto"}, "HDBSCAN"),
        (
            {"assignment": "clusterer", "n_clusters": "auto", "refinement_epochs": 1},
            "assignment must be 'cosine' with refinement_epochs > 0",
        ),
        ({"refinement_epochs": -1}, "refinement_epochs"),
        ({"whiten": True, "variational": True}, "whiten must be False with variational"),
        (
            {"refinement_epochs": 1, "variational": True},
            "refinement_epochs must be 0 with variational",
        ),
        ({"n_clusters": "auto", "clusterer": KMeans(21)}, "n_clusters must be at most n_samples"),
        ({"image_shape": (15, 15)}, "image_shape"),
        ({"intensity_range": (1, 0)}, "intensity_range"),
        ({"output": "labels"}, "output"),
        ({"precision": "float16"}, "precision"),
        ({"device": 3}, "device"),
        ({"device": "abacus"}, "device must be"),
        ({"device": "cuda:99"}, "device must be"),
        ({"clusterer": KMeans(n_init=-1)}, "n_init"),
        ({"callbacks": "bar"}, "callbacks"),
    ],
)
def test_bad_parameters_are_named_before_training(make_quick, params, message, monkeypatch):
    def train(*args):
        raise AssertionError("training started")

    monkeypatch.setattr(trainer.Trainer, "run", train)
    with pytest.raises(ValueError, match=message):
        make_quick(**{"n_clusters": 2, **params}).fit(images())


def test_the_default_views_are_those_of_what_is_passed(make_quick):
    vectors = np.random.RandomState(0).rand(30, 5)
    assert_equal_bits(
        make_quick(augmentation="paper").fit(vectors),
        make_quick(augmentation="vector").fit(vectors),
    )


@pytest.mark.parametrize("augmentation", ["xray", ImageViews()])
def test_views_of_images_are_none_of_vectors(make_quick, augmentation):
    with pytest.raises(ValueError, match="augmentation must fit vectors, got"):
        make_quick(augmentation=augmentation).fit(np.random.RandomState(0).rand(30, 5))


def test_views_by_name_and_by_value_are_the_same(fitted, toy_images, make_quick):
    assert_equal_bits(fitted, make_quick(augmentation=ImageViews()).fit(toy_images[0]))


@pytest.mark.parametrize("own", [lambda batch: batch[:, :, :8], lambda batch: None])
def test_own_views_of_another_shape(toy_images, make_quick, own):
    with pytest.raises(ValueError, match=r"augmentation must return .* \(32, 1, 16, 16\), got"):
        make_quick(augmentation=own).fit(toy_images[0])


def test_own_views_of_another_type(toy_images, make_quick):
    X, _ = toy_images
    plain = make_quick(augmentation=lambda batch: batch.flip(3)).fit(X)
    double = make_quick(augmentation=lambda batch: batch.flip(3).double()).fit(X)
    assert_equal_bits(double, plain)
    with pytest.raises(ValueError, match=r"augmentation must return floats.* got torch.uint8"):
        make_quick(augmentation=lambda batch: (255 * batch).byte()).fit(X)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"augmentation": ImageViews}, r"class ImageViews. Pass ImageViews\(\)"),
        ({"clusterer": KMeans}, "class"),
        ({"callbacks": ["bar"]}, "callbacks must be skorch"),
        ({"callbacks": [("bar",)]}, "callbacks must be skorch"),
    ],
)
def test_things_of_the_wrong_type(make_quick, params, message):
    with pytest.raises(TypeError, match=message):
        make_quick(**params).fit(images())


def test_few_samples_or_small_batches_warn(make_quick):
    with pytest.warns(UserWarning, match=r"A batch of 8 samples leaves .* 14 negatives"):
        make_quick(n_clusters=2, batch_size=8, warm_up_epochs=1).fit(images())
    with pytest.warns(UserWarning, match="A batch of 12 samples") as warned:
        make_quick(n_clusters=2, warm_up_epochs=1).fit(images(12))
    assert warned[0].filename == __file__  # where fit is called


def test_collapse_warns(make_quick):
    X = np.concatenate([images(1).repeat(99, axis=0), images(2)[1:]])
    with pytest.warns(ConvergenceWarning, match="One cluster contains 99.0%"):
        make_quick(n_clusters=2, augmentation=lambda batch: batch).fit(X)


def test_nan_stops_the_fit_at_its_step(toy_images, make_quick):
    with pytest.raises(ValueError, match=r"NaN or infinite in epoch 1.*Lower learning_rate"):
        make_quick(augmentation=lambda batch: batch * torch.nan).fit(toy_images[0])


class Spoil(Callback):
    """Turn a weight into NaN in epoch 2 of a phase; remember the weights after epoch 1."""

    good = {}

    def __init__(self, event, module_type):
        self.event = event
        self.module_type = module_type

    def spoil(self, net, event):
        is_phase = type(net.module_) is self.module_type
        if is_phase and event == self.event and len(net.history) == 2:
            next(net.module_.parameters()).data.view(-1)[0] = torch.nan

    def on_epoch_begin(self, net, **kwargs):
        self.spoil(net, "epoch_begin")

    def on_batch_end(self, net, **kwargs):
        self.spoil(net, "batch_end")

    def on_epoch_end(self, net, **kwargs):
        self.good[type(net.module_)] = copy.deepcopy(net.module_.state_dict())


@pytest.mark.parametrize(("event", "what"), [("epoch_begin", "loss"), ("batch_end", "weights")])
@pytest.mark.parametrize("module_type", [phases.ContrastiveAutoencoder, ConditionalDecoder])
def test_nan_restores_the_epoch_before(toy_images, make_quick, event, what, module_type):
    """That of the last step, too, after which the loss was still a number."""
    X, _ = toy_images
    model = make_quick(batch_size=96, conditioning_epochs=2, callbacks=[Spoil(event, module_type)])
    with pytest.raises(ValueError, match=f"The {what} became NaN or infinite in epoch 2 of this"):
        model.fit(X)
    with pytest.raises(NotFittedError):
        model.predict(X)
    good = {key.removeprefix("decoder."): x for key, x in Spoil.good[module_type].items()}
    restored = model.decoder_.state_dict()
    assert restored.keys() <= good.keys()
    assert all(torch.equal(restored[key], good[key]) for key in restored)
    calmer = model.set_params(callbacks=None, warm_start=True, learning_rate=1e-4).fit(X)
    assert np.isfinite(calmer.decode_prototypes()).all()


def test_a_decoder_without_a_part_in_the_loss_stays_as_it_starts(toy_images, make_quick):
    X, _ = toy_images
    params = {"optimizer": "lars", "reconstruction_weight": 0, "conditioning_epochs": 0}
    one, many = (make_quick(**params, warm_up_epochs=n).fit(X) for n in (1, 30))
    start, end = states(one), states(many)
    for name in (name for name in start if name.startswith("decoder_")):
        np.testing.assert_allclose(end[name], start[name], rtol=1e-3, err_msg=name)


def test_clone_and_repr(make_quick):
    model = make_quick(temperature=0.3)
    assert clone(model).get_params() == model.get_params()
    assert "temperature=0.3" in repr(model)


def test_embeddings_that_overflow_are_named(toy_images, make_quick):
    with pytest.raises(ValueError, match=r"(embedding|loss|weights) became .*Lower learning_rate"):
        make_quick(learning_rate=8.6e9, warm_up_epochs=1).fit(toy_images[0])


def test_embeddings_that_overflow_are_not_whitened(toy_images, make_quick, monkeypatch):
    model = make_quick(whiten=True)
    monkeypatch.setattr(type(model), "_embed", lambda self, X: np.full((len(X), 16), np.inf))
    with pytest.raises(ValueError, match=r"The embedding became .*Lower learning_rate"):
        model.fit(toy_images[0])
    assert all(np.isfinite(weights).all() for weights in states(model).values())


def test_a_refused_fit_leaves_no_model(make_quick):
    X = np.random.RandomState(0).normal(size=(60, 5))
    model = make_quick(warm_up_epochs=1, conditioning_epochs=0).fit(X)
    with pytest.raises(ValueError, match="n_clusters must be at most n_samples=40"):
        model.set_params(n_clusters=50).fit(100 * X[:40])
    with pytest.raises(NotFittedError):  # of weights and a scale that do not belong together
        model.predict(X)


def test_nan_in_the_refinement_names_what_acts_there(toy_images, make_quick):
    model = make_quick(
        batch_size=96, refinement_epochs=3, callbacks=[Spoil("epoch_begin", LearnedPrototypes)]
    )
    with pytest.raises(ValueError, match=r"became NaN .*Raise assignment_temperature, or pass"):
        model.fit(toy_images[0])


def test_the_callers_default_device_changes_nothing(toy_images, make_quick):
    X, _ = toy_images
    expected = make_quick(
        n_clusters="elbow", clusterer=ElbowClusterer(max_clusters=4), refinement_epochs=1
    ).fit(X)
    with default_device("meta"):
        model = clone(expected).fit(X)
        score = model.score(X)
    assert_equal_bits(model, expected)
    assert score == expected.score(X)


def test_another_default_dtype_is_refused(toy_images, make_quick):
    try:
        torch.set_default_dtype(torch.float64)
        with pytest.raises(ValueError, match=r"default dtype is torch.float64\. Call torch.set"):
            make_quick().fit(toy_images[0])
    finally:
        torch.set_default_dtype(torch.float32)


class TryTheGlobalGenerator(Callback):
    """Note whether another thread may seed torch's global generator in the meantime."""

    may = []

    def on_epoch_end(self, net, **kwargs):
        def take():
            self.may.append(random._GLOBAL_RNG.acquire(blocking=False))
            if self.may[-1]:
                random._GLOBAL_RNG.release()

        thread = threading.Thread(target=take)
        thread.start()
        thread.join()


def own_encoder(image_shape, embedding_dim):
    return UnpooledEncoder(image_shape, embedding_dim)


@pytest.mark.parametrize(("encoder", "may"), [(UnpooledEncoder, True), (own_encoder, False)])
def test_only_encoders_of_ones_own_make_other_threads_wait(toy_images, make_quick, encoder, may):
    TryTheGlobalGenerator.may.clear()
    make_quick(encoder=encoder, callbacks=[TryTheGlobalGenerator()]).fit(toy_images[0])
    assert TryTheGlobalGenerator.may == [may] * 3
