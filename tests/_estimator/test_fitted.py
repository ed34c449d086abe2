"""What a fitted model can be asked."""

import copy
import pickle
import warnings
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from fresh import run_fresh
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist
from sklearn.exceptions import NotFittedError
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import normalize

from sklearn_cae import ClusterLabelMapper, ContrastiveAutoencoderClusterer, _fitted
from sklearn_cae._grouping.gaussians import ClusterGaussians
from sklearn_cae.datasets import make_toy_images


def asking(estimator, output):
    """The same fitted model, asked for another output."""
    return copy.copy(estimator).set_params(output=output)


@pytest.fixture(scope="module")
def variational(toy_images):
    from quick import quick_clusterer

    return quick_clusterer(variational=True, warm_up_epochs=6).fit(toy_images[0])


# ---- Assigning ----


def test_no_distance_is_negative(fitted, toy_images):
    X, _ = toy_images
    model = asking(fitted, "distance")
    past_one = np.full((len(X), 3), 1 + 1e-7, dtype=np.float32)  # as rounding makes it
    model._similarity_of = lambda X: past_one
    assert model.transform(X).min() == 0


def test_the_outputs_of_transform_agree(fitted, toy_images):
    X, _ = toy_images
    embedding = asking(fitted, "embedding").transform(X)
    distance = asking(fitted, "distance").transform(X)
    projection = asking(fitted, "projection").transform(X)
    assignment = fitted.transform(X)
    cosine = normalize(embedding) @ fitted.cluster_centers_.T
    np.testing.assert_allclose(distance, 1 - cosine, atol=1e-6)
    exponential = np.exp(cosine / fitted.assignment_temperature)
    expected = exponential / exponential.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(assignment, expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(assignment, fitted.predict_proba(X))
    assert projection.shape == (96, 128)
    assert all(x.dtype == np.float32 for x in (embedding, distance, projection, assignment))


def test_predict_is_the_argmax_and_the_closest_prototype(fitted, toy_images):
    X, _ = toy_images
    labels = fitted.predict(X)
    np.testing.assert_array_equal(labels, fitted.predict_proba(X).argmax(axis=1))
    np.testing.assert_array_equal(labels, asking(fitted, "distance").transform(X).argmin(axis=1))
    np.testing.assert_allclose(fitted.predict_proba(X).sum(axis=1), 1, atol=1e-6)


def test_fit_predict_and_fit_transform(fitted, toy_images, make_quick):
    X, _ = toy_images
    np.testing.assert_array_equal(make_quick().fit_predict(X), fitted.labels_)
    np.testing.assert_array_equal(make_quick().fit_transform(X), fitted.transform(X))


@settings(max_examples=25, deadline=None)
@given(batch_size=st.integers(2, 200), data=st.data())
def test_batches_and_order_change_nothing(fitted, toy_images, batch_size, data):
    X, _ = toy_images
    rows = data.draw(st.lists(st.integers(0, 95), min_size=1, max_size=40))
    whole = fitted.predict_proba(X)
    part = copy.copy(fitted).set_params(batch_size=batch_size).predict_proba(X[rows])
    np.testing.assert_allclose(part, whole[rows], rtol=1e-4, atol=1e-6)


def test_equal_bits_for_the_same_array(fitted, toy_images):
    first, again = (asking(fitted, "embedding").transform(toy_images[0]) for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_predict_from_eight_threads(fitted, toy_images):
    X, _ = toy_images
    expected = fitted.predict_proba(X)
    with ThreadPoolExecutor(8) as pool:
        for result in pool.map(fitted.predict_proba, [X] * 16):
            np.testing.assert_array_equal(result, expected)


def test_margin_is_the_distance_between_the_two_closest(fitted, toy_images):
    X, _ = toy_images
    distance = np.sort(asking(fitted, "distance").transform(X), axis=1)
    expected = distance[:, 1] - distance[:, 0]
    np.testing.assert_allclose(fitted.margin(X), expected, atol=1e-6)


def test_score_samples_is_the_old_name_of_margin(fitted, toy_images):
    X, _ = toy_images
    with pytest.warns(FutureWarning, match="margin"):
        np.testing.assert_array_equal(fitted.score_samples(X), fitted.margin(X))


def test_embed_is_the_embedding_whatever_the_output_is(fitted, toy_images):
    X, _ = toy_images
    expected = asking(fitted, "embedding").transform(X)
    np.testing.assert_array_equal(fitted.embed(X), expected)
    np.testing.assert_array_equal(asking(fitted, "distance").embed(X), expected)


def test_score_is_the_mean_simplified_silhouette(fitted, toy_images):
    X, _ = toy_images
    own, following = np.sort(asking(fitted, "distance").transform(X), axis=1)[:, :2].T
    assert fitted.score(X) == pytest.approx(np.mean((following - own) / following), rel=1e-4)


def test_representatives_are_the_members_closest_to_their_prototype(fitted, toy_images):
    X, _ = toy_images
    distance, labels = asking(fitted, "distance").transform(X), fitted.predict(X)
    found = fitted.representatives(X, 4)
    assert len(found) == 3
    for label, indices in enumerate(found):
        members = np.flatnonzero(labels == label)
        assert set(indices) <= set(members)
        typical = np.sort(distance[members, label])[: len(indices)]
        np.testing.assert_array_equal(distance[indices, label], typical)
        assert len(indices) == min(4, len(members))
    only_first = X[labels == 0]
    assert [len(indices) for indices in fitted.representatives(only_first, 2)] == [2, 0, 0]


def test_feature_names_and_set_output(fitted, toy_images):
    X, _ = toy_images
    for output, width in {
        "soft_assignment": 3,
        "distance": 3,
        "embedding": 16,
        "projection": 128,
    }.items():
        names = asking(fitted, output).get_feature_names_out()
        assert names.tolist() == [f"contrastiveautoencoderclusterer{i}" for i in range(width)]
    frame = copy.deepcopy(fitted).set_output(transform="pandas").transform(X)
    assert list(frame.columns) == [f"contrastiveautoencoderclusterer{i}" for i in range(3)]


# ---- Decoding ----


def test_decoding_comes_back_in_shape_and_scale(fitted, toy_images):
    X, _ = toy_images
    reconstruction = fitted.reconstruct(X)
    assert reconstruction.shape == X.shape
    assert reconstruction.dtype == np.float32
    assert 0 <= reconstruction.min() <= reconstruction.max() <= 255
    embedding = asking(fitted, "embedding").transform(X)
    np.testing.assert_array_equal(fitted.decode(embedding), reconstruction)
    np.testing.assert_allclose(fitted.decode(embedding.tolist()), reconstruction, atol=1e-3)


def test_reconstructions_resemble_their_images(make_quick):
    X = make_toy_images(100, n_classes=3, image_size=16, random_state=0, return_X_y=True)[0]
    model = make_quick(
        warm_up_epochs=20,
        conditioning_epochs=10,
        batch_size=16,
        reconstruction_weight=10,
        augmentation="xray",
        learning_rate=3e-3,
    ).fit(X)
    error = np.mean((model.reconstruct(X) - X) ** 2)
    assert error < 0.3 * np.mean((X - X.mean(axis=0)) ** 2)


def test_prototypes_are_the_decoded_mean_embeddings(fitted):
    prototypes = fitted.decode_prototypes()
    assert prototypes.shape == (3, 16, 16)
    np.testing.assert_array_equal(prototypes, fitted.decode(fitted.embedding_means_))


def test_inverse_transform_is_there_for_embeddings_alone(fitted):
    assert not hasattr(fitted, "inverse_transform")
    with pytest.raises(AttributeError):
        _ = fitted.inverse_transform
    asked = asking(fitted, "embedding")
    np.testing.assert_array_equal(
        asked.inverse_transform(fitted.embedding_means_), fitted.decode_prototypes()
    )


def test_samples_come_as_from_a_gaussian_mixture(fitted):
    X, labels = fitted.sample(20, random_state=0)
    assert X.shape == (20, 16, 16)
    assert (np.diff(labels) >= 0).all()
    again, _ = fitted.sample(20, random_state=0)
    np.testing.assert_array_equal(X, again)
    assert not np.array_equal(X, fitted.sample(20, random_state=1)[0])
    assert not np.array_equal(fitted.sample(2)[0], fitted.sample(2)[0])
    _, of_one = fitted.sample(5, cluster=2)
    assert of_one.tolist() == [2] * 5
    _, many = fitted.sample(3000, random_state=0)
    sizes = np.bincount(fitted.labels_) / 96
    np.testing.assert_allclose(np.bincount(many, minlength=3) / 3000, sizes, atol=0.04)


def drawn_embeddings(estimator, monkeypatch, **how):
    """What `sample` gives to the decoder."""
    with monkeypatch.context() as patch:
        patch.setattr(type(estimator), "decode", lambda self, embedding: embedding)
        return estimator.sample(random_state=0, **how)[0]


def test_embeddings_are_drawn_from_their_clusters_gaussian(fitted, monkeypatch):
    monkeypatch.setattr(_fitted, "_REDRAWS", 0)
    drawn = drawn_embeddings(fitted, monkeypatch, n_samples=4000, cluster=1)
    covariance = fitted.embedding_covariances_[1]
    scale = np.sqrt(np.diag(covariance)).max()
    np.testing.assert_allclose(drawn.mean(axis=0), fitted.embedding_means_[1], atol=0.1 * scale)
    np.testing.assert_allclose(np.cov(drawn.T), covariance, atol=0.1 * scale**2)


def test_strays_are_drawn_again(fitted, monkeypatch):
    wide = copy.copy(fitted)
    wide._keep(gaussians=ClusterGaussians.from_covariances(9 * fitted.embedding_covariances_))

    def share_of_strays():
        drawn = drawn_embeddings(wide, monkeypatch, n_samples=500, cluster=1)
        return ((normalize(drawn) @ fitted.cluster_centers_.T).argmax(axis=1) != 1).mean()

    assert share_of_strays() < 0.01
    monkeypatch.setattr(_fitted, "_REDRAWS", 0)
    assert share_of_strays() > 0.1


def test_a_variational_model_adds_its_posteriors_variance(variational, toy_images):
    embedding = asking(variational, "embedding").transform(toy_images[0])
    with torch.no_grad():
        log_variance = variational.log_variance_head_(torch.from_numpy(embedding)).numpy()
    for label in range(variational.n_clusters_):
        members = variational.labels_ == label
        diagonal = np.diag(variational.embedding_covariances_[label])
        assert (diagonal >= np.exp(log_variance[members]).mean(axis=0) * (1 - 1e-5)).all()
    assert "kl_loss" in variational.history_[0]
    # transform uses the mean: no noise in it
    np.testing.assert_array_equal(
        embedding, asking(variational, "embedding").transform(toy_images[0])
    )


def check_samples(model, X, y, real_images, spread):
    """Samples are classified as the images of their cluster are, and are spread like these."""

    def as_rows(images):
        return images.reshape(len(images), -1) / 255.0

    knn = KNeighborsClassifier(5).fit(as_rows(X), y)
    mapping = ClusterLabelMapper().fit(model.predict_proba(X), y).mapping_
    labels = model.predict(real_images)
    for cluster, label in enumerate(mapping):
        real = as_rows(real_images[labels == cluster])
        drawn = as_rows(model.sample(1000, cluster=cluster, random_state=0)[0])
        share_of_real = (knn.predict(real) == label).mean()
        assert (knn.predict(drawn) == label).mean() >= share_of_real - 0.05
        assert pdist(drawn).mean() >= spread * pdist(real).mean()


@pytest.mark.parametrize("variational_setting", [False, True])
def test_samples_of_shapes_look_like_their_cluster_and_differ(make_quick, variational_setting):
    """The quick twin of the slow test below."""
    X, y = make_toy_images(150, noise=0, random_state=0, return_X_y=True)
    model = make_quick(
        warm_up_epochs=10,
        conditioning_epochs=12,
        learning_rate=3e-3,
        reconstruction_weight=10,
        augmentation="xray",
        variational=variational_setting,
    ).fit(X)
    check_samples(model, X, y, X, spread=0.4)


@pytest.mark.slow
@pytest.mark.parametrize("variational_setting", [False, True])
def test_samples_look_like_their_cluster_and_differ(pneumonia, make_quick, variational_setting):
    """A short training; benchmarks.quality.table1 judges the samples of a full one."""
    (X, y), (held_back, _) = pneumonia["train"], pneumonia["test"]
    model = make_quick(
        n_clusters=4,
        warm_up_epochs=20,
        conditioning_epochs=15,
        embedding_dim=64,
        batch_size=128,
        learning_rate=3e-3,
        reconstruction_weight=10,
        augmentation="xray",
        variational=variational_setting,
    ).fit(X[:2000])
    check_samples(model, X, y, held_back, spread=0.5)


def test_samples_of_integers_are_predicted_once_they_are_rounded(fitted, toy_images):
    drawn, labels = fitted.sample(30, random_state=0)
    rounded = drawn.round().astype(toy_images[0].dtype)
    assert fitted.predict(rounded).shape == labels.shape
    with pytest.raises(ValueError, match="integer"):
        fitted.predict(drawn)


# ---- Life as a file ----


def test_round_trips_bit_for_bit(fitted, toy_images):
    """By pickle; the tests below go by joblib."""
    X, _ = toy_images
    loaded = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(loaded.predict_proba(X), fitted.predict_proba(X))
    np.testing.assert_array_equal(loaded.reconstruct(X), fitted.reconstruct(X))
    for drawn, expected in zip(
        loaded.sample(4, random_state=0), fitted.sample(4, random_state=0), strict=True
    ):
        np.testing.assert_array_equal(drawn, expected)


def test_loads_in_a_fresh_process(fitted, toy_images, tmp_path):
    X, _ = toy_images
    joblib.dump((fitted, X), tmp_path / "model.joblib")
    code = (
        "import sys, joblib; model, X = joblib.load(sys.argv[1]); print(model.predict(X).tolist())"
    )
    printed = run_fresh(code, tmp_path / "model.joblib")
    assert printed.strip() == str(fitted.labels_.tolist())


def test_the_file_holds_weights_labels_and_statistics_and_little_else(make_quick):
    """At the default widths, where the weights are what a file is made of."""
    X = make_toy_images(100, image_size=28, random_state=0, return_X_y=True)[0]
    model = make_quick(embedding_dim=128, warm_up_epochs=1, conditioning_epochs=1).fit(X)
    networks = (model.encoder_, model.projection_head_, model.decoder_)
    weights = sum(
        tensor.numel() * tensor.element_size()
        for network in networks
        for tensor in network.state_dict().values()
    )
    arrays = (
        model.labels_,
        model.cluster_centers_,
        model.embedding_means_,
        model.embedding_covariances_,
    )
    needed = weights + sum(array.nbytes for array in arrays)
    assert len(pickle.dumps(model)) <= 1.05 * needed


def test_a_network_that_is_being_moved_is_not_there_yet():
    halfway = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2, device="meta"))
    assert not _fitted._is_on(halfway, torch.device("cpu"))
    assert _fitted._is_on(halfway[0], torch.device("cpu"))


def test_networks_are_moved_to_the_cpu_before_they_are_pickled(fitted, monkeypatch):
    class OnAnotherDevice(torch.nn.Linear):
        def cpu(self):
            moved.append(self)
            return super().cpu()

    moved = []
    monkeypatch.setattr(
        _fitted, "_is_on", lambda network, device: not isinstance(network, OnAnotherDevice)
    )
    model = copy.copy(fitted)
    model.projection_head_ = OnAnotherDevice(2, 2)
    state = model.__getstate__()
    assert moved == [state["projection_head_"]]
    assert moved[0] is not model.projection_head_  # which stays where it is
    assert state["encoder_"] is fitted.encoder_  # a shallow copy shares what can be shared


# ---- What may not be asked ----

METHODS = {
    "predict": "X",
    "predict_proba": "X",
    "transform": "X",
    "margin": "X",
    "embed": "X",
    "score": "X",
    "representatives": "X",
    "reconstruct": "X",
    "decode": "embedding",
    "decode_prototypes": None,
    "sample": None,
}


def test_a_failed_fit_leaves_no_model(toy_images, make_quick):
    model = make_quick(n_clusters=500)
    with pytest.raises(ValueError, match="n_clusters"):
        model.fit(toy_images[0])
    with pytest.raises(NotFittedError):
        model.predict(toy_images[0])


def test_parameters_set_after_fit_are_checked(fitted, toy_images):
    with pytest.raises(ValueError, match="output"):
        asking(fitted, "embeding").transform(toy_images[0])
    for params in ({"assignment_temperature": 0}, {"batch_size": 0}):
        changed = copy.copy(fitted).set_params(**params)
        for ask in (changed.decode_prototypes, changed.sample):
            with pytest.raises(ValueError, match=f"The '{next(iter(params))}' parameter"):
                ask()


def test_no_temperature_changes_a_cluster(fitted, toy_images):
    hot = copy.copy(fitted).set_params(assignment_temperature=1e9)
    np.testing.assert_array_equal(hot.predict(toy_images[0]), fitted.labels_)
    for found, expected in zip(
        hot.representatives(toy_images[0]), fitted.representatives(toy_images[0]), strict=True
    ):
        np.testing.assert_array_equal(found, expected)


def test_embeddings_are_decoded_in_any_form(fitted, toy_images):
    embedding = asking(fitted, "embedding").transform(toy_images[0])
    expected = fitted.decode(embedding)
    read_only = embedding.copy()
    read_only.setflags(write=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(fitted.decode(read_only), expected)
        np.testing.assert_array_equal(fitted.decode(pd.DataFrame(embedding)), expected)
        tensor = torch.tensor(embedding, requires_grad=True)
        np.testing.assert_array_equal(fitted.decode(tensor), expected)
        backwards = fitted.decode(embedding[::-1])  # other batches
    np.testing.assert_allclose(backwards, expected[::-1], rtol=1e-4, atol=1e-3)


def test_a_model_mapped_from_the_disk_predicts_quietly(fitted, toy_images, tmp_path):
    joblib.dump(fitted, tmp_path / "model.joblib")
    loaded = joblib.load(tmp_path / "model.joblib", mmap_mode="r")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(loaded.predict(toy_images[0]), fitted.labels_)


@pytest.mark.parametrize("method", METHODS)
def test_unfitted_use(method, toy_images):
    arguments = [] if METHODS[method] is None else [toy_images[0]]
    with pytest.raises(NotFittedError):
        getattr(ContrastiveAutoencoderClusterer(), method)(*arguments)


@pytest.mark.parametrize("method", [name for name, takes in METHODS.items() if takes == "X"])
@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros((2, 28, 28), dtype=np.uint8), r"images of shape \(16, 16\) as in fit, got \(28"),
        (np.zeros((2, 256), dtype=np.uint8), r"images of shape \(16, 16\) as in fit, got \(256"),
        (np.zeros((2, 16, 16)), "must hold integer images as in fit, got float"),
    ],
)
def test_images_of_another_kind(fitted, method, X, message):
    with pytest.raises(ValueError, match=message):
        getattr(fitted, method)(X)


def test_integers_where_floats_were_fitted(make_quick, toy_images):
    X = toy_images[0] / 255.0
    model = make_quick(warm_up_epochs=1).fit(X)
    with pytest.raises(ValueError, match="must hold float images as in fit, got integer"):
        model.predict(toy_images[0])
    with pytest.raises(ValueError, match="NaN"):
        model.predict(np.full((1, 16, 16), np.nan))
    brighter = X[:3] + 0.5
    with pytest.warns(UserWarning, match="outside the intensity_range_"):
        clipped = model.predict_proba(brighter)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        expected = model.predict_proba(brighter.clip(*model.intensity_range_))
    np.testing.assert_array_equal(clipped, expected)


def test_integer_vectors_convert_as_in_scikit_learn(make_quick):
    X = np.random.RandomState(0).randint(0, 9, (60, 4))
    model = make_quick(warm_up_epochs=1).fit(X.astype(float))
    np.testing.assert_array_equal(model.predict(X), model.labels_)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda m: m.sample(0), ValueError, "n_samples"),
        (lambda m: m.sample(2.5), TypeError, "n_samples"),
        (lambda m: m.sample(2, cluster=3), ValueError, "cluster"),
        (lambda m: m.sample(2, cluster=-1), ValueError, "cluster"),
        (lambda m: m.decode(np.zeros((2, 5))), ValueError, "embedding_dim=16 columns, got 5"),
        (lambda m: m.decode(np.full((2, 16), np.nan)), ValueError, "embedding contains NaN"),
        (lambda m: m.representatives(np.zeros((2, 16, 16), np.uint8), 0), ValueError, "n == 0"),
    ],
)
def test_bad_questions(fitted, call, error, message):
    with pytest.raises(error, match=message):
        call(fitted)
