"""Number of clusters and seeds of any clusterer, of this package or of another."""

import inspect

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import normalize

from .._utils.random import draw_seed, random_state_names
from .._utils.warnings import warn

#: Parameters that set a clusterer's number of clusters.
NUMBERS = ("n_clusters", "n_components")


def number_parameter(clusterer):
    """Return the name of the parameter that sets a clusterer's number of clusters, or None.

    A parameter that is None sets nothing (a distance threshold may replace it). The parameter of a
    pipeline is that of its last step.
    """
    return next(filter(None, (_parameter(clusterer, name) for name in NUMBERS)), None)


def _parameter(clusterer, name):
    """Return the name in `set_params` of a clusterer's parameter, or None if it is not set."""
    prefix, clusterer = last_step(clusterer)
    is_set = clusterer.get_params(deep=False).get(name) is not None
    return prefix + name if is_set else None


def last_step(clusterer):
    """Return the prefix of the parameters of a pipeline's last step, and this step.

    If the clusterer is not a pipeline, they are "" and the clusterer itself.
    """
    prefix = ""
    while hasattr(clusterer, "steps"):
        step, clusterer = clusterer.steps[-1]
        prefix += f"{step}__"
    return prefix, clusterer


def is_set(clusterer, name):
    """Return whether the value of a clusterer's parameter differs from its default."""
    if clusterer is None:
        return False
    _, clusterer = last_step(clusterer)
    params = clusterer.get_params(deep=False)
    if params.get(name) is None:
        return False
    default = inspect.signature(type(clusterer)).parameters[name].default
    return isinstance(params[name], str) != isinstance(default, str) or params[name] != default


def fit_clone(unit, clusterer, n_clusters, rng):
    """Fit a clone of a clusterer; return it and its labels, contiguous from 0, with noise as -1.

    Parameters
    ----------
    unit : ndarray of shape (n_samples, n_features)
    clusterer : estimator
    n_clusters : int or "auto"
        Number of clusters. "auto" does not change the number of the clusterer.
    rng : RandomState
        Source of the seeds for each `random_state` of the clusterer that is None.
    """
    name = number_parameter(clusterer)
    model = clone(clusterer)
    if name is not None and n_clusters != "auto":
        model.set_params(**{name: n_clusters})
    params = model.get_params()
    unseeded = {key: draw_seed(rng) for key in random_state_names(params) if params[key] is None}
    # Copy, because a step of a pipeline may scale in place.
    labels = np.asarray(model.set_params(**unseeded).fit_predict(unit.copy()))
    is_noise = labels < 0
    if is_noise.all():
        warn(
            f"The clusterer {clusterer!r} called every sample noise. All samples were put into one "
            "cluster. Change the parameters of the clusterer.",
            ConvergenceWarning,
        )
    found, contiguous = np.unique(labels, return_inverse=True)
    return model, np.maximum(contiguous - np.count_nonzero(found < 0), -1)


def one_at_least(labels):
    """Copy labels; if all are noise, put all samples into one cluster."""
    return labels.copy() if labels.max() >= 0 else np.zeros_like(labels)


def cluster_means(embedding, labels):
    """Compute the mean of each cluster's members, (n_clusters, embedding_dim), without noise."""
    return np.stack([embedding[labels == label].mean(axis=0) for label in range(labels.max() + 1)])


def mean_directions(embedding, labels):
    """Average each cluster's normalised members, and normalise: (n_clusters, embedding_dim)."""
    return normalize(cluster_means(normalize(embedding), labels)).astype(np.float32)
