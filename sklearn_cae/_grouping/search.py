"""From embeddings to prototypes.

Prototypes live on the unit sphere, since samples are assigned by cosine: embeddings are normalised
before they are clustered, and so are the clusters' means.
"""

import inspect
import warnings
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from kneed import KneeLocator
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import normalize
from tqdm.auto import tqdm

from .._utils.random import draw_seed, random_state_names
from .._utils.warnings import warn
from ..clusterers import CommunityClusterer
from .assignment import simplified_silhouette

#: At most so many samples are clustered, and looked at for an elbow: memory and time stay bounded.
CLUSTERED_SAMPLES = 20_000
SWEEP_SAMPLES = 10_000
_STRUCTURE_MARGIN = 1.1
#: Parameters that set a clusterer's number of clusters.
_NUMBERS = ("n_clusters", "n_components")
#: The estimator's default of `max_clusters`, beside which the clusterer's own one counts.
MAX_CLUSTERS = 20


class Found(NamedTuple):
    """What a search for prototypes found.

    Attributes
    ----------
    cluster_centers : ndarray of shape (n_clusters, embedding_dim)
        Unit vectors: the mean directions of the clusters.
    labels : ndarray of shape (n_samples,)
        Contiguous from 0; noise is in the closest cluster.
    clusterer_labels : ndarray of shape (n_samples,)
        The same, but noise is -1.
    clusterer : estimator
        Fitted.
    elbow : dict or None
        None where there was no search for one.
    """

    cluster_centers: np.ndarray
    labels: np.ndarray
    clusterer_labels: np.ndarray
    clusterer: Any
    elbow: dict | None


def number_parameter(clusterer):
    """Name of the parameter that sets a clusterer's number of clusters, or None.

    One that is None (a distance threshold decides in its place) sets nothing. Of a pipeline it is
    that of the last step.
    """
    return next(filter(None, (_parameter(clusterer, name) for name in _NUMBERS)), None)


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


def _asked_number(clusterer, n_clusters):
    """Return "auto" if the clusterer's own number counts: it was set, and `n_clusters` was not."""
    if n_clusters == "elbow" and any(_is_set(clusterer, name) for name in _NUMBERS):
        return "auto"
    return n_clusters


def _is_set(clusterer, name):
    """Whether a clusterer's parameter has another value than its default."""
    if clusterer is None:
        return False
    _, clusterer = last_step(clusterer)
    params = clusterer.get_params(deep=False)
    if params.get(name) is None:
        return False
    default = inspect.signature(type(clusterer)).parameters[name].default
    return isinstance(params[name], str) != isinstance(default, str) or params[name] != default


def check_clusterer(clusterer, n_clusters, n_samples):
    """Raise where a clusterer, or the number asked for, cannot be right for so many samples."""
    if isinstance(n_clusters, bool):
        raise TypeError(f"n_clusters must be an int, 'elbow' or 'auto', got {n_clusters}.")
    if isinstance(clusterer, type):
        raise TypeError(
            f"clusterer must be an estimator, got the class {clusterer.__name__}. Pass "
            f"{clusterer.__name__}()."
        )
    if clusterer is not None:
        clusterer = clone(clusterer)
        for each in (clusterer, *clusterer.get_params().values()):  # a pipeline's steps, too
            # Only those of scikit-learn and of this package declare their constraints.
            if hasattr(each, "_parameter_constraints") and not isinstance(each, type):
                each._validate_params()
    n_clusters = _asked_number(clusterer, n_clusters)
    if n_clusters == "auto" and clusterer is not None:
        n_clusters = clusterer.get_params().get(number_parameter(clusterer))
    if not isinstance(n_clusters, Integral):  # it is to be found
        return
    if n_clusters > n_samples:
        raise ValueError(
            f"n_clusters must be at most n_samples={n_samples}, got {n_clusters}. Pass fewer "
            "clusters or more samples."
        )
    n_clustered = min(CLUSTERED_SAMPLES, _looked_at(clusterer))
    if n_clusters > n_clustered:
        raise ValueError(
            f"n_clusters must be at most {n_clustered}, the number of samples that are "
            f"clustered, got {n_clusters}. Pass fewer clusters."
        )
    if clusterer is not None and number_parameter(clusterer) is None:
        raise ValueError(
            "n_clusters must be 'elbow' or 'auto' with a clusterer that finds the number by "
            f"itself, got {n_clusters} with {clusterer!r}. Leave it out."
        )


def _looked_at(clusterer):
    """Largest number of samples that a clusterer looks at, or infinity."""
    _, last = last_step(clusterer)
    return last.max_samples if isinstance(last, CommunityClusterer) else np.inf


def check_assignment(assignment, clusterer, n_clusters, refinement_epochs):
    """Raise where the clusterer's own posterior is asked for, and there is none."""
    if assignment != "clusterer":
        return
    if refinement_epochs > 0:
        raise ValueError(
            "assignment must be 'cosine' with refinement_epochs > 0, which train the embedding "
            "away from what the clusterer saw, got 'clusterer'. Pass refinement_epochs=0."
        )
    if not hasattr(_choose_clusterer(clusterer, n_clusters, 2), "predict_proba"):
        raise ValueError(
            "assignment='clusterer' needs a clusterer with predict_proba, got clusterer="
            f"{clusterer!r} with n_clusters={n_clusters!r}. Pass n_clusters='auto', or one of "
            "sklearn_cae.clusterers."
        )


def draw_clustered(n_samples, rng):
    """Draw the indices of the samples that are clustered, ascending; all, where few enough."""
    if n_samples <= CLUSTERED_SAMPLES:
        return np.arange(n_samples)
    return np.sort(rng.choice(n_samples, CLUSTERED_SAMPLES, replace=False))


def find_prototypes(embedding, clusterer, n_clusters, max_clusters, rng, *, verbose=0):
    """Cluster embeddings and take the clusters' mean directions as prototypes.

    Parameters
    ----------
    embedding : ndarray of shape (n_samples, embedding_dim)
    clusterer : estimator or None
        None is `CommunityClusterer` with "auto", and KMeans without.
    n_clusters : int, "elbow" or "auto"
        With "auto", the clusterer's own parameter stays as it is; with "elbow", too, if it has
        another value than its default. A clusterer that has no such parameter finds the number by
        itself.
    max_clusters : int
        Upper end of the search for an elbow.
    rng : RandomState
    verbose : int, default=0
        Whether a bar shows the search's progress.

    Returns
    -------
    found : Found
    """
    unit = normalize(embedding)
    n_clusters = _asked_number(clusterer, n_clusters)
    clusterer = _choose_clusterer(clusterer, n_clusters, max_clusters)
    elbow = None
    if n_clusters == "elbow" and number_parameter(clusterer) is not None:
        elbow = find_elbow(unit, clusterer, max_clusters, rng, verbose=verbose)
        n_clusters = elbow["best"]
    model, clusterer_labels = _cluster(unit, clusterer, n_clusters, rng)
    labels = _one_at_least(clusterer_labels)
    cluster_centers = mean_directions(unit, labels)
    noise = labels < 0
    labels[noise] = (unit[noise] @ cluster_centers.T).argmax(axis=1)
    return Found(cluster_centers, labels, clusterer_labels, model, elbow)


def check_finite(embedding):
    """Raise where weights that are still numbers give embeddings that are none."""
    if not np.isfinite(embedding).all():
        raise ValueError(
            "The embedding became NaN or infinite in the warm-up. Lower learning_rate or "
            "reconstruction_weight, or raise temperature."
        )


def _choose_clusterer(clusterer, n_clusters, max_clusters):
    if clusterer is None:
        clusterer = CommunityClusterer() if n_clusters == "auto" else KMeans(n_init=5)
    upper_end = _parameter(clusterer, "max_clusters")
    is_own = max_clusters == MAX_CLUSTERS and _is_set(clusterer, "max_clusters")
    if upper_end is not None and not is_own:
        return clone(clusterer).set_params(**{upper_end: max_clusters})
    return clusterer


def find_elbow(unit, clusterer, max_clusters, rng, *, verbose=0):
    """Cluster with every number from 2 on, and look for the knee of the inertia.

    Any falling curve has a point that is bent most. So a knee counts only if it is found again,
    give or take one, over the first two thirds of the numbers, or as far as two beyond it; and if
    the silhouette there is a tenth above that of one Gaussian with the samples' mean and
    covariance, clustered alike. Otherwise the best silhouette decides, with a warning.

    Parameters
    ----------
    unit : ndarray of shape (n_samples, embedding_dim)
        Normalised embeddings.
    clusterer : estimator
    max_clusters : int
    rng : RandomState
    verbose : int, default=0

    Returns
    -------
    elbow : dict
        "n_clusters", "inertia" and "silhouette": arrays over the numbers tried; "knee": int or
        None, over all numbers; "found": whether it counts; "best": the number chosen.
    """
    if len(unit) > SWEEP_SAMPLES:
        unit = unit[rng.choice(len(unit), SWEEP_SAMPLES, replace=False)]
    numbers = np.arange(2, max(2, min(max_clusters, len(unit) - 1)) + 1)
    bar = tqdm(numbers, desc="elbow", unit="k", disable=not verbose)
    inertia, silhouette = np.array([_score(unit, clusterer, k, rng) for k in bar]).T
    knee = _knee(numbers, inertia)
    doubt = _doubt(knee, numbers, inertia, silhouette, unit, clusterer, rng)
    best = knee if doubt is None else int(numbers[silhouette.argmax()])
    if doubt is not None:
        warn(
            f"No elbow was found over 2 to {numbers[-1]} clusters: {doubt}. The groups may not be "
            f"separate. n_clusters_={best} is the number with the best silhouette; look at "
            "elbow_, or pass n_clusters.",
            UserWarning,
        )
    return {
        "n_clusters": numbers,
        "inertia": inertia,
        "silhouette": silhouette,
        "knee": knee,
        "found": doubt is None,
        "best": best,
    }


def mean_directions(embedding, labels):
    """Average each cluster's normalised members, and normalise: (n_clusters, embedding_dim)."""
    return normalize(_means(normalize(embedding), labels)).astype(np.float32)


def _means(embedding, labels):
    """Mean of each cluster's members, (n_clusters, embedding_dim); noise (-1) is in none."""
    return np.stack([embedding[labels == label].mean(axis=0) for label in range(labels.max() + 1)])


def _cluster(unit, clusterer, n_clusters, rng):
    """Fit a clone; give it and its labels, contiguous from 0, noise as -1."""
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


def _one_at_least(labels):
    """Copy labels; if all are noise, one cluster has them all."""
    return labels.copy() if labels.max() >= 0 else np.zeros_like(labels)


def _score(unit, clusterer, n_clusters, rng):
    labels = _one_at_least(_cluster(unit, clusterer, n_clusters, rng)[1])
    means, members = _means(unit, labels), labels >= 0
    inertia = np.square(unit[members] - means[labels[members]]).sum()
    return inertia, simplified_silhouette(unit @ normalize(means).T).mean()


def _knee(numbers, inertia):
    if len(numbers) < 3:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # kneed warns where it finds none; so do we, once
        knee = KneeLocator(numbers, inertia, curve="convex", direction="decreasing").knee
    return None if knee is None else int(knee)


def _doubt(knee, numbers, inertia, silhouette, unit, clusterer, rng):
    """Say why a knee does not count; None if it does."""
    if knee is None:
        return "the inertia has no knee"
    shown = numbers <= min(max(2 * numbers[-1] / 3, knee + 2), numbers[-1] - 1)
    again = _knee(numbers[shown], inertia[shown])
    if again is None or abs(again - knee) > 1:
        return f"the knee, at {knee}, moves to {again} when {shown.sum()} of them are shown"
    gaussian = rng.multivariate_normal(unit.mean(axis=0), np.cov(unit.T), size=len(unit))
    _, reference = _score(normalize(gaussian), clusterer, knee, rng)
    found = silhouette[knee - numbers[0]]
    if found < _STRUCTURE_MARGIN * reference:
        return (
            f"{knee} clusters are hardly tighter (silhouette {found:.3f}) than those of a single "
            f"Gaussian ({reference:.3f})"
        )
    return None
