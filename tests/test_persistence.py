"""Saving and loading: the same bits, and nothing else that a file may hold."""

import copy
import json
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch
from nets import default_device
from scipy import sparse
from sklearn.base import clone
from sklearn.cluster import (
    DBSCAN,
    HDBSCAN,
    OPTICS,
    AffinityPropagation,
    AgglomerativeClustering,
    Birch,
    KMeans,
    MeanShift,
    MiniBatchKMeans,
    SpectralClustering,
)
from sklearn.compose import ColumnTransformer, make_column_selector, make_column_transformer
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from skorch.callbacks import EarlyStopping
from skorch.history import History
from torch import nn

from sklearn_cae import ClusterLabelMapper, KNNProbe, LinearProbe, load, persistence, save
from sklearn_cae._input.axes import CHANNELS, VOLUME_SIDES
from sklearn_cae._storage import container
from sklearn_cae.augmentations import ImageViews
from sklearn_cae.clusterers import CommunityClusterer, ElbowClusterer, MixtureClusterer
from sklearn_cae.modules import DeepDecoder, LogScattering, UnpooledEncoder
from sklearn_cae.persistence import LoadError

FORMATS = Path(__file__).parent / "formats"
VECTORS = np.random.RandomState(0).rand(60, 5).astype(np.float32)


def own_encoder(image_shape, embedding_dim):
    return nn.Sequential(
        nn.Flatten(), nn.Linear(image_shape[1] * image_shape[2], embedding_dim), nn.Tanh()
    )


def own_decoder(image_shape, embedding_dim):
    return nn.Sequential(
        nn.Linear(embedding_dim, image_shape[1] * image_shape[2]), nn.Unflatten(1, image_shape)
    )


def own_views(batch):
    return batch + 0.01


OWN = {"encoder": own_encoder, "decoder": own_decoder, "augmentation": own_views}
MODELS = {
    "defaults": {},
    "elbow": {"n_clusters": "elbow", "clusterer": ElbowClusterer(max_clusters=5)},
    "whitened communities": {
        "n_clusters": "auto",
        "whiten": True,
        "refinement_epochs": 1,
        "encoder": UnpooledEncoder,
        "clusterer": CommunityClusterer(),
    },
    "posterior of communities": {"n_clusters": "auto", "assignment": "clusterer"},
    "posterior of a mixture": {
        "clusterer": MixtureClusterer(n_dims=3),
        "assignment": "clusterer",
    },
    "variational": {"variational": True},
    "no conditioning": {"conditioning_epochs": 0},
    "noise": {"n_clusters": "auto", "clusterer": HDBSCAN(min_cluster_size=5, copy=True)},
    "pipeline": {"clusterer": make_pipeline(StandardScaler(), KMeans(n_init=1))},
    "random state": {"random_state": np.random.RandomState(3)},
    "views": {
        "augmentation": ImageViews(degrees=5),
        "image_shape": (16, 16),
        "device": torch.device("cpu"),
    },
    "fixed": {"encoder": LogScattering, "train_encoder": False, "decoder": DeepDecoder},
    "fixed, refined": {
        "encoder": LogScattering,
        "train_encoder": False,
        "whiten": True,
        "refinement_epochs": 1,
    },
    "own": OWN,
    "own, whitened": {**OWN, "whiten": True},
}


def assert_same_answers(one, other, X):
    outputs = ["soft_assignment", "embedding", "distance"]
    for output in [*outputs, "projection"] if one.train_encoder else outputs:
        first, second = (model.set_params(output=output).transform(X) for model in (one, other))
        assert np.array_equal(first, second)
    for model in (one, other):
        model.set_params(output="soft_assignment")
    assert np.array_equal(one.predict(X), other.predict(X))
    assert np.array_equal(one.reconstruct(X), other.reconstruct(X))
    assert np.array_equal(one.sample(9, random_state=0)[0], other.sample(9, random_state=0)[0])
    assert list(one.history_) == list(other.history_)
    assert one.provenance_ == other.provenance_


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", MODELS)
def test_a_clusterer_comes_back_with_the_same_bits(tmp_path, toy_images, make_quick, name):
    X, _ = toy_images
    X = X.reshape(len(X), -1) if name == "views" else X
    model = make_quick(**{"warm_up_epochs": 1, "conditioning_epochs": 1, **MODELS[name]}).fit(X)
    save(model, tmp_path / "model")
    own = OWN if name.startswith("own") else {}
    again = load(tmp_path / "model", **own)
    save(again, tmp_path / "again")  # everything there is, bit for bit
    assert (tmp_path / "model").read_bytes() == (tmp_path / "again").read_bytes()
    assert_same_answers(model, again, X)
    # A RandomState has no words: the files that are equal hold it.
    assert repr(again.set_params(random_state=0)) == repr(model.set_params(random_state=0))
    again.set_params(warm_start=True).fit(X)  # the networks are those that fit knows


def test_vectors_and_names_of_features_come_back(tmp_path, make_quick):
    X = pd.DataFrame(VECTORS, columns=list("abcde"))
    model = make_quick().fit(X)
    save(model, tmp_path / "model")
    again = load(tmp_path / "model")
    assert_same_answers(model, again, X)
    assert again.get_feature_names_out().tolist() == model.get_feature_names_out().tolist()
    assert again.feature_names_in_.tolist() == list("abcde")


@pytest.mark.parametrize(
    "labels",
    [list("aab"), [3, 1, 1], np.array(["x", "y", ""], dtype=object), [True, False, True]],
)
def test_pipelines_come_back(tmp_path, toy_images, make_quick, labels):
    X, y = toy_images
    y = np.asarray(labels)[y]
    missing = "" if "" in labels else None
    last_steps = [ClusterLabelMapper(missing_label=missing), KNNProbe(), LogisticRegression()]
    for last in [*last_steps, make_pipeline(StandardScaler(), LinearProbe(epochs=2))]:
        frozen = FrozenEstimator(make_quick(warm_up_epochs=1, conditioning_epochs=0).fit(X))
        model = make_pipeline(frozen, clone(last)).fit(X, y)
        save(model, tmp_path / "model")
        again = load(tmp_path / "model")
        assert np.array_equal(model.predict_proba(X), again.predict_proba(X))
        assert np.array_equal(model.predict(X), again.predict(X))
        assert model.predict(X).dtype == again.predict(X).dtype


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_probes_find_the_same_neighbours(tmp_path, metric):
    y = np.arange(60) % 3
    model = KNNProbe(metric=metric).fit(VECTORS, y)
    save(model, tmp_path / "model")
    assert np.array_equal(
        load(tmp_path / "model").predict_proba(VECTORS), model.predict_proba(VECTORS)
    )


def test_what_an_estimator_holds_comes_back(tmp_path):
    y = np.array(["a", "b", "a"])[np.arange(60) % 3]
    weights = {np.str_("a"): np.float64(2), np.str_("b"): np.float64(1)}
    named = pd.DataFrame(VECTORS, columns=list("abcde"))
    for model in (
        LogisticRegression(class_weight=weights).fit(VECTORS, y),
        KNeighborsClassifier().fit(named, y),
        PCA(3, svd_solver="arpack").fit(VECTORS),
        AgglomerativeClustering(3).fit(VECTORS),
        GaussianMixture(2, covariance_type="tied", random_state=0).fit(VECTORS),
    ):
        save(model, tmp_path / "model")
        again = load(tmp_path / "model")
        X = named if hasattr(model, "feature_names_in_") else VECTORS
        for method in ("predict", "predict_proba", "transform"):
            if hasattr(model, method):
                assert np.array_equal(getattr(model, method)(X), getattr(again, method)(X))
        save(again, tmp_path / "again")
        assert (tmp_path / "model").read_bytes() == (tmp_path / "again").read_bytes()
    with pytest.raises(ValueError, match="feature names"):
        load_after_saving(KNeighborsClassifier().fit(named, y), tmp_path).predict(named[["b"]])


CLUSTERERS = [
    AffinityPropagation(random_state=0),
    AgglomerativeClustering(3, connectivity=sparse.csr_matrix(np.ones((60, 60)))),
    BayesianGaussianMixture(n_components=2, random_state=0),
    DBSCAN(eps=0.4),
    GaussianMixture(2, random_state=0),
    HDBSCAN(copy=True),
    KMeans(3, n_init=1),
    MeanShift(),
    MiniBatchKMeans(3, n_init=1),
    OPTICS(),
    SpectralClustering(3, affinity="nearest_neighbors", random_state=0),
]


@pytest.mark.parametrize("clusterer", CLUSTERERS, ids=lambda one: type(one).__name__)
def test_clusterers_come_back(tmp_path, make_quick, clusterer):
    clusterer = clone(clusterer).fit(VECTORS)
    again = load_after_saving(clusterer, tmp_path)
    if hasattr(clusterer, "predict"):
        assert np.array_equal(again.predict(VECTORS), clusterer.predict(VECTORS))
    if hasattr(clusterer, "labels_"):
        assert np.array_equal(again.labels_, clusterer.labels_)
    save(again, tmp_path / "again")
    assert (tmp_path / "model").read_bytes() == (tmp_path / "again").read_bytes()
    if hasattr(clusterer, "partial_fit"):
        for model in (clusterer, again):
            model.partial_fit(VECTORS[::-1])
        assert np.array_equal(again.predict(VECTORS), clusterer.predict(VECTORS))


@pytest.mark.parametrize("affinity", ["precomputed", "euclidean"])
def test_clusterers_of_distances_come_back(tmp_path, affinity):
    similarity = -np.square(VECTORS[:, None, 0] - VECTORS[:, 0])
    clusterer = AffinityPropagation(affinity=affinity, random_state=0).fit(similarity)
    assert np.array_equal(load_after_saving(clusterer, tmp_path).labels_, clusterer.labels_)


def add_one(X):
    return X + 1


NUMBERS = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
TABLES = {
    "by name": ColumnTransformer(
        [
            ("numbers", NUMBERS, ["age", "size"]),
            ("words", OneHotEncoder(handle_unknown="ignore"), ["site"]),
        ]
    ),
    "by type": make_column_transformer(
        (NUMBERS, make_column_selector(dtype_include=np.number)),
        (
            make_pipeline(
                SimpleImputer(strategy="constant", fill_value="none"),
                OneHotEncoder(sparse_output=False, min_frequency=2, dtype=np.float32),
            ),
            make_column_selector(dtype_exclude=["number"]),
        ),
    ),
    "by place": ColumnTransformer(
        [("numbers", SimpleImputer(), slice(0, 2)), ("none", "drop", [2])],
        remainder="passthrough",
    ),
    "own": ColumnTransformer(
        [
            ("one", FunctionTransformer(add_one, feature_names_out="one-to-one"), ["size"]),
            ("same", FunctionTransformer(feature_names_out="one-to-one"), ["age"]),
        ]
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_come_back(tmp_path, make_quick, name):
    rng = np.random.RandomState(0)
    X = pd.DataFrame({"age": rng.rand(60), "size": rng.rand(60)})
    X.loc[:5, "age"] = np.nan if name != "own" else 0
    X["site"] = np.array(["left", "right", "both"], dtype=object)[np.arange(60) % 3]
    X["years"] = rng.rand(60)
    model = make_pipeline(
        clone(TABLES[name]), make_quick(warm_up_epochs=1, conditioning_epochs=0, embedding_dim=4)
    ).fit(X)
    save(model, tmp_path / "model")
    own = {"func": add_one} if name == "own" else {}
    again = load(tmp_path / "model", **own)
    assert np.array_equal(again.predict_proba(X), model.predict_proba(X))
    assert again.get_feature_names_out().tolist() == model.get_feature_names_out().tolist()
    save(again, tmp_path / "again")
    assert (tmp_path / "model").read_bytes() == (tmp_path / "again").read_bytes()
    if own:
        with pytest.raises(LoadError, match=r"your own func, .*add_one"):
            load(tmp_path / "model")


def test_two_functions_of_one_name_are_not_saved(tmp_path):
    model = make_pipeline(FunctionTransformer(add_one), FunctionTransformer(np.abs)).fit(VECTORS)
    with pytest.raises(TypeError, match=r"func is .*, but another func is .*add_one.*joblib"):
        save(model, tmp_path / "model")


def test_sparse_matrices_are_looked_at(tmp_path):
    """Compiled code follows their indices."""
    clusterer = SpectralClustering(3, affinity="nearest_neighbors", random_state=0).fit(VECTORS)

    def lead_astray(tensors):
        tensors["SpectralClustering.affinity_matrix_.indices"][0] = 10**6

    forge(tmp_path / "model", clusterer, lead_astray)
    with pytest.raises(LoadError, match=r"ind(ices|ex values) must be <"):
        load(tmp_path / "model")


def load_after_saving(model, folder):
    save(model, folder / "model")
    return load(folder / "model")


def test_text_keeps_its_width(tmp_path):
    mapper = ClusterLabelMapper(missing_label="unknown")
    mapper.fit(np.eye(3), np.array(["a", "b", "unknown"]))
    predicted = load_after_saving(mapper, tmp_path).predict(np.eye(3))
    assert predicted.dtype == mapper.predict(np.eye(3)).dtype


def test_paths_of_this_machine_stay_here(tmp_path, toy_images, make_quick):
    model = make_quick(warm_up_epochs=1, checkpoint_dir=tmp_path / "kept").fit(toy_images[0])
    assert load_after_saving(model, tmp_path).checkpoint_dir is None
    assert str(tmp_path).encode() not in (tmp_path / "model").read_bytes()


def test_a_model_of_a_device_that_is_not_here(tmp_path, toy_images, fitted):
    model = copy.copy(fitted).set_params(device="cuda:99")
    with pytest.warns(UserWarning, match="device 'cuda:99', on which .* does not exist"):
        again = load_after_saving(model, tmp_path)
    assert again.device == "auto"
    again.set_params(device="cpu")
    np.testing.assert_array_equal(again.predict(toy_images[0]), fitted.labels_)


def test_loading_leaves_the_gpu_alone(tmp_path, fitted, monkeypatch):
    """A process that has started CUDA can fork no workers."""

    def start():
        raise AssertionError("CUDA was started")

    monkeypatch.setattr(torch.cuda, "_lazy_init", start)
    monkeypatch.setattr(torch.cuda, "is_available", start)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for device in ("auto", "cuda", "cuda:1", torch.device("cuda", 1)):
        again = load_after_saving(copy.copy(fitted).set_params(device=device), tmp_path)
        assert str(again.device) == str(device)
    with pytest.warns(UserWarning, match="'cuda:2', on which .* does not exist"):
        load_after_saving(copy.copy(fitted).set_params(device="cuda:2"), tmp_path)


def test_loading_does_not_depend_on_the_default_device(tmp_path, toy_images, make_quick):
    model = make_quick(warm_up_epochs=1, encoder=own_encoder, whiten=True).fit(toy_images[0])
    save(model, tmp_path / "model")
    with default_device("meta"):
        again = load(tmp_path / "model", encoder=own_encoder)
    np.testing.assert_array_equal(again.predict(toy_images[0]), model.labels_)


class NamedAlike(nn.Module):
    """Has a part with the name of the network that corrects a fixed encoder."""

    def __init__(self, image_shape, embedding_dim):
        super().__init__()
        self.correction = nn.Linear(image_shape[1] * image_shape[2], embedding_dim)

    def forward(self, images):
        return self.correction(images.flatten(1))


@pytest.mark.parametrize("train_encoder", [True, False])
def test_parts_of_an_own_encoder_may_have_any_name(tmp_path, toy_images, make_quick, train_encoder):
    params = {"encoder": NamedAlike, "train_encoder": train_encoder, "whiten": True}
    model = make_quick(**params, warm_up_epochs=1).fit(toy_images[0])
    save(model, tmp_path / "model")
    again = load(tmp_path / "model", encoder=NamedAlike)
    np.testing.assert_array_equal(again.predict(toy_images[0]), model.labels_)


def test_volumes_of_all_sides_can_be_loaded():
    assert persistence._MAX_FEATURES >= CHANNELS[-1] * VOLUME_SIDES[-1] ** 3


class TwoBuffers(UnpooledEncoder):
    """Has a buffer that is not in its state."""

    def __init__(self, image_shape, embedding_dim):
        super().__init__(image_shape, embedding_dim)
        self.register_buffer("scale", torch.tensor([2.0]), persistent=False)

    def forward(self, images):
        return super().forward(images) * self.scale


def test_buffers_that_are_in_no_state_are_built_again(tmp_path, toy_images, make_quick):
    X, _ = toy_images
    model = make_quick(warm_up_epochs=1, encoder=TwoBuffers).fit(X)
    save(model, tmp_path / "model")
    again = load(tmp_path / "model", encoder=TwoBuffers)
    assert_same_answers(model, again, X)


# ---- What cannot be saved, or not alone ----


def test_own_callables_are_asked_for_by_name(tmp_path, toy_images, make_quick):
    X, _ = toy_images
    save(make_quick(warm_up_epochs=1, **OWN).fit(X), tmp_path / "model")
    with pytest.raises(LoadError, match=r"your own encoder, .*\.own_encoder, .*encoder=\.\.\."):
        load(tmp_path / "model")
    with pytest.raises(LoadError, match="own augmentation"):
        load(tmp_path / "model", encoder=own_encoder, decoder=own_decoder)
    with pytest.raises(LoadError, match="weights of encoder_ do not match its network"):
        load(tmp_path / "model", **{**OWN, "encoder": UnpooledEncoder})
    with pytest.raises(TypeError, match=r"got \['views'\], but .* needs only the callables \['aug"):
        load(tmp_path / "model", **OWN, views=own_views)


def test_a_file_does_not_import_what_it_names(tmp_path, toy_images, make_quick, monkeypatch):
    monkeypatch.setattr(own_views, "__module__", "antigravity")
    save(
        make_quick(warm_up_epochs=1, augmentation=own_views).fit(toy_images[0]), tmp_path / "model"
    )
    with pytest.raises(LoadError, match=r"antigravity\.own_views"):
        load(tmp_path / "model")
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"callbacks": [EarlyStopping("train_loss")]}, r"callbacks\.0 is an instance of skorch"),
        ({"clusterer": Birch()}, r"\.clusterer is .*Birch.*joblib"),
        ({"random_state": np.random.RandomState(np.random.PCG64(0))}, "random_state is a RandomS"),
    ],
)
def test_what_cannot_be_saved_is_named(tmp_path, toy_images, make_quick, params, message):
    model = make_quick(warm_up_epochs=1, **params).fit(toy_images[0])
    with pytest.raises(TypeError, match=message):
        save(model, tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_unfitted_or_spoiled_estimators_are_not_saved(tmp_path, make_quick, toy_images):
    for unfitted in (make_quick(), make_pipeline(make_quick(), ClusterLabelMapper())):
        with pytest.raises(NotFittedError):
            save(unfitted, tmp_path / "model")
    model = make_quick(warm_up_epochs=1).fit(toy_images[0]).set_params(output="nonsense")
    with pytest.raises(ValueError, match="'output' parameter"):
        save(model, tmp_path / "model")


def test_a_failed_save_leaves_the_file_that_was_there(tmp_path, monkeypatch):
    mapper = small_mapper()
    path = tmp_path / "model"
    save(mapper, path)
    before = path.read_bytes()

    def full(handle):
        raise OSError("No space left on device")

    monkeypatch.setattr(container.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save(small_mapper(5), path)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["model"]


# ---- Damaged and hostile files ----


def small_mapper(n_clusters=3):
    X = np.eye(n_clusters)[np.arange(30) % n_clusters]
    return ClusterLabelMapper().fit(X, np.arange(30) % n_clusters)


def test_every_flipped_bit_and_every_cut_is_seen(tmp_path):
    path = tmp_path / "model"
    save(small_mapper(), path)
    content = path.read_bytes()
    for position in range(len(content)):
        spoiled = bytearray(content)
        spoiled[position] ^= 1 << position % 8
        path.write_bytes(spoiled)
        with pytest.raises(LoadError):
            load(path)
        path.write_bytes(content[:position])
        with pytest.raises(LoadError):
            load(path)
    path.write_bytes(content + b"\0")
    with pytest.raises(LoadError):
        load(path)


def test_flipped_bits_of_a_model_are_seen(tmp_path, fitted):
    path = tmp_path / "model"
    save(fitted, path)
    content = path.read_bytes()
    for position in np.random.RandomState(0).randint(len(content), size=200):
        spoiled = bytearray(content)
        spoiled[position] ^= 1 << position % 8
        path.write_bytes(spoiled)
        with pytest.raises(LoadError):
            load(path)


def test_other_files_are_refused(tmp_path, fitted):
    path = tmp_path / "model"
    with pytest.raises(FileNotFoundError):
        load(path)
    for content in (b"", b"\x80\x04K\x01.", b"\xff" * 100, b"{}" * 100):
        path.write_bytes(content)
        with pytest.raises(LoadError, match="is not a file of sklearn_cae"):
            load(path)
    safetensors.torch.save_file({"a": torch.zeros(2)}, path)
    with pytest.raises(LoadError, match="is not a file of sklearn_cae"):
        load(path)
    container.write(path, {"kind": "checkpoint"}, {})
    with pytest.raises(LoadError, match="contains 'checkpoint', not an estimator"):
        load(path)


def test_newer_formats_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(container, "FORMAT", 3)
    save(small_mapper(), tmp_path / "model")
    monkeypatch.undo()
    with pytest.raises(LoadError, match=r"has format 3; this version .* reads formats 1 to 2"):
        load(tmp_path / "model")


def rewrite(path, change):
    """Change the header and the tensors of a file, and sign it anew, as a forger would."""
    with safetensors.safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()["sklearn_cae"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    del header["sha256"], header["format"]
    header = change(header, tensors) or header
    container.write(path, header, tensors)


def items(packed):
    """Give the items of a packed object's state, as a dict that can be changed."""
    return {key: pair for pair in packed["state"]["items"] for key in [pair[0]]}


def set_state(name, value):
    def change(header, tensors):
        items(header["estimator"])[name][1] = value

    return change


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_labels_that_older_files_have_beside_a_posterior_are_passed_over(
    toy_images, make_quick, tmp_path
):
    X, _ = toy_images
    model = make_quick(**MODELS["posterior of communities"]).fit(X)
    save(model, tmp_path / "model")
    rewrite(
        tmp_path / "model",
        lambda header, tensors: items(header["estimator"])["posterior"][1].append([0, 1]),
    )
    assert np.array_equal(load(tmp_path / "model").predict_proba(X), model.predict_proba(X))


def set_built_for(name, value):
    def change(header, tensors):
        built_for = items(header["estimator"])["_built_for"][1]
        next(pair for pair in built_for["items"] if pair[0] == name)[1] = value

    return change


def drop_state(name):
    def change(header, tensors):
        state = header["estimator"]["state"]["items"]
        state[:] = [pair for pair in state if pair[0] != name]

    return change


def test_communities_of_older_files_have_no_halves(tmp_path):
    X = np.random.RandomState(0).normal(size=(30, 4))
    clusterer = CommunityClusterer(2, random_state=0).fit(X)
    save(clusterer, tmp_path / "model")
    for name in ("n_init", "runs_", "stability_", "cluster_stability_", "_drawn_runs"):
        rewrite(tmp_path / "model", drop_state(name))
    again = load(tmp_path / "model")
    assert again.n_init == 1
    assert again.stability_ is None
    np.testing.assert_array_equal(again.predict(X), clusterer.predict(X))


def test_the_stability_of_communities_is_saved(tmp_path):
    X = np.random.RandomState(0).normal(size=(30, 4))
    clusterer = CommunityClusterer(2, n_init=3, random_state=0).fit(X)
    save(clusterer, tmp_path / "model")
    again = load(tmp_path / "model")
    np.testing.assert_array_equal(again.predict_stability(X), clusterer.predict_stability(X))
    rewrite(tmp_path / "model", set_state("n_init", 4))
    with pytest.raises(LoadError, match="halves do not match the samples"):
        load(tmp_path / "model")


def replace_tensor(name, tensor):
    def change(header, tensors):
        tensors[f"ContrastiveAutoencoderClusterer.{name}"] = tensor

    return change


def replace_estimator(packed):
    return lambda header, tensors: {**header, "estimator": packed}


WEIGHT = "networks.encoder_.0.weight"
NO_STATE = {"type": "dict", "items": []}
NO_PIPELINE = make_pipeline(PCA()).get_params(deep=False)


def forged(name, **state):
    """Give an object of a known class with a state."""
    items = [[key, value] for key, value in state.items()]
    return {"type": "object", "class": name, "state": {"type": "dict", "items": items}}


def text(values, width=1):
    return {"type": "strings", "shape": [len(values)], "width": width, "values": values}


def random_state(position):
    keys = {"type": "array", "name": "keys", "order": "C", "flipped": []}
    state = {"type": "tuple", "items": ["MT19937", keys, position, 0, 0.0]}
    return {"type": "random_state", "state": state}


def set_random_state(position):
    def change(header, tensors):
        tensors["keys"] = torch.zeros(624, dtype=torch.uint32)
        set_state("random_state", random_state(position))(header, tensors)

    return change


def colliding_keys(n):
    pairs = [[i * (2**61 - 1), 0] for i in range(n)]
    return {"type": "dict", "items": pairs}


FORGED = {
    "a class that is not known": replace_estimator(
        {"type": "object", "class": "os.system", "state": {"type": "dict", "items": []}}
    ),
    "a type that is not known": replace_estimator({"type": "object__", "name": "x"}),
    "no estimator": replace_estimator([1, 2]),
    "an unfitted estimator": replace_estimator(
        forged("sklearn_cae.label_mapper.ClusterLabelMapper", **ClusterLabelMapper().get_params())
    ),
    "no state": replace_estimator({"type": "object", "class": "sklearn.pipeline.Pipeline"}),
    "a wide text": set_state("output", text([""] * 2000, width=1_000_000)),
    "lists for text": set_state("output", text([[""] * 60_000], width=10**5)),
    "many texts": set_state("callbacks", [text([""] * 20, width=800_000)] * 60),
    "a structure of two lengths": set_state(
        "search_",
        {"type": "structured", "fields": {"type": "dict", "items": [["a", 1], ["b", text([""])]]}},
    ),
    "a structure of nothing": set_state("search_", {"type": "structured", "fields": NO_STATE}),
    "keys that collide": set_state("search_", colliding_keys(60_000)),
    "a random state beyond its end": set_random_state(2 * 10**9),
    "a random state before its beginning": set_random_state(-1),
    "a method": set_state(
        "search_",
        forged(
            "sklearn.preprocessing.StandardScaler", **StandardScaler().get_params(), transform=5
        ),
    ),
    "no rules": set_state(
        "search_",
        forged(
            "sklearn_cae.probes.KNNProbe",
            **KNNProbe().get_params(),
            _validate_params={"type": "class", "name": "sklearn.cluster.KMeans"},
        ),
    ),
    **{
        what: set_state(
            "search_", forged("sklearn_cae.probes.KNNProbe", **KNNProbe().get_params(), **state)
        )
        for what, state in (
            ("other rules", {"_parameter_constraints": {"type": "dict", "items": []}}),
            ("a link of one's own", {"__doc_link_template": '"><img src=x onerror=alert(1)>'}),
        )
    },
    "a part that is missing": replace_estimator(
        forged(
            "sklearn.linear_model.LogisticRegression",
            **LogisticRegression().get_params(),
            n_features_in_=3,
        )
    ),
    "a pipeline of nothing": replace_estimator(
        forged("sklearn.pipeline.Pipeline", **{**NO_PIPELINE, "steps": []})
    ),
    "a pipeline of a number": replace_estimator(
        forged("sklearn.pipeline.Pipeline", **{**NO_PIPELINE, "steps": [["a", 5]]})
    ),
    "too many features": set_state(
        "search_", forged("sklearn.decomposition.PCA", **PCA().get_params(), n_features_in_=10**12)
    ),
    "no format": drop_state("_format"),
    "another format": set_state("_format", 5),
    "no shape": drop_state("image_shape_"),
    "a posterior of no cluster": set_state("posterior", [[99]]),
    "one tensor many times": set_state(
        "callbacks",
        [{"type": "tensor", "name": f"ContrastiveAutoencoderClusterer.{WEIGHT}"}] * 20_000,
    ),
    "a tensor that is not there": set_state("search_", {"type": "array", "name": "nowhere"}),
    "a huge embedding": set_built_for("embedding_dim", 10**9),
    "a huge image": set_built_for(
        "shape of a sample", {"type": "tuple", "items": [1, 10**6, 10**6]}
    ),
    "another image": set_built_for("shape of a sample", {"type": "tuple", "items": [3, 16, 16]}),
    "a variational one": set_built_for("variational", True),
    "a parameter outside its range": set_state("temperature", -1.0),
    "a parameter of another type": set_state("batch_size", "all"),
    "no weights": drop_state("networks"),
    "no means": drop_state("embedding_means_"),
    **{
        f"other {part} of covariances": replace_tensor(f"_gaussians.{part}", other)
        for part, other in (
            ("factors", torch.zeros(2, 16)),
            ("ranks", torch.tensor([-2, 2, 2])),
            ("diagonals", torch.zeros(3, 2)),
        )
    },
    "other means": replace_tensor("embedding_means_", torch.zeros(2, 16)),
    "labels of no cluster": replace_tensor("labels_", torch.full((96,), 7)),
    "labels that are no numbers": replace_tensor("labels_", torch.full((96,), torch.nan)),
    "clustered samples that are not there": replace_tensor(
        "clustered_indices_", torch.arange(1, 97)
    ),
    "clustered samples without labels": replace_tensor("clustered_labels_", torch.arange(95)),
    "more clusters": set_state("n_clusters_", 10**9),
    "other weights": replace_tensor(WEIGHT, torch.zeros(2, 2)),
}


#: The rule that refuses it, where the package has one of its own.
REASONS = {
    "a type that is not known": "is unknown",
    "no estimator": ", not an estimator",
    "an unfitted estimator": "is not fitted yet",
    "a wide text": "its arrays have more than",
    "lists for text": "an array of text holds values that are not text",
    "many texts": "its arrays have more than",
    "keys that collide": "keys that are no strings",
    "a random state beyond its end": "out of its range",
    "a random state before its beginning": "out of its range",
    "a method": "['transform'] are not part of the state",
    "no rules": "['_validate_params'] are not part of the state",
    "other rules": "['_parameter_constraints'] are not part of the state",
    "a link of one's own": "['__doc_link_template'] are not part of the state",
    "a part that is missing": "no attribute 'coef_'",
    "a pipeline of nothing": "has no steps",
    "a pipeline of a number": "is 5, not an estimator",
    "too many features": "n_features_in_ must be in 1 to",
    "one tensor many times": "is used twice",
    "a huge image": "samples of another shape",
    "another image": "samples of another shape",
    "a variational one": "the weights of log_variance_head_",
    "a parameter outside its range": "'temperature' parameter",
    "a parameter of another type": "'batch_size' parameter",
    "other means": "embedding_means_ must have shape",
    **{
        f"other {part} of covariances": "_gaussians does not match"
        for part in ("factors", "ranks", "diagonals")
    },
    "labels of no cluster": "labels_ does not match",
    "labels that are no numbers": "labels_ does not match",
    "clustered samples that are not there": "does not match the samples",
    "clustered samples without labels": "does not match the samples",
    "more clusters": "does not match cluster_centers_",
    "other weights": "the weights of encoder_",
}


def forge(path, estimator, change):
    """Save an estimator, change its arrays, and sign the file anew."""
    save(estimator, path)
    rewrite(path, lambda header, tensors: change(tensors))


def test_centres_and_trees_are_looked_at(tmp_path):
    """What compiled code of scikit-learn does not look at itself."""
    path = tmp_path / "model"

    def cut(tensors):
        tensors["KMeans.cluster_centers_"] = torch.zeros((8, 0), dtype=torch.float32)

    forge(path, KMeans(8, n_init=1).fit(VECTORS), cut)
    with pytest.raises(LoadError, match="the shape of cluster_centers_ does not match"):
        load(path)

    def point_beyond(tensors):
        tensors["KNeighborsClassifier._y"][:] = 10**9

    y = np.arange(len(VECTORS)) % 2
    neighbors = KNeighborsClassifier(metric="manhattan", algorithm="brute").fit(VECTORS, y)
    forge(path, neighbors, point_beyond)
    with pytest.raises(LoadError, match="out of bounds"):
        load(path)

    def lead_astray(tensors):
        (name,) = (name for name in tensors if name.endswith("left_node"))
        tensors[name][0] = 2**40

    forge(path, HDBSCAN(copy=True).fit(VECTORS), lead_astray)
    with pytest.raises(LoadError, match="nodes that do not exist"):
        load(path)


def test_neighbours_set_after_the_fit_are_no_forgery(tmp_path):
    y = np.arange(20) % 3
    neighbors = KNeighborsClassifier(3).fit(VECTORS[:20], y).set_params(n_neighbors=12)
    again = load_after_saving(neighbors, tmp_path)
    np.testing.assert_array_equal(again.predict(VECTORS), neighbors.predict(VECTORS))
    several = KNeighborsClassifier(3).fit(VECTORS[:20], np.column_stack([y, y + 5]))
    again = load_after_saving(several, tmp_path)
    np.testing.assert_array_equal(again.predict(VECTORS), several.predict(VECTORS))


def test_arrays_of_the_other_byte_order_are_saved(tmp_path):
    mapper = ClusterLabelMapper("labels").fit([[0], [1]], np.array([3, 4], dtype=">i8"))
    assert load_after_saving(mapper, tmp_path).predict([[1], [0]]).tolist() == [4, 3]


def test_a_checksum_that_is_no_text(tmp_path):
    header = json.dumps({"sha256": "\ud800", "format": 1})
    content = safetensors.torch.save({}, {"sklearn_cae": header})
    (tmp_path / "model").write_bytes(content)
    with pytest.raises(LoadError, match="no valid checksum"):
        load(tmp_path / "model")


@pytest.mark.parametrize("name", FORGED)
def test_forged_files_are_refused_without_waste(tmp_path, fitted, name):
    path = tmp_path / "model"
    save(fitted, path)
    rewrite(path, FORGED[name])
    before = forget_peak_memory()
    with pytest.raises(LoadError) as raised:
        load(path)
    assert str(path) in str(raised.value)
    assert REASONS.get(name, "") in str(raised.value)
    assert peak_memory() - before < 300


PROCESS = Path("/proc/self")


def forget_peak_memory():
    """Let the peak be what is used now, whatever was before; give it."""
    if PROCESS.exists():
        (PROCESS / "clear_refs").write_text("5")
    return peak_memory()


def peak_memory():
    """Give the peak memory of this process in MiB; 0 where the system does not tell."""
    if not PROCESS.exists():
        return 0
    (peak,) = re.findall(r"VmHWM:\s+(\d+) kB", (PROCESS / "status").read_text())
    return int(peak) / 1024


def test_a_forged_header_longer_than_the_file_or_the_limit_is_refused(tmp_path):
    path = tmp_path / "model"
    for length in (2**23 + 1, 2**62, 2**64 - 1):
        with path.open("wb") as file:
            file.write(length.to_bytes(8, "little"))
            file.truncate(2**24)
        with pytest.raises(LoadError, match="its header should have"):
            load(path)


@pytest.mark.parametrize("depth", [500, 100_000])
def test_a_forged_depth_is_refused(tmp_path, depth):
    nested = '{"type": "tuple", "items": [' * depth + "]}" * depth
    header = f'{{"sha256": "{"0" * 64}", "format": 1, "kind": "estimator", "estimator": {nested}}}'
    content = safetensors.torch.save({}, {"sklearn_cae": header})
    (tmp_path / "model").write_bytes(container._sign(content))
    with pytest.raises(LoadError):
        load(tmp_path / "model")


def test_names_of_60000_features_come_back(tmp_path, make_quick):
    names = [f"gene_{i}_of_the_right_upper_lobe_and_of_its_surroundings" for i in range(60_000)]
    X = pd.DataFrame(np.random.RandomState(0).rand(12, 60_000), columns=names, dtype=np.float32)
    model = make_pipeline(
        StandardScaler().set_output(transform="pandas"),
        make_quick(warm_up_epochs=1, conditioning_epochs=0, embedding_dim=2),
    ).fit(X)
    again = load_after_saving(model, tmp_path)
    assert again.feature_names_in_.tolist() == again[1].feature_names_in_.tolist() == names
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    with pytest.raises(ValueError, match="feature names"):
        again.predict(X[names[::-1]])


def test_a_text_of_any_length_comes_back(tmp_path):
    mapper = small_mapper()
    mapper.missing_label = "x" * 2**23
    assert load_after_saving(mapper, tmp_path).missing_label == mapper.missing_label


def test_a_long_history_comes_back(tmp_path, fitted):
    model = copy.copy(fitted)
    model.history_ = History(30_000 * list(fitted.history_[:1]))
    assert len(json.dumps(list(model.history_))) > container._MAX_HEADER
    assert list(load_after_saving(model, tmp_path).history_) == list(model.history_)


def test_more_than_can_be_loaded_is_not_written(tmp_path):
    table = small_mapper()
    table.classes_ = [np.zeros(1)] * 50_000
    wide = small_mapper()
    wide.classes_ = np.array(["x" * 2**20] + 99 * [""])
    keys = small_mapper()
    keys.classes_ = dict.fromkeys(range(10_001))
    for mapper, message in (
        (table, "table .* at most .* of 500.* tensors is longer. Use joblib.dump"),
        (wide, "ClusterLabelMapper.classes_, 100 texts of .*dtype=object, or shorten"),
        (keys, "classes_ must have at most 10000 keys that are no strings.*joblib.dump"),
    ):
        with pytest.raises(ValueError, match=message):
            save(mapper, tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_forged_texts_beside_the_header_are_refused(tmp_path, fitted, monkeypatch):
    path = tmp_path / "model"
    content = bytearray(b"[" * 10**6)
    tensors = {"sklearn_cae.estimator": torch.frombuffer(content, dtype=torch.uint8)}
    for names in (["estimator"], ["nothing"], "estimator", 5):
        container.write(path, {"kind": "estimator", "long": names}, dict(tensors))
        with pytest.raises(LoadError):
            load(path)


# ---- Files of released formats ----


def test_files_of_released_formats_are_read():
    """Made by `formats/make.py` when the format was released; never made anew."""
    paths = sorted(FORMATS.glob("format_*.safetensors"))
    assert len(paths) == container.FORMAT
    for path in paths:
        model = load(path)
        with np.load(path.with_suffix(".npz")) as expected:
            np.testing.assert_allclose(
                model.predict_proba(expected["X"]), expected["probability"], rtol=1e-4
            )
            covariances = model[0].embedding_covariances_
            if "covariances" in expected:  # since format 2
                np.testing.assert_allclose(covariances, expected["covariances"], atol=1e-6)
            else:
                with safetensors.safe_open(path, framework="np") as file:
                    kept = file.get_tensor("Pipeline.steps.0.1.embedding_covariances_")
                np.testing.assert_allclose(covariances, kept, atol=1e-6)
            assert model[0].sample(5, random_state=0)[0].shape == (5, 5)
            assert model.predict(expected["X"]).tolist() == expected["labels"].tolist()
