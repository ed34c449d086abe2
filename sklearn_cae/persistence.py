"""Save fitted estimators in files that run no code when they are loaded.

A pickle or joblib file can run any code on the machine that loads it, so its source must be
trusted. A file made by `save` contains only numbers and names (safetensors, with JSON in its
metadata) and a checksum over every byte. Later versions can load it.
"""

import re
import warnings
from collections import UserList
from dataclasses import replace
from functools import cache
from importlib import import_module
from pathlib import Path

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from . import __version__
from ._fitted import NETWORKS, FittedState, fitted_state
from ._grouping.assignment import Posterior
from ._grouping.fixed import with_correction
from ._grouping.gaussians import ClusterGaussians
from ._grouping.whitening import with_linear_ends
from ._storage import container
from ._storage.checkpoint import ADDED_SINCE
from ._storage.container import LoadError
from ._storage.packing import Known, MissingCallable, Packer, Unpacker
from ._training.networks import build_networks, has_other_buffers
from ._utils.devices import is_there
from ._utils.random import forked_rng, plain_torch
from ._utils.warnings import warn
from .backbones import without_weights
from .clusterers import ElbowClusterer

__all__ = ["LoadError", "load", "save"]

_MAX_FEATURES = 2**23  # of volumes with four channels and the largest sides
#: Names of the weights of a correction, a layer of its own behind a fixed encoder.
_OF_CORRECTION = re.compile(r"\d+\.correction\.")
#: Parts of the state that are saved unchanged.
_KEPT = ("format", "built_for", "gaussians", "novelty")


class _KnownEstimator(Known):
    """An estimator, whose parameters are validated and which is tried out after loading."""

    def take_apart(self, instance):
        instance._validate_params()
        state = dict(super().take_apart(instance))
        state.pop("_skl_callbacks", None)  # only used during fit
        return state

    def put_together(self, state):
        instance = super().put_together(state)
        instance._validate_params()
        self.try_out(instance)
        return instance

    def try_out(self, instance):
        """Predict and transform once if fitted: missing or inconsistent parts raise an error."""
        n_features = vars(instance).get("n_features_in_")
        if n_features is None:  # not fitted, such as a parameter of another estimator
            return
        if not 0 < n_features <= _MAX_FEATURES:
            raise ValueError(f"n_features_in_ must be in 1 to {_MAX_FEATURES}, got {n_features}")
        answer(instance, np.zeros((2, n_features)))


def answer(estimator, X):
    """Call `predict` and `transform` if the estimator has them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in ("predict", "transform"):
            if hasattr(estimator, name):
                getattr(estimator, name)(X)


def _check_part(part, where, *others):
    """Raise if a part is not an estimator, which was tried out, nor one of some other values."""
    if not isinstance(part, BaseEstimator) and part not in others:
        raise ValueError(f"{where} is {part!r}, not an estimator")


class _KnownPipeline(_KnownEstimator):
    """A pipeline, whose steps are tried out on their own."""

    def try_out(self, instance):
        if not instance.steps:
            raise ValueError("a pipeline has no steps")
        for _, step in instance.steps:
            _check_part(step, "a step of the pipeline", None, "passthrough")


class _KnownElbow(_KnownEstimator):
    """A search with a clusterer, which is tried out on its own."""

    def try_out(self, instance):
        for name in ("clusterer", "clusterer_"):
            _check_part(vars(instance).get(name), f"{name} of the search", None)


class _KnownStep(_KnownEstimator):
    """A step for columns of any type, in NumPy only; it cannot be tried out without samples."""

    def try_out(self, instance):
        """Check that fitted attributes exist."""
        if "n_features_in_" in vars(instance):
            check_is_fitted(instance)


class _KnownColumns(_KnownStep):
    """A transformer with a step per group of columns; steps are tried out on their own."""

    def take_apart(self, instance):
        state = dict(super().take_apart(instance))
        if "transformers_" in state:
            state["_remainder"] = _with_plain_columns(state["_remainder"])
            state["transformers_"] = [_with_plain_columns(one) for one in state["transformers_"]]
        return state

    def try_out(self, instance):
        super().try_out(instance)
        for _, step, _ in [*instance.transformers, *vars(instance).get("transformers_", [])]:
            _check_part(step, "a step of the columns", "drop", "passthrough")


def _with_plain_columns(step):
    """Return a step whose columns are no list of scikit-learn 1.6's own, which warns if read."""
    name, transformer, columns = step
    return name, transformer, columns.data if isinstance(columns, UserList) else columns


class _KnownSelector(Known):
    """A column selector by name or type, from make_column_selector."""

    def put_together(self, state):
        return self.cls(**state)


class _KnownCommunities(_KnownEstimator):
    """Communities; those of older files have no halves."""

    def put_together(self, state):
        parts = ("_drawn_runs", "runs_", "stability_", "cluster_stability_")
        added = {"n_init": 1, **dict.fromkeys(parts if "n_features_in_" in state else ())}
        missing = {name: value for name, value in added.items() if name not in state}
        return super().put_together({**state, **missing})  # files keep their order

    def try_out(self, instance):
        super().try_out(instance)
        runs = vars(instance).get("_drawn_runs")
        if runs is not None and (
            runs.shape != (instance._neighbors.n_samples_fit_, instance.n_init)
            or runs.dtype.kind != "i"
        ):
            raise ValueError("the clusterings of the halves do not match the samples")


class _KnownCenters(_KnownEstimator):
    """A clusterer that can predict if it has centres."""

    def try_out(self, instance):
        if "cluster_centers_" in vars(instance):  # missing with precomputed distances
            super().try_out(instance)


class _KnownKMeans(_KnownEstimator):
    """KMeans, which reads beyond the centres if there are too few."""

    def try_out(self, instance):
        """Check the centres, and predict samples of their dtype."""
        centers = vars(instance).get("cluster_centers_")
        if centers is None:
            return
        if centers.shape != (instance.n_clusters, instance.n_features_in_):
            raise ValueError("the shape of cluster_centers_ does not match n_clusters and features")
        if "_counts" in vars(instance) and instance._counts.shape != (instance.n_clusters,):
            raise ValueError("the shape of _counts does not match n_clusters")
        answer(instance, np.zeros((2, centers.shape[1]), dtype=centers.dtype))


class _KnownHDBSCAN(_KnownEstimator):
    """HDBSCAN, which does not check the nodes of its tree."""

    def put_together(self, state):
        tree = state.get("_single_linkage_tree_")
        if tree is not None:
            for name in ("left_node", "right_node"):
                nodes = tree[name]
                if not 0 <= nodes.min() <= nodes.max() <= 2 * len(tree):
                    raise ValueError("a tree contains nodes that do not exist")
        return super().put_together(state)


class _KnownBackbone(Known):
    """A model of others by name; of a path to weights, only the name of the file is kept."""

    def take_apart(self, instance):
        state = dict(super().take_apart(instance))
        if not isinstance(instance.weights, bool):
            state["weights"] = Path(instance.weights).name
        return state


class _KnownHistory(Known):
    """The history of skorch, a list of rows with methods."""

    def take_apart(self, instance):
        return {"rows": list(instance)}

    def put_together(self, state):
        return self.cls(state["rows"])


class _KnownNeighbors(_KnownEstimator):
    """Neighbours, which are fitted again: compiled code does not check labels and trees."""

    def take_apart(self, instance):
        state = dict(super().take_apart(instance))
        state.pop("_tree", None)
        return state

    def put_together(self, state):
        if "_fit_X" in state:
            params = {name: state[name] for name in self.cls().get_params()}
            y, classes = state["_y"], state["classes_"]
            if isinstance(classes, list):  # several outputs
                y = np.column_stack([each[codes] for each, codes in zip(classes, y.T, strict=True)])
            else:
                y = classes[y]
            state = {**state, **vars(self.cls(**params).fit(state["_fit_X"], y))}
        return super().put_together(state)


class _KnownClusterer(_KnownEstimator):
    """The clusterer, whose networks are built again and get their saved weights."""

    def take_apart(self, instance):
        check_is_fitted(instance)
        state = {**super().take_apart(instance), "checkpoint_dir": None}  # a path of this machine
        kept = state.pop("_state")
        state |= {f"_{name}": getattr(kept, name) for name in _KEPT}
        state["posterior"] = None if kept.posterior is None else [kept.posterior.kept]
        networks = {name: state.pop(name) for name in NETWORKS}
        state["networks"] = {
            name: None if network is None else dict(network.state_dict())
            for name, network in networks.items()
        }
        return state

    def put_together(self, state):
        state = _as_named_now(state)
        weights, posterior = state.pop("networks"), state.pop("posterior")
        if "embedding_covariances_" in state:  # format 1
            covariances = state.pop("embedding_covariances_")
            state["_gaussians"] = ClusterGaussians.from_covariances(covariances)
        state.setdefault("_novelty", None)  # older files have none
        kept = FittedState(**{name: state.pop(f"_{name}") for name in _KEPT})
        instance = Known.put_together(self, state)
        instance._validate_params()
        _be_where_there_is_a_device(instance)
        _check_shapes(instance, kept)
        for name, network in _build_networks(kept.built_for, weights).items():
            setattr(instance, f"{name}_", network)
        if posterior is not None:
            numbers, *_ = posterior  # older files also contain labels
            kept = replace(kept, posterior=Posterior(instance.clusterer_, numbers))
        instance._state = kept
        self.try_out(instance)
        return instance

    def try_out(self, instance):
        """Assign, transform and decode samples in the form of `fit`.

        This runs on the CPU, because a process that has started CUDA cannot fork workers.
        """
        format = fitted_state(instance).format
        if instance.image_shape_ is None:
            X = np.stack([format.mean] * 2)
        else:
            X = np.zeros((2, *format.sample_shape), np.uint8 if format.is_integer else np.float32)
        device, instance.device = instance.device, "cpu"
        answer(instance, X)
        instance.decode_prototypes()
        if fitted_state(instance).novelty is not None:
            instance.novelty(X)
        instance.device = device


def _as_named_now(state):
    """Return the state with the current names, from files of earlier versions."""
    state = dict(state)
    for name, value in ADDED_SINCE.items():  # not before the others: files keep their order
        state.setdefault(name, value)
    if "elbow_" in state:
        clusterer = state["clusterer_"]
        state["search_"] = state.pop("elbow_") or getattr(clusterer, "search_", None)
    if "max_clusters" in state:
        max_clusters, kl_weight = state.pop("max_clusters"), state.pop("kl_weight")
        if state["n_clusters"] == "elbow":
            state["clusterer"] = ElbowClusterer(state["clusterer"], max_clusters=max_clusters)
        if state["variational"]:
            state["variational"] = kl_weight
    return state


def _be_where_there_is_a_device(clusterer):
    """Set device="auto" if this machine does not have the saved device."""
    if not is_there(clusterer.device):
        warn(
            f"The device {str(clusterer.device)!r}, on which the model was fitted, does not exist. "
            "device='auto' is used instead.",
            UserWarning,
        )
        clusterer.device = "auto"


def _check_shapes(clusterer, kept):
    """Raise if the parts of a fitted clusterer are inconsistent."""
    n_clusters, embedding_dim = clusterer.cluster_centers_.shape
    if clusterer.embedding_means_.shape != (n_clusters, embedding_dim):
        raise ValueError(f"embedding_means_ must have shape {(n_clusters, embedding_dim)}")
    gaussians = kept.gaussians
    n_rows = gaussians.ranks.sum()
    if (
        gaussians.ranks.shape != (n_clusters,)
        or gaussians.ranks.min() < 0
        or gaussians.factors.shape != (n_rows, embedding_dim)
        or gaussians.diagonals.shape != (n_clusters, embedding_dim)
    ):
        raise ValueError(f"_gaussians does not match {n_clusters} clusters")
    if kept.novelty is not None:
        kept.novelty.check(n_clusters)
    labels = clusterer.labels_
    if (
        labels.ndim != 1
        or labels.dtype.kind != "i"
        or not 0 <= labels.min() <= labels.max() < n_clusters
    ):
        raise ValueError(f"labels_ does not match {n_clusters} clusters")
    if hasattr(clusterer, "clustered_labels_"):  # older files have none
        _check_clustered(clusterer.clustered_indices_, clusterer.clustered_labels_, len(labels))
    if kept.built_for["shape of a sample"] != kept.format.image_shape:
        raise ValueError("the networks are for samples of another shape")
    if (clusterer.n_clusters_, kept.built_for["embedding_dim"]) != (
        n_clusters,
        embedding_dim,
    ):
        raise ValueError("n_clusters_ or embedding_dim does not match cluster_centers_")


def _check_clustered(indices, labels, n_samples):
    if not (
        indices.shape == labels.shape == (len(labels),)
        and indices.dtype.kind == labels.dtype.kind == "i"
        and 0 <= indices.min() <= indices.max() < n_samples
        and (np.diff(indices) > 0).all()
        and labels.min() >= -1
    ):
        raise ValueError("clustered_indices_ or clustered_labels_ does not match the samples")


def _build_networks(built_for, weights):
    """Build the networks of a fit and load their weights.

    They are first built without memory, to compare the shapes of all weights.
    """
    has_other = any(has_other_buffers(built_for[name]) for name in ("encoder", "decoder"))
    try:
        with torch.device("meta"):
            networks = _build_as_fitted(built_for, weights)
    except Exception:
        if not has_other:
            raise
        networks = _build_as_fitted(built_for, weights)  # a user's module that needs memory
    for name, network in networks.items():
        given = weights[f"{name}_"]
        shapes = [_shapes(state) for state in (network and network.state_dict(), given)]
        if shapes[0] != shapes[1]:
            raise ValueError(f"the weights of {name}_ do not match its network")
    if has_other:  # some buffers may be missing in its state
        networks = _build_as_fitted(built_for, weights)
    for name, network in networks.items():
        if network is not None:
            if not has_other:
                network.to_empty(device="cpu")
            network.load_state_dict(weights[f"{name}_"])
            network.eval()
    return networks


def _build_as_fitted(built_for, weights):
    is_trained = built_for.get("train_encoder", True)  # older files do not have it
    with forked_rng(seed=0):
        networks = build_networks(
            tuple(built_for["shape of a sample"]),
            built_for["embedding_dim"],
            encoder=without_weights(built_for["encoder"]),
            train_encoder=is_trained,
            decoder=built_for["decoder"],
            variational=built_for["variational"],
        )
    if built_for["whiten"]:
        device = next(networks["projection_head"].parameters()).device  # it may be "meta"
        networks["encoder"] = with_linear_ends(
            networks["encoder"], networks["decoder"], built_for["embedding_dim"], device
        )
    if not is_trained and any(_OF_CORRECTION.match(name) for name in weights["encoder_"]):
        networks["encoder"] = with_correction(networks["encoder"], built_for["embedding_dim"])
    condition = weights["decoder_"].get("condition.weight")
    if condition is not None:
        networks["decoder"].add_condition(condition.shape[1])
    return networks


def _shapes(state):
    return state and {name: value.shape for name, value in state.items()}


#: Classes that a file may contain, by module, with the way to pack them.
_CLASSES = {
    _KnownClusterer: {"sklearn_cae": ["ContrastiveAutoencoderClusterer"]},
    _KnownEstimator: {
        "sklearn_cae": ["ClusterLabelMapper", "KNNProbe", "LinearProbe"],
        "sklearn_cae.clusterers": ["MixtureClusterer"],
        "sklearn.cluster": ["AgglomerativeClustering", "DBSCAN", "OPTICS", "SpectralClustering"],
        "sklearn.decomposition": ["PCA"],
        "sklearn.linear_model": ["LogisticRegression"],
        "sklearn.mixture": ["BayesianGaussianMixture", "GaussianMixture"],
        "sklearn.preprocessing": ["StandardScaler"],
    },
    _KnownCommunities: {"sklearn_cae.clusterers": ["CommunityClusterer"]},
    _KnownElbow: {"sklearn_cae.clusterers": ["ElbowClusterer"]},
    _KnownHDBSCAN: {"sklearn.cluster": ["HDBSCAN"]},
    _KnownCenters: {"sklearn.cluster": ["AffinityPropagation", "MeanShift"]},
    _KnownColumns: {"sklearn.compose": ["ColumnTransformer"]},
    _KnownSelector: {"sklearn.compose": ["make_column_selector"]},
    _KnownStep: {
        "sklearn.impute": ["MissingIndicator", "SimpleImputer"],
        "sklearn.preprocessing": ["FunctionTransformer", "OneHotEncoder"],
    },
    _KnownKMeans: {"sklearn.cluster": ["KMeans", "MiniBatchKMeans"]},
    _KnownPipeline: {"sklearn.pipeline": ["Pipeline"]},
    _KnownNeighbors: {"sklearn.neighbors": ["KNeighborsClassifier"]},
    _KnownBackbone: {"sklearn_cae.backbones": ["Backbone"]},
    _KnownHistory: {"skorch.history": ["History"]},
    Known: {
        "sklearn_cae._grouping.gaussians": ["ClusterGaussians"],
        "sklearn_cae._grouping.novelty": ["Novelty"],
        "sklearn_cae._input.formats": ["ImageFormat", "VectorFormat"],
        "sklearn_cae.augmentations": ["ImageViews", "VectorViews", "VolumeViews"],
        "sklearn_cae.modules": [
            *("DeepDecoder", "Encoder", "FirstOrderScattering", "LinearDecoder", "LogScattering"),
            *("UnpooledEncoder", "VectorEncoder"),
        ],
        "sklearn.frozen": ["FrozenEstimator"],
        "torch.nn.modules.linear": ["Identity"],
    },
}
#: Names in files for classes that have moved, so that old files can be loaded.
_NAMES_IN_FILES = {
    "sklearn_cae.ContrastiveAutoencoderClusterer": (
        "sklearn_cae._clusterer.ContrastiveAutoencoderClusterer"
    ),
    "sklearn_cae.ClusterLabelMapper": "sklearn_cae.label_mapper.ClusterLabelMapper",
    "sklearn_cae.KNNProbe": "sklearn_cae.probes.KNNProbe",
    "sklearn_cae.LinearProbe": "sklearn_cae.probes.LinearProbe",
    "sklearn_cae._input.formats.ImageFormat": "sklearn_cae._images.ImageFormat",
    "sklearn_cae._input.formats.VectorFormat": "sklearn_cae._images.VectorFormat",
}


@cache
def known_classes():
    """Return the table of classes, {name in files: Known}."""
    return {
        _NAMES_IN_FILES.get(f"{module}.{name}", f"{module}.{name}"): known(
            getattr(import_module(module), name)
        )
        for known, modules in _CLASSES.items()
        for module, names in modules.items()
        for name in names
    }


def save(estimator, path, *, reading=None) -> None:
    """Save a fitted estimator in a file without code, which is written atomically.

    Parameters
    ----------
    estimator : estimator
        Fitted estimator of this package, or a pipeline of these and of common estimators of
        scikit-learn, such as ``SimpleImputer``, ``ColumnTransformer``, ``StandardScaler``, ``PCA``,
        ``KMeans`` and ``LogisticRegression``. ``Birch`` and ``BisectingKMeans`` are not supported.
    path : path-like
        File to write, usually ``.safetensors``. An existing file is replaced.
    reading : Reading, default=None
        Options with which the images were read from files, as `images.read_images` returns them.
        `images.load_reading` returns them again, to read later files in the same way.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If a part cannot be saved, such as callbacks or estimators of other packages. The message
        names it. If `reading` is no `Reading`.
    ValueError
        If the file would exceed the limits of `load`.
    OSError
        If the file cannot be written. An existing file is unchanged.

    See Also
    --------
    load : Load a saved estimator.
    sklearn_cae.images.load_reading : Load the options of its reading.

    Notes
    -----
    Your own callables (`encoder`, `decoder`, `augmentation`, `func` of a ``FunctionTransformer``)
    are saved as their names; pass them to `load` again. `checkpoint_dir` is not saved, because it
    is a path of this machine.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn_cae import ContrastiveAutoencoderClusterer, load, save
    >>> from sklearn_cae.datasets import make_toy_images
    >>> X, _ = make_toy_images(60, random_state=0, return_X_y=True)
    >>> clusterer = ContrastiveAutoencoderClusterer(
    ...     n_clusters=3, warm_up_epochs=2, conditioning_epochs=1, random_state=0
    ... ).fit(X)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(clusterer, Path(folder) / "model.safetensors")
    ...     again = load(Path(folder) / "model.safetensors")
    >>> bool((again.predict(X) == clusterer.labels_).all())
    True
    """
    check_is_fitted(estimator)
    if not hasattr(reading, "to_json") and reading is not None:
        raise TypeError(
            f"reading must be a Reading or None, got {type(reading).__name__}. Pass the attribute "
            "reading of the result of read_images."
        )
    packer = Packer(known_classes())
    packed = packer.pack(estimator, type(estimator).__name__)
    header = {"kind": "estimator", "version": __version__, "estimator": packed}
    if reading is not None:
        header["reading"] = reading.to_json()
    container.write(path, header, packer.tensors)


@plain_torch()
def load(path, **callables) -> BaseEstimator:
    """Load an estimator from a file that `save` wrote; no code in the file is run.

    Parameters
    ----------
    path : path-like
        File to load.
    **callables
        Your own callables by parameter name, such as ``encoder=...``.

    Returns
    -------
    estimator : estimator
        Fitted estimator, equal to the saved one bit by bit.

    Raises
    ------
    LoadError
        If the file is damaged, cut off, forged, of another kind or of a newer format, or if a
        callable is missing. The message names the callable.
    TypeError
        If a callable is passed that the file does not need.

    See Also
    --------
    save : Save a fitted estimator.

    Examples
    --------
    See `save`.
    """
    with container.reading(path) as (header, get_tensor):
        if header.get("kind") != "estimator":
            raise LoadError(f"{path} contains {header.get('kind')!r}, not an estimator.")
        unpacker = Unpacker(known_classes(), get_tensor, callables)
        try:
            estimator = unpacker.unpack(header["estimator"])
        except MissingCallable as missing:
            raise LoadError(
                f"{path} needs your own {missing.name}, {missing.dotted}, which files do not hold. "
                f"Pass it: load(path, {missing.name}=...)."
            ) from missing
        if not isinstance(estimator, BaseEstimator):
            raise LoadError(f"{path} contains {type(estimator).__name__}, not an estimator.")
        check_is_fitted(estimator)
    if callables.keys() > unpacker.needed:
        raise TypeError(
            f"load got {sorted(callables.keys() - unpacker.needed)}, but {path} needs only the "
            f"callables {sorted(unpacker.needed)}. Leave the others out."
        )
    return estimator
