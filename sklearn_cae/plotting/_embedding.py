"""Where samples lie beside each other."""

from importlib import import_module
from typing import Any, Self

import numpy as np
from sklearn.manifold import TSNE
from sklearn.preprocessing import normalize

from .._input.arrays import as_samples
from .._input.labels import check_length
from .._utils.random import draw_seed, local_random_state
from ._display import Display, check_given, choose_rows, pick, take
from ._pictures import as_images, find_range, make_axes, scatter, styles, to_pictures

_SHARED = ("true label", "mapped label")  # panels of the same colours


class EmbeddingDisplay(Display):
    """Samples in the plane, one panel for each way to colour them, prototypes at their place.

    Parameters
    ----------
    coordinates : array-like of shape (n_samples, 2)
        Where the samples lie.
    panels : dict of str to array-like of shape (n_samples,)
        Title of each panel, and the labels that colour it; None leaves a panel out. The panels
        "true label" and "mapped label" share their colours.
    prototype_coordinates : array-like of shape (n_clusters, 2), default=None
        Where the prototypes lie.
    prototypes : array-like of n_clusters images, default=None
        Drawn there, their joint minimum black and their joint maximum white. In the panel
        "cluster" the frame has the cluster's colour.
    axis_label : str, default="t-SNE"
        What the coordinates are.

    Attributes
    ----------
    figure_ : matplotlib Figure
    axes_ : ndarray of matplotlib Axes, one a panel

    Examples
    --------
    >>> from sklearn_cae.plotting import EmbeddingDisplay
    >>> panels = {"true label": ["a", "a", "b", "b"], "cluster": [0, 0, 1, 1]}
    >>> display = EmbeddingDisplay([[0, 0], [0, 1], [5, 5], [5, 6]], panels).plot()
    >>> [ax.get_title(loc="left") for ax in display.axes_]
    ['(A) true label', '(B) cluster']
    """

    def __init__(
        self,
        coordinates,
        panels,
        *,
        prototype_coordinates=None,
        prototypes=None,
        axis_label="t-SNE",
    ):
        self.coordinates = np.asarray(coordinates)
        self.panels = pick(panels, len(self.coordinates))
        self.prototypes = prototypes
        self.prototype_coordinates = prototype_coordinates
        self.axis_label = axis_label
        if prototypes is not None:
            check_length("prototype_coordinates", prototype_coordinates, len(prototypes))

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y=None,
        *,
        mapped_labels=None,
        method="tsne",
        max_samples=2000,
        random_state=0,
        **kwargs,
    ) -> Self:
        """Embed samples with a fitted clusterer and draw them with its prototypes.

        The panels are "true label", where `y` is given, "cluster", and "mapped label", where
        `mapped_labels` is given. A prototype's place is that of its cluster's mean embedding.
        Of a clusterer of vectors no prototypes are drawn.

        Parameters
        ----------
        estimator : fitted ContrastiveAutoencoderClusterer
        X : array-like
            Samples in the form that was fitted.
        y, mapped_labels : array-like of shape (n_samples,), default=None
            True labels, and those predicted from the clusters.
        method, max_samples, random_state, **kwargs
            As in :meth:`from_predictions`. Only the samples drawn are embedded.

        Returns
        -------
        display : EmbeddingDisplay
        """
        check_layout(method)
        X = as_samples(X)
        rows = choose_rows(len(X), None if LAYOUTS[method].places else max_samples, random_state)
        given = check_given(len(X), y=y, mapped_labels=mapped_labels)
        given = {name: labels[rows] for name, labels in given.items()}
        assigned = estimator.assign(take(X, rows))
        panels = {
            "true label": given.get("y"),
            "cluster": assigned.labels,
            "mapped label": given.get("mapped_labels"),
        }
        if estimator.image_shape_ is not None:
            kwargs["prototypes"] = as_images(estimator.decode_prototypes(), estimator)
            kwargs["prototype_embedding"] = estimator.embedding_means_
        kwargs |= {"method": method, "max_samples": max_samples, "random_state": random_state}
        return cls.from_predictions(assigned.embedding, panels, **kwargs)

    @classmethod
    def from_predictions(
        cls,
        embedding,
        panels,
        *,
        prototype_embedding=None,
        prototypes=None,
        method="tsne",
        max_samples=2000,
        perplexity=30.0,
        random_state=0,
        ax=None,
    ) -> Self:
        """Lay an embedding out in the plane and draw it.

        Samples and prototypes are scaled to length 1, so that neighbours are those by cosine, and
        laid out together.

        Parameters
        ----------
        embedding : array-like of shape (n_samples, embedding_dim)
        panels : dict of str to array-like of shape (n_samples,)
            Titles and labels, as for the class.
        prototype_embedding : array-like of shape (n_clusters, embedding_dim), default=None
            What `prototypes` were decoded from.
        prototypes : array-like of n_clusters images, default=None
        method : {"tsne", "opentsne", "umap"}, default="tsne"
            scikit-learn's t-SNE, that of openTSNE, or UMAP; the last two need the packages
            openTSNE and umap-learn (``pip install 'sklearn_cae[layout]'``).
        max_samples : int or None, default=2000
            Of more samples, so many are laid out, chosen at random; None lays out all. The others
            are given a place among them and are drawn too by "opentsne" and "umap"; they are left
            out by "tsne", which has no place for what comes later.
        perplexity : float, default=30.0
            Of t-SNE, and UMAP's number of neighbours; lowered to a third of the number of points
            where it is above.
        random_state : int, RandomState instance or None, default=0
            Of the choice and of the layout; None is fresh entropy.
        ax : one matplotlib Axes a panel, default=None
            None makes a new figure.

        Returns
        -------
        display : EmbeddingDisplay

        Raises
        ------
        ImportError
            If the package of `method` is not installed.
        ValueError
            If no panel has labels, the lengths differ, or `method` is none of those.
        """
        check_layout(method)
        embedding = np.asarray(embedding)
        panels = pick(panels, len(embedding))
        if prototypes is not None:
            check_length("prototype_embedding", prototype_embedding, len(prototypes))
        rows = choose_rows(len(embedding), max_samples, random_state)
        if prototype_embedding is None:
            prototype_embedding = np.empty((0, embedding.shape[1]))
        points = normalize(np.vstack([embedding[rows], prototype_embedding]))
        layout = LAYOUTS[method](points, perplexity, random_state)
        drawn, coordinates = rows, layout.coordinates[: len(rows)]
        if layout.places and len(rows) < len(embedding):
            drawn = np.arange(len(embedding))
            coordinates = _fill_in(embedding, rows, coordinates, layout)
        return cls(
            coordinates,
            pick(panels, len(embedding), drawn),
            prototype_coordinates=layout.coordinates[len(rows) :],
            prototypes=prototypes,
            axis_label=layout.axis_label,
        ).plot(ax=ax)

    def _draw(self, ax):
        n_panels = len(self.panels)
        self.figure_, self.axes_ = make_axes(ax, n_panels, width=4.2, height=4.7)
        shared = [self.panels[t] for t in _SHARED if t in self.panels]
        for index, (panel, title) in enumerate(zip(self.axes_, self.panels, strict=True)):
            labels = self.panels[title]
            looks = styles(shared if title in _SHARED else [labels])
            scatter(panel, self.coordinates, labels.astype(str), looks, self.axis_label)
            if self.prototypes is not None:
                self._draw_prototypes(panel, looks if title == "cluster" else {})
            panel.set_title(f"({chr(65 + index)}) {title}" if n_panels > 1 else title, loc="left")

    def _draw_prototypes(self, panel, styles):
        from matplotlib.offsetbox import AnnotationBbox, OffsetImage

        pictures = to_pictures(self.prototypes, find_range(self.prototypes))
        points = 24 if len(pictures) <= 10 else 16
        for cluster, picture in enumerate(pictures):
            color, _ = styles.get(str(cluster), ("black", None))
            thumbnail = OffsetImage(picture, zoom=points / max(picture.shape[:2]))
            frame = {"edgecolor": color, "linewidth": 1.8}
            place = self.prototype_coordinates[cluster]
            panel.add_artist(AnnotationBbox(thumbnail, place, pad=0.1, bboxprops=frame))


# ---- Layouts: points (n, dimensions) of unit length to coordinates (n, 2) ----


class _TSNE:
    """scikit-learn's t-SNE, which has no place for points that come later."""

    package, axis_label, places = "sklearn", "t-SNE", False

    def __init__(self, points, perplexity, random_state):
        tsne = TSNE(
            perplexity=_bounded(perplexity, points),
            init="pca" if _have_axes(points) else "random",
            random_state=local_random_state(random_state),
        )
        self.coordinates = tsne.fit_transform(points)


class _OpenTSNE:
    package, axis_label, places = "openTSNE", "t-SNE", True

    def __init__(self, points, perplexity, random_state):
        from openTSNE import TSNE

        tsne = TSNE(
            perplexity=_bounded(perplexity, points),
            initialization="pca" if _have_axes(points) else "random",
            n_jobs=-1,
            random_state=draw_seed(local_random_state(random_state)),
        )
        self._fitted = tsne.fit(points)
        self.coordinates = np.asarray(self._fitted)

    def place(self, points):
        return np.asarray(self._fitted.transform(points))


class _UMAP:
    package, axis_label, places = "umap", "UMAP", True

    def __init__(self, points, perplexity, random_state):
        from umap import UMAP

        self._fitted = UMAP(
            n_neighbors=max(2, int(_bounded(perplexity, points))),
            init="spectral" if len(points) > 10 else "random",
            n_jobs=1,  # what a seed means to it, without a warning
            random_state=draw_seed(local_random_state(random_state)),
        ).fit(points)
        self.coordinates = self._fitted.embedding_

    def place(self, points):
        return self._fitted.transform(points)


LAYOUTS: dict[str, Any] = {"tsne": _TSNE, "opentsne": _OpenTSNE, "umap": _UMAP}


def check_layout(method):
    """Raise where a layout is not known, or its package is not installed."""
    if method not in LAYOUTS:
        raise ValueError(f"method must be one of {sorted(LAYOUTS)}, got {method!r}.")
    try:
        import_module(LAYOUTS[method].package)
    except ImportError as error:
        raise ImportError(
            f"method={method!r} needs a package that is not installed. Install it with: "
            "pip install 'sklearn_cae[layout]', or pass method='tsne'."
        ) from error


def _have_axes(points):
    """Whether points have principal axes to start from: points that are all equal have none."""
    return min(points.shape) > 1 and bool((points != points[0]).any())


def _bounded(perplexity, points):
    return min(perplexity, max(1, len(points) / 3))


def _fill_in(embedding, rows, coordinates, layout):
    """Place the samples that were not laid out; coordinates (n_samples, 2) of all."""
    others = np.setdiff1d(np.arange(len(embedding)), rows)
    filled = np.empty((len(embedding), 2))
    filled[rows] = coordinates
    filled[others] = layout.place(normalize(embedding[others]))
    return filled
