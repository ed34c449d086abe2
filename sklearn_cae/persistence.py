"""Save fitted estimators in files that run no code when they are loaded.

A file made by pickle or joblib can run anything on the machine that loads it: such a file is as
safe as whoever sent it. One made by `save` holds numbers and names only (safetensors, and JSON in
its metadata), with a checksum over every byte, and is read by later versions.
"""

from importlib import import_module

import torch
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from . import __version__, _container
from ._container import LoadError
from ._fitted import NETWORKS
from ._networks import build_networks
from ._packing import Known, MissingCallable, Packer, Unpacker
from ._prototypes import Posterior
from ._random import forked_rng
from ._whitening import with_linear_ends

__all__ = ["LoadError", "load", "save"]


class _KnownEstimator(Known):
    """An estimator: its parameters keep their rules."""

    def take_apart(self, instance):
        instance._validate_params()
        return super().take_apart(instance)

    def put_together(self, state):
        instance = super().put_together(state)
        instance._validate_params()
        return instance


class _KnownHistory(Known):
    """A list of rows with methods."""

    def take_apart(self, instance):
        return {"rows": list(instance)}

    def put_together(self, state):
        return self.cls(state["rows"])


class _KnownNeighbors(Known):
    """Neighbours: the tree that finds them fast is grown again."""

    def take_apart(self, instance):
        labels = instance.classes_[instance._y]
        return {"params": instance.get_params(), "X": instance._fit_X, "y": labels}

    def put_together(self, state):
        return self.cls(**state["params"]).fit(state["X"], state["y"])


class _KnownClusterer(_KnownEstimator):
    """The clusterer: its networks are built anew and get their weights back."""

    def take_apart(self, instance):
        check_is_fitted(instance)
        state = dict(super().take_apart(instance))
        posterior = state.pop("_posterior")
        state["posterior"] = None if posterior is None else [posterior.kept, posterior.labels]
        networks = {name: state.pop(name) for name in NETWORKS}
        state["networks"] = {
            name: None if network is None else dict(network.state_dict())
            for name, network in networks.items()
        }
        return state

    def put_together(self, state):
        weights, posterior = state.pop("networks"), state.pop("posterior")
        instance = super().put_together(state)
        _check_shapes(instance)
        for name, network in _build_empty(instance._built_for, weights).items():
            setattr(instance, f"{name}_", network)
        instance._posterior = None
        if posterior is not None:
            instance._posterior = Posterior.__new__(Posterior)
            instance._posterior.clusterer = instance.clusterer_
            instance._posterior.kept, instance._posterior.labels = posterior
        return instance


def _check_shapes(clusterer):
    """Raise where the parts of a fitted clusterer cannot belong together."""
    n_clusters, embedding_dim = clusterer.cluster_centers_.shape
    shapes = {
        "embedding_means_": (n_clusters, embedding_dim),
        "embedding_covariances_": (n_clusters, embedding_dim, embedding_dim),
    }
    for name, shape in shapes.items():
        if getattr(clusterer, name).shape != shape:
            raise ValueError(f"{name} has not the shape {shape}")
    labels = clusterer.labels_
    if (
        labels.ndim != 1
        or labels.dtype.kind != "i"
        or not 0 <= labels.min() <= labels.max() < n_clusters
    ):
        raise ValueError(f"labels_ are not those of {n_clusters} clusters")
    if (clusterer.n_clusters_, clusterer._built_for["embedding_dim"]) != (
        n_clusters,
        embedding_dim,
    ):
        raise ValueError("n_clusters_ or embedding_dim differ from the shape of cluster_centers_")


def _build_empty(built_for, weights):
    """Build the networks of a fit and give them their weights.

    Those of this package take no memory before their shapes are compared with the weights'.
    """
    own = {name: built_for[name] for name in ("encoder", "decoder")}
    ours = {None, *(one.cls for one in known_classes().values())}
    is_ours = ours.issuperset(own.values())
    with torch.device("meta" if is_ours else "cpu"), forked_rng(seed=0):
        networks = build_networks(
            tuple(built_for["shape of a sample"]),
            built_for["embedding_dim"],
            variational=built_for["variational"],
            **own,
        )
        if built_for["whiten"]:
            networks["encoder"] = with_linear_ends(
                networks["encoder"], networks["decoder"], built_for["embedding_dim"]
            )
        condition = weights["decoder_"].get("condition.weight")
        if condition is not None:
            networks["decoder"].add_condition(condition.shape[1])
    for name, network in networks.items():
        if network is None:
            continue
        given = weights[f"{name}_"]
        if {key: value.shape for key, value in network.state_dict().items()} != {
            key: value.shape for key, value in given.items()
        }:
            raise ValueError(f"the weights of {name}_ are those of another network")
        if is_ours:
            network.to_empty(device="cpu")
        network.load_state_dict(given)
        network.eval()
    return networks


#: What a file may hold, by module: instances that come apart in one of the ways above.
_CLASSES = {
    _KnownClusterer: {"sklearn_cae._clusterer": ["ContrastiveAutoencoderClusterer"]},
    _KnownEstimator: {
        "sklearn_cae.clusterers": ["CommunityClusterer", "MixtureClusterer"],
        "sklearn_cae.label_mapper": ["ClusterLabelMapper"],
        "sklearn_cae.probes": ["KNNProbe", "LinearProbe"],
        "sklearn.cluster": ["AgglomerativeClustering", "HDBSCAN", "KMeans"],
        "sklearn.decomposition": ["PCA"],
        "sklearn.linear_model": ["LogisticRegression"],
        "sklearn.mixture": ["GaussianMixture"],
        "sklearn.pipeline": ["Pipeline"],
        "sklearn.preprocessing": ["StandardScaler"],
    },
    _KnownNeighbors: {"sklearn.neighbors": ["KNeighborsClassifier"]},
    _KnownHistory: {"skorch.history": ["History"]},
    Known: {
        "sklearn_cae._images": ["ImageFormat", "VectorFormat"],
        "sklearn_cae.augmentations": ["ImageViews", "VectorViews"],
        "sklearn_cae.modules": ["Encoder", "UnpooledEncoder", "VectorEncoder"],
        "sklearn.frozen": ["FrozenEstimator"],
    },
}


def known_classes():
    """Resolve the table of classes: {name in files: Known}."""
    return {
        f"{module}.{name}": known(getattr(import_module(module), name))
        for known, modules in _CLASSES.items()
        for module, names in modules.items()
        for name in names
    }


def save(estimator, path):
    """Save a fitted estimator: a file without code, written as a whole or not at all.

    Parameters
    ----------
    estimator : estimator
        A fitted estimator of this package, or a pipeline of such and of scikit-learn's
        ``StandardScaler``, ``PCA``, ``KMeans``, ``LogisticRegression`` and the like.
    path : path-like
        The file to write; one that is there is replaced. ``.safetensors`` is its usual ending.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If something in it cannot be saved, such as callbacks, or estimators of other packages: it
        is named.
    OSError
        If the file cannot be written; one that was there is left as it was.

    See Also
    --------
    load : Load it again.

    Notes
    -----
    The user's own callables (`encoder`, `decoder`, `augmentation`) are saved as their names; `load`
    is to be given them again.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn_cae import ContrastiveAutoencoderClusterer, load, save
    >>> from sklearn_cae.datasets import make_toy_images
    >>> X = make_toy_images(60, random_state=0)
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
    _container.write(path, header, packer.tensors)


def load(path, **callables):
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
    with _container.reading(path) as (header, get_tensor):
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
