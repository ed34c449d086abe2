"""Search for prototypes.

Prototypes have unit length, because samples are assigned by cosine. Embeddings are normalised
before they are clustered, and the means of the clusters are normalised, too.
"""

from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.preprocessing import normalize

from ..clusterers import CommunityClusterer, ElbowClusterer
from ..clusterers._steps import (
    NUMBERS,
    fit_clone,
    is_set,
    last_step,
    mean_directions,
    number_parameter,
    one_at_least,
)

#: Maximum number of samples that are clustered, to limit memory and time.
CLUSTERED_SAMPLES = 20_000


class Found(NamedTuple):
    """Result of a search for prototypes.

    Attributes
    ----------
    cluster_centers : ndarray of shape (n_clusters, embedding_dim)
        Unit vectors: the mean directions of the clusters.
    labels : ndarray of shape (n_samples,)
        Clusters, contiguous from 0; noise is in the closest cluster.
    clusterer_labels : ndarray of shape (n_samples,)
        The same clusters, but noise is -1.
    clusterer : estimator
        Fitted clusterer.
    search : dict or None
        Record of the clusterer's search for the number of clusters, if it has one.
    """

    cluster_centers: np.ndarray
    labels: np.ndarray
    clusterer_labels: np.ndarray
    clusterer: Any
    search: dict | None


def _asked_number(clusterer, n_clusters):
    """Return `n_clusters`, or "auto" if only the clusterer has a number that was set."""
    if n_clusters == "elbow" and any(is_set(clusterer, name) for name in NUMBERS):
        return "auto"
    return n_clusters


def check_clusterer(clusterer, n_clusters, n_samples):
    """Raise if a clusterer or a number of clusters is invalid for `n_samples` samples."""
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
            # Only estimators of scikit-learn and of this package declare constraints.
            if hasattr(each, "_parameter_constraints") and not isinstance(each, type):
                each._validate_params()
    n_clusters = _asked_number(clusterer, n_clusters)
    if n_clusters == "auto" and clusterer is not None:
        n_clusters = clusterer.get_params().get(number_parameter(clusterer))
    if not isinstance(n_clusters, Integral):  # the clusterer finds the number
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
            f"itself, got {n_clusters} with {clusterer!r}. Leave n_clusters out."
        )


def _looked_at(clusterer):
    """Return the largest number of samples that a clusterer uses, or infinity."""
    _, last = last_step(clusterer)
    return last.max_samples if isinstance(last, CommunityClusterer) else np.inf


def check_assignment(assignment, clusterer, n_clusters, refinement_epochs):
    """Raise if `assignment` needs the clusterer's posterior, and it cannot be used."""
    if assignment != "clusterer":
        return
    if refinement_epochs > 0:
        raise ValueError(
            "assignment must be 'cosine' with refinement_epochs > 0, because the refinement "
            "changes the embedding after the clusterer was fitted, got 'clusterer'. Pass "
            "refinement_epochs=0."
        )
    if not hasattr(_choose_clusterer(clusterer, n_clusters), "predict_proba"):
        raise ValueError(
            "assignment='clusterer' needs a clusterer with predict_proba, got clusterer="
            f"{clusterer!r} with n_clusters={n_clusters!r}. Pass n_clusters='auto', or one of "
            "sklearn_cae.clusterers."
        )


def draw_clustered(n_samples, rng):
    """Draw the indices of the samples that are clustered, ascending; all if they are few."""
    if n_samples <= CLUSTERED_SAMPLES:
        return np.arange(n_samples)
    return np.sort(rng.choice(n_samples, CLUSTERED_SAMPLES, replace=False))


def find_prototypes(embedding, clusterer, n_clusters, rng, *, verbose=0):
    """Cluster embeddings and take the clusters' mean directions as prototypes.

    Parameters
    ----------
    embedding : ndarray of shape (n_samples, embedding_dim)
    clusterer : estimator or None
        None is `CommunityClusterer` with "auto", `ElbowClusterer` with "elbow", otherwise KMeans.
    n_clusters : int, "elbow" or "auto"
        Number of clusters. "auto" does not change the parameter of the clusterer, and "elbow" does
        not change it if its value is not the default. A clusterer without such a parameter finds
        the number by itself.
    rng : RandomState
    verbose : int, default=0
        Whether a bar shows the progress of the search for an elbow.

    Returns
    -------
    found : Found
    """
    unit = normalize(embedding)
    n_clusters = _asked_number(clusterer, n_clusters)
    chosen = _choose_clusterer(clusterer, n_clusters)
    if isinstance(chosen, ElbowClusterer) and chosen.random_state is None:
        # It has no seed, and uses the random numbers of this fit.
        model = clone(chosen)._search(unit, rng, verbose=verbose)
        clusterer_labels = model.labels_
    else:
        number = n_clusters if isinstance(n_clusters, Integral) else "auto"
        model, clusterer_labels = fit_clone(unit, chosen, number, rng)
    labels = one_at_least(clusterer_labels)
    cluster_centers = mean_directions(unit, labels)
    noise = labels < 0
    labels[noise] = (unit[noise] @ cluster_centers.T).argmax(axis=1)
    searched = getattr(last_step(model)[1], "search_", None)
    if isinstance(model, ElbowClusterer) and not isinstance(clusterer, ElbowClusterer):
        model = model.clusterer_  # only this function added the search
    return Found(cluster_centers, labels, clusterer_labels, model, searched)


def check_finite(embedding):
    """Raise if embeddings are NaN or infinite, although the weights are finite."""
    if not np.isfinite(embedding).all():
        raise ValueError(
            "The embedding became NaN or infinite in the warm-up. Lower learning_rate or "
            "reconstruction_weight, or raise temperature."
        )


def _choose_clusterer(clusterer, n_clusters):
    """Return the clusterer for a number of clusters, "elbow" or "auto"."""
    if n_clusters == "auto":
        return CommunityClusterer() if clusterer is None else clusterer
    if n_clusters == "elbow":
        finds_it_itself = clusterer is not None and number_parameter(clusterer) is None
        return clusterer if finds_it_itself else ElbowClusterer(clusterer)
    return KMeans(n_init=5) if clusterer is None else clusterer
