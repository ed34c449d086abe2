"""What any clusterer, of this package or another, is asked and told: its number, its seeds."""

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
    """Name of the parameter that sets a clusterer's number of clusters, or None.

    One that is None (a distance threshold decides in its place) sets nothing. Of a pipeline it is
    that of the last step.
    """
    return next(filter(None, (_parameter(clusterer, name) for name in NUMBERS)), None)


def _parameter(clusterer, name):
    """Give the name, in `set_params`, of a clusterer's parameter that is set; None without."""
    prefix, clusterer = last_step(clusterer)
    is_set = clusterer.get_params(deep=False).get(name) is not None
    return prefix + name if is_set else None


def last_step(clusterer):
    """Give what begins the names of its parameters, and the step that ends a pipeline.

    Of no pipeline that is nothing, and itself.
    """
    prefix = ""
    while hasattr(clusterer, "steps"):
        step, clusterer = clusterer.steps[-1]
        prefix += f"{step}__"
    return prefix, clusterer


def is_set(clusterer, name):
    """Whether a clusterer's parameter has another value than its default."""
    if clusterer is None:
        return False
    _, clusterer = last_step(clusterer)
    params = clusterer.get_params(deep=False)
    if params.get(name) is None:
        return False
    default = inspect.signature(type(clusterer)).parameters[name].default
    return isinstance(params[name], str) != isinstance(default, str) or params[name] != default


def fit_clone(unit, clusterer, n_clusters, rng):
    """Fit a clone of a clusterer; return it and its labels, contiguous from 0, noise as -1.

    Parameters
    ----------
    unit : ndarray of shape (n_samples, n_features)
    clusterer : estimator
    n_clusters : int or "auto"
        With "auto" the clusterer's own number stays as it is.
    rng : RandomState
        Seeds those of its parameters `random_state` that are None.
    """
    name = number_parameter(clusterer)
    model = clone(clusterer)
    if name is not None and n_clusters != "auto":
        model.set_params(**{name: n_clusters})
    params = model.get_params()
    unseeded = {key: draw_seed(rng) for key in random_state_names(params) if params[key] is None}
    # A copy, since a step of a pipeline may scale in place.
    labels = np.asarray(model.set_params(**unseeded).fit_predict(unit.copy()))
    is_noise = labels < 0
    if is_noise.all():
        warn(
            f"The clusterer {clusterer!r} called every sample noise: one prototype, the mean of "
            "all, stands for them.",
            ConvergenceWarning,
        )
    found, contiguous = np.unique(labels, return_inverse=True)
    return model, np.maximum(contiguous - np.count_nonzero(found < 0), -1)


def one_at_least(labels):
    """Copy labels; if all are noise, one cluster has them all."""
    return labels.copy() if labels.max() >= 0 else np.zeros_like(labels)


def cluster_means(embedding, labels):
    """Mean of each cluster's members, (n_clusters, embedding_dim); noise (-1) is in none."""
    return np.stack([embedding[labels == label].mean(axis=0) for label in range(labels.max() + 1)])


def mean_directions(embedding, labels):
    """Average each cluster's normalised members, and normalise: (n_clusters, embedding_dim)."""
    return normalize(cluster_means(normalize(embedding), labels)).astype(np.float32)
