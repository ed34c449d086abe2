"""Save fitted estimators in files that run no code when they are loaded.

A file made by pickle or joblib can run anything on the machine that loads it: such a file is as
safe as whoever sent it. One made by `save` holds numbers and names only (safetensors, and JSON in
its metadata), with a checksum over every byte, and is read by later versions.
"""

import warnings
from dataclasses import replace
from functools import cache
from importlib import import_module

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from . import __version__
from ._fitted import NETWORKS, FittedState, fitted_state
from ._grouping.assignment import Posterior
from ._grouping.gaussians import ClusterGaussians
from ._grouping.whitening import with_linear_ends
from ._storage import container
from ._storage.container import LoadError
from ._storage.packing import Known, MissingCallable, Packer, Unpacker
from ._training.networks import build_networks, is_own
from ._utils.devices import is_there
from ._utils.random import forked_rng, plain_torch
from ._utils.warnings import warn
from .clusterers import ElbowClusterer

__all__ = ["LoadError", "load", "save"]

_MAX_FEATURES = 2**22
#: Parts of the state that files hold as they are.
_KEPT = ("format", "built_for", "gaussians")


class _KnownEstimator(Known):
    """An estimator: its parameters keep their rules, and it can do what it is for."""

    def take_apart(self, instance):
        instance._validate_params()
        state = dict(super().take_apart(instance))
        state.pop("_skl_callbacks", None)  # which watched the fit
        return state

    def put_together(self, state):
        instance = super().put_together(state)
        instance._validate_params()
        self.try_out(instance)
        return instance

    def try_out(self, instance):
        """Let a fitted one answer once: what is missing, or does not fit together, shows."""
        n_features = vars(instance).get("n_features_in_")
        if n_features is None:  # it is the parameter of another one
            return
        if not 0 < n_features <= _MAX_FEATURES:
            raise ValueError(f"n_features_in_ must be in 1 to {_MAX_FEATURES}, got {n_features}")
        answer(instance, np.zeros((2, n_features)))


def answer(estimator, X):
    """Let an estimator assign and transform samples."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in ("predict", "transform"):
            if hasattr(estimator, name):
                getattr(estimator, name)(X)


class _KnownPipeline(_KnownEstimator):
    """A pipeline: its steps have been tried out."""

    def try_out(self, instance):
        if not instance.steps:
            raise ValueError("a pipeline has no steps")
        for _, step in instance.steps:
            if not isinstance(step, BaseEstimator) and step not in (None, "passthrough"):
                raise ValueError(f"a step of the pipeline is no estimator but {step!r}")


class _KnownElbow(_KnownEstimator):
    """A search around a clusterer, which has been tried out."""

    def try_out(self, instance):
        for name in ("clusterer", "clusterer_"):
            inside = vars(instance).get(name)
            if inside is not None and not isinstance(inside, BaseEstimator):
                raise ValueError(f"{name} of the search is no estimator but {inside!r}")


class _KnownStep(_KnownEstimator):
    """A step that takes columns of any type, by numpy alone: no samples are there to try it."""

    def try_out(self, instance):
        """Look for what it has learned."""
        if "n_features_in_" in vars(instance):
            check_is_fitted(instance)


class _KnownColumns(_KnownStep):
    """A step for each group of columns: they have been tried out."""

    def try_out(self, instance):
        super().try_out(instance)
        for _, step, _ in [*instance.transformers, *vars(instance).get("transformers_", [])]:
            if not isinstance(step, BaseEstimator) and step not in ("drop", "passthrough"):
                raise ValueError(f"a step of the columns is no estimator but {step!r}")


class _KnownSelector(Known):
    """A choice of columns by name or type, as make_column_selector gives."""

    def put_together(self, state):
        return self.cls(**state)


class _KnownCenters(_KnownEstimator):
    """A clusterer that predicts if it has centres."""

    def try_out(self, instance):
        if "cluster_centers_" in vars(instance):  # not of distances that are given
            super().try_out(instance)


class _KnownKMeans(_KnownEstimator):
    """KMeans, which reads centres beyond their end if they are too few."""

    def try_out(self, instance):
        """Look at the centres, whose type samples have to have."""
        centers = vars(instance).get("cluster_centers_")
        if centers is None:
            return
        if centers.shape != (instance.n_clusters, instance.n_features_in_):
            raise ValueError("cluster_centers_ have another shape than n_clusters and features")
        if "_counts" in vars(instance) and instance._counts.shape != (instance.n_clusters,):
            raise ValueError("_counts has another shape than n_clusters")
        answer(instance, np.zeros((2, centers.shape[1]), dtype=centers.dtype))


class _KnownHDBSCAN(_KnownEstimator):
    """HDBSCAN, which follows its tree wherever it leads."""

    def put_together(self, state):
        tree = state.get("_single_linkage_tree_")
        if tree is not None:
            for name in ("left_node", "right_node"):
                nodes = tree[name]
                if not 0 <= nodes.min() <= nodes.max() <= 2 * len(tree):
                    raise ValueError("a tree leads to nodes that are not there")
        return super().put_together(state)


class _KnownHistory(Known):
    """A list of rows with methods."""

    def take_apart(self, instance):
        return {"rows": list(instance)}

    def put_together(self, state):
        return self.cls(state["rows"])


class _KnownNeighbors(_KnownEstimator):
    """Neighbours, fitted again: compiled code follows labels and trees wherever they lead."""

    def take_apart(self, instance):
        state = dict(super().take_apart(instance))
        state.pop("_tree", None)
        return state

    def put_together(self, state):
        if "_fit_X" in state:
            params = {name: state[name] for name in self.cls().get_params()}
            y, classes = state["_y"], state["classes_"]
            if isinstance(classes, list):  # of several outputs
                y = np.column_stack([each[codes] for each, codes in zip(classes, y.T, strict=True)])
            else:
                y = classes[y]
            state = {**state, **vars(self.cls(**params).fit(state["_fit_X"], y))}
        return super().put_together(state)


class _KnownClusterer(_KnownEstimator):
    """The clusterer: its networks are built anew and get their weights back."""

    def take_apart(self, instance):
        check_is_fitted(instance)
        state = {**super().take_apart(instance), "checkpoint_dir": None}  # of this machine
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
        if "embedding_covariances_" in state:  # of format 1
            covariances = state.pop("embedding_covariances_")
            state["_gaussians"] = ClusterGaussians.from_covariances(covariances)
        kept = FittedState(**{name: state.pop(f"_{name}") for name in _KEPT})
        instance = Known.put_together(self, state)
        instance._validate_params()
        _be_where_there_is_a_device(instance)
        _check_shapes(instance, kept)
        for name, network in _build_networks(kept.built_for, weights).items():
            setattr(instance, f"{name}_", network)
        if posterior is not None:
            numbers, *_ = posterior  # older files have labels beside it
            kept = replace(kept, posterior=Posterior(instance.clusterer_, numbers))
        instance._state = kept
        self.try_out(instance)
        return instance

    def try_out(self, instance):
        """Assign, transform and decode samples of the form that was fitted.

        On the CPU: a process that has started CUDA cannot fork workers any more.
        """
        format = fitted_state(instance).format
        if instance.image_shape_ is None:
            X = np.stack([format.mean] * 2)
        else:
            X = np.zeros((2, *format.sample_shape), np.uint8 if format.is_integer else np.float32)
        device, instance.device = instance.device, "cpu"
        answer(instance, X)
        instance.decode_prototypes()
        instance.device = device


def _as_named_now(state):
    """Rename what files of earlier versions hold under other names."""
    state = dict(state)
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
    """Leave the choice to this machine where the device of the other one is not there."""
    if not is_there(clusterer.device):
        warn(
            f"The device {str(clusterer.device)!r}, on which the model was fitted, is not there: "
            "device='auto' takes its place.",
            UserWarning,
        )
        clusterer.device = "auto"


def _check_shapes(clusterer, kept):
    """Raise where the parts of a fitted clusterer cannot belong together."""
    n_clusters, embedding_dim = clusterer.cluster_centers_.shape
    if clusterer.embedding_means_.shape != (n_clusters, embedding_dim):
        raise ValueError(f"embedding_means_ has not the shape {(n_clusters, embedding_dim)}")
    gaussians = kept.gaussians
    n_rows = gaussians.ranks.sum()
    if (
        gaussians.ranks.shape != (n_clusters,)
        or gaussians.ranks.min() < 0
        or gaussians.factors.shape != (n_rows, embedding_dim)
        or gaussians.diagonals.shape != (n_clusters, embedding_dim)
    ):
        raise ValueError(f"_gaussians are not those of {n_clusters} clusters")
    labels = clusterer.labels_
    if (
        labels.ndim != 1
        or labels.dtype.kind != "i"
        or not 0 <= labels.min() <= labels.max() < n_clusters
    ):
        raise ValueError(f"labels_ are not those of {n_clusters} clusters")
    if hasattr(clusterer, "clustered_labels_"):  # older files have none
        _check_clustered(clusterer.clustered_indices_, clusterer.clustered_labels_, len(labels))
    if kept.built_for["shape of a sample"] != kept.format.image_shape:
        raise ValueError("the networks are for samples of another shape")
    if (clusterer.n_clusters_, kept.built_for["embedding_dim"]) != (
        n_clusters,
        embedding_dim,
    ):
        raise ValueError("n_clusters_ or embedding_dim differ from the shape of cluster_centers_")


def _check_clustered(indices, labels, n_samples):
    if not (
        indices.shape == labels.shape == (len(labels),)
        and indices.dtype.kind == labels.dtype.kind == "i"
        and 0 <= indices.min() <= indices.max() < n_samples
        and (np.diff(indices) > 0).all()
        and labels.min() >= -1
    ):
        raise ValueError("clustered_indices_ or clustered_labels_ are not those of the samples")


def _build_networks(built_for, weights):
    """Build the networks of a fit and give them their weights.

    First without memory, to compare the shapes of all weights.
    """
    has_own = _has_own(built_for)
    try:
        with torch.device("meta"):
            networks = _build_as_fitted(built_for, weights)
    except Exception:
        if not has_own:
            raise
        networks = _build_as_fitted(built_for, weights)  # an own module that needs memory
    for name, network in networks.items():
        given = weights[f"{name}_"]
        shapes = [_shapes(state) for state in (network and network.state_dict(), given)]
        if shapes[0] != shapes[1]:
            raise ValueError(f"the weights of {name}_ are those of another network")
    if has_own:  # whose buffers may not all be in its state
        networks = _build_as_fitted(built_for, weights)
    for name, network in networks.items():
        if network is not None:
            if not has_own:
                network.to_empty(device="cpu")
            network.load_state_dict(weights[f"{name}_"])
            network.eval()
    return networks


def _has_own(built_for):
    return is_own(built_for["encoder"]) or is_own(built_for["decoder"])


def _build_as_fitted(built_for, weights):
    with forked_rng(seed=0):
        networks = build_networks(
            tuple(built_for["shape of a sample"]),
            built_for["embedding_dim"],
            encoder=built_for["encoder"],
            decoder=built_for["decoder"],
            variational=built_for["variational"],
        )
    if built_for["whiten"]:
        networks["encoder"] = with_linear_ends(
            networks["encoder"], networks["decoder"], built_for["embedding_dim"]
        )
    condition = weights["decoder_"].get("condition.weight")
    if condition is not None:
        networks["decoder"].add_condition(condition.shape[1])
    return networks


def _shapes(state):
    return state and {name: value.shape for name, value in state.items()}


#: What a file may hold: instances that come apart in one of the ways above, by where they are.
_CLASSES = {
    _KnownClusterer: {"sklearn_cae": ["ContrastiveAutoencoderClusterer"]},
    _KnownEstimator: {
        "sklearn_cae": ["ClusterLabelMapper", "KNNProbe", "LinearProbe"],
        "sklearn_cae.clusterers": ["CommunityClusterer", "MixtureClusterer"],
        "sklearn.cluster": ["AgglomerativeClustering", "DBSCAN", "OPTICS", "SpectralClustering"],
        "sklearn.decomposition": ["PCA"],
        "sklearn.linear_model": ["LogisticRegression"],
        "sklearn.mixture": ["BayesianGaussianMixture", "GaussianMixture"],
        "sklearn.preprocessing": ["StandardScaler"],
    },
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
    _KnownHistory: {"skorch.history": ["History"]},
    Known: {
        "sklearn_cae._grouping.gaussians": ["ClusterGaussians"],
        "sklearn_cae._input.formats": ["ImageFormat", "VectorFormat"],
        "sklearn_cae.augmentations": ["ImageViews", "VectorViews"],
        "sklearn_cae.modules": ["Encoder", "UnpooledEncoder", "VectorEncoder"],
        "sklearn.frozen": ["FrozenEstimator"],
    },
}
#: Names in files that are not where the class is, so that rooms can change and files need not.
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
    """Resolve the table of classes: {name in files: Known}."""
    return {
        _NAMES_IN_FILES.get(f"{module}.{name}", f"{module}.{name}"): known(
            getattr(import_module(module), name)
        )
        for known, modules in _CLASSES.items()
        for module, names in modules.items()
        for name in names
    }


def save(estimator, path) -> None:
    """Save a fitted estimator: a file without code, written as a whole or not at all.

    Parameters
    ----------
    estimator : estimator
        A fitted estimator of this package, or a pipeline of such and of scikit-learn's usual steps
        and clusterers, such as ``SimpleImputer``, ``ColumnTransformer``, ``StandardScaler``,
        ``PCA``, ``KMeans`` and ``LogisticRegression``. ``Birch`` and ``BisectingKMeans`` are not
        among them.
    path : path-like
        The file to write; one that is there is replaced. ``.safetensors`` is its usual ending.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If something in it cannot be saved, such as callbacks, or estimators of other packages: it
        is named.
    ValueError
        If it is larger than what `load` reads.
    OSError
        If the file cannot be written; one that was there is left as it was.

    See Also
    --------
    load : Load it again.

    Notes
    -----
    The user's own callables (`encoder`, `decoder`, `augmentation`, a ``FunctionTransformer``'s
    `func`) are saved as their names; `load`
    is to be given them again. `checkpoint_dir`, a path of this machine, is left out.

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
    packer = Packer(known_classes())
    packed = packer.pack(estimator, type(estimator).__name__)
    header = {"kind": "estimator", "version": __version__, "estimator": packed}
    container.write(path, header, packer.tensors)


@plain_torch()
def load(path, **callables) -> BaseEstimator:
    """Load what `save` wrote. Nothing in the file is run, whoever made it.

    Parameters
    ----------
    path : path-like
    **callables
        The user's own callables, by the names of their parameters: ``encoder=...``.

    Returns
    -------
    estimator : estimator
        Fitted, with the same bits.

    Raises
    ------
    LoadError
        If the file is damaged, cut off, forged, of another kind or of a newer format; or if a
        callable is missing, which is named.

    See Also
    --------
    save : Save a fitted estimator.

    Examples
    --------
    See `save`.
    """
    with container.reading(path) as (header, get_tensor):
        if header.get("kind") != "estimator":
            raise LoadError(f"{path} holds no estimator, but {header.get('kind')!r}.")
        unpacker = Unpacker(known_classes(), get_tensor, callables)
        try:
            estimator = unpacker.unpack(header["estimator"])
        except MissingCallable as missing:
            raise LoadError(
                f"{path} needs your own {missing.name}, {missing.dotted}, which no file can hold. "
                f"Pass it: load(path, {missing.name}=...)."
            ) from missing
        if not isinstance(estimator, BaseEstimator):
            raise LoadError(f"{path} holds no estimator, but {type(estimator).__name__}.")
        check_is_fitted(estimator)
    if callables.keys() > unpacker.needed:
        raise TypeError(
            f"load got {sorted(callables.keys() - unpacker.needed)}, but {path} needs of your own "
            f"{sorted(unpacker.needed)}. Leave the others out."
        )
    return estimator
