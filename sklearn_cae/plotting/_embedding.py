"""Display of the embedding in two dimensions."""

from importlib import import_module
from typing import Any, Self

import numpy as np
from sklearn.manifold import TSNE
from sklearn.preprocessing import normalize

from .._input.arrays import as_samples
from .._input.labels import check_column, check_length
from .._utils.estimators import check_fitted
from .._utils.random import draw_seed, local_random_state
from ._display import Display, choose_rows, take
from ._panels import Values, check_panels, draw_values
from ._pictures import as_images, find_contrast, make_axes, styles, to_pictures

_SHARED = ("true label", "mapped label")  # panels with the same colours
_LABELS = (*_SHARED, "cluster")  # panels whose numbers are names


class EmbeddingDisplay(Display):
    """Samples and prototypes in two dimensions, with one panel per set of labels or numbers.

    Categories have colours, markers and a legend. Numbers have shades and a colour bar, if they are
    not whole or if there are more than 12 different ones; convert codes (such as site 1 to 20) to
    strings. The numbers in the panels "true label", "cluster" and "mapped label" are always
    categories. Missing values (None, NaN, pandas.NA and infinite numbers) are gray, and so are all
    but the 20 most frequent categories of other panels.

    Parameters
    ----------
    coordinates : array-like of shape (n_samples, 2)
        Coordinates of the samples.
    panels : dict of str to array-like of shape (n_samples,)
        Title of each panel, and the labels or numbers that colour it. A panel with None is not
        drawn. The panels "true label" and "mapped label" use the same colours.
    prototype_coordinates : array-like of shape (n_clusters, 2), default=None
        Coordinates of the prototypes.
    prototypes : array-like of n_clusters images, default=None
        Images of the prototypes, from black at the first to white at the 99th percentile of all of
        them. In the panel "cluster", each frame has the colour of the cluster.
    axis_label : str, default="t-SNE"
        Name of the coordinates.
    title : str, default=None
        Title of the figure.

    Attributes
    ----------
    figure_ : matplotlib Figure
    axes_ : ndarray of matplotlib Axes, one per panel

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
        title=None,
    ):
        self.coordinates = np.asarray(coordinates)
        self.panels = check_panels(panels, len(self.coordinates))
        self.prototypes = prototypes
        self.prototype_coordinates = prototype_coordinates
        self.axis_label, self.title = axis_label, title
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
        columns=None,
        method="tsne",
        max_samples=2000,
        random_state=0,
        **kwargs,
    ) -> Self:
        """Embed samples with a fitted clusterer and draw them with its prototypes.

        The panels are "true label" (if `y` is passed), "cluster", "mapped label" (if
        `mapped_labels` is passed), and those of `columns`. A prototype is drawn at the mean
        embedding of its cluster. If the clusterer was fitted on vectors, no prototypes are drawn.

        Parameters
        ----------
        estimator : fitted ContrastiveAutoencoderClusterer
        X : array-like
            Samples in the same form as in `fit`.
        y, mapped_labels : array-like of shape (n_samples,), default=None
            True labels, and labels predicted from the clusters.
        columns : DataFrame or dict of str to array-like of shape (n_samples,), default=None
            More panels, such as age, site and scanner: titles and values in the order of `X`.
        method, max_samples, random_state, **kwargs
            As in :meth:`from_predictions`. Only drawn samples are embedded.

        Returns
        -------
        display : EmbeddingDisplay

        Raises
        ------
        TypeError
            If `columns` is neither a DataFrame nor a dict.
        ValueError
            If the lengths differ, or two panels have the same title.
        """
        check_fitted(estimator, "assign")
        check_layout(method)
        X = as_samples(X)
        rows = choose_rows(len(X), None if LAYOUTS[method].places else max_samples, random_state)
        given = {"y": y, "mapped_labels": mapped_labels}
        given = {
            name: None if labels is None else check_column(labels, len(X), name)[rows]
            for name, labels in given.items()
        }
        columns = _check_columns(columns, len(X), rows)
        assigned = estimator.assign(take(X, rows))
        panels = {
            "true label": given["y"],
            "cluster": assigned.labels,
            "mapped label": given["mapped_labels"],
            **columns,
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
        title=None,
        ax=None,
    ) -> Self:
        """Project an embedding to two dimensions and draw it.

        Samples and prototypes are scaled to length 1, so that neighbours are found by cosine
        similarity. They are projected together.

        Parameters
        ----------
        embedding : array-like of shape (n_samples, embedding_dim)
            Embedding of the samples.
        panels : dict of str to array-like of shape (n_samples,)
            Titles and values of the panels, as for the class.
        prototype_embedding : array-like of shape (n_clusters, embedding_dim), default=None
            Embedding of the prototypes.
        prototypes : array-like of n_clusters images, default=None
            Images of the prototypes.
        method : {"tsne", "opentsne", "umap"}, default="tsne"
            Projection: scikit-learn's t-SNE, openTSNE or UMAP. The last two need the packages
            openTSNE and umap-learn (``pip install 'sklearn_cae[layout]'``).
        max_samples : int or None, default=2000
            Maximum number of samples, chosen at random, that the projection is fitted on. None
            uses all samples. "opentsne" and "umap" then add the other samples to the fitted
            projection; "tsne" cannot add samples, so that the others are not drawn.
        perplexity : float, default=30.0
            Perplexity of t-SNE, or number of neighbours of UMAP. It is at most a third of the
            number of points.
        random_state : int, RandomState instance or None, default=0
            Seed for the choice of samples and the projection. None gives different results on each
            call.
        title : str, default=None
            Title of the figure.
        ax : matplotlib Axes, one per panel, default=None
            Axes to draw on. None makes a new figure.

        Returns
        -------
        display : EmbeddingDisplay

        Raises
        ------
        ImportError
            If the package of `method` is not installed.
        ValueError
            If no panel has values, the lengths differ, or `method` is unknown.
        """
        check_layout(method)
        embedding = np.asarray(embedding)
        panels = check_panels(panels, len(embedding))
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
            check_panels(panels, len(embedding), drawn),
            prototype_coordinates=layout.coordinates[len(rows) :],
            prototypes=prototypes,
            axis_label=layout.axis_label,
            title=title,
        ).plot(ax=ax)

    def _draw(self, ax):
        n_panels = len(self.panels)
        self.figure_, self.axes_ = make_axes(ax, n_panels, width=4.2, height=4.7)
        values = {
            title: Values(given, are_labels=title in _LABELS)
            for title, given in self.panels.items()
        }
        shared = [values[title].found for title in _SHARED if title in values]
        for index, (panel, title) in enumerate(zip(self.axes_, self.panels, strict=True)):
            own = [] if values[title].are_numbers else [values[title].found]
            looks = styles(shared if title in _SHARED else own)
            draw_values(panel, self.coordinates, values[title], looks)
            if self.prototypes is not None:
                self._draw_prototypes(panel, looks if title == "cluster" else {})
            panel.set_title(f"({chr(65 + index)}) {title}" if n_panels > 1 else title, loc="left")
            name = self.axis_label
            panel.set(xticks=[], yticks=[], xlabel=f"{name} 1", ylabel=f"{name} 2")
        if self.title is not None:
            self.figure_.suptitle(self.title)

    def _draw_prototypes(self, panel, styles):
        from matplotlib.offsetbox import AnnotationBbox, OffsetImage

        pictures = to_pictures(self.prototypes, find_contrast(self.prototypes))
        points = 24 if len(pictures) <= 10 else 16
        for cluster, picture in enumerate(pictures):
            color, _ = styles.get(str(cluster), ("black", None))
            zoom = points / np.sqrt(np.prod(picture.shape[:2]))  # to equal areas
            thumbnail = OffsetImage(picture, zoom=zoom)
            frame = {"edgecolor": color, "linewidth": 1.8}
            place = self.prototype_coordinates[cluster]
            panel.add_artist(AnnotationBbox(thumbnail, place, pad=0.1, bboxprops=frame))


def _check_columns(columns, n_samples, rows):
    """Return `rows` of the panels of a table or dict, by title."""
    if columns is None:
        return {}
    if not hasattr(columns, "items"):
        raise TypeError(
            "columns must be a DataFrame or a dict of titles and values, got "
            f"{type(columns).__name__}. Pass {{'age': ages}}."
        )
    panels = {}
    for title, values in columns.items():
        if str(title) in {*_LABELS, *panels}:
            raise ValueError(
                f"columns must have titles that no other panel has, got {str(title)!r}. Rename it."
            )
        panels[str(title)] = check_column(values, n_samples, f"columns[{title!r}]")[rows]
    return panels


# ---- Layouts: points (n, dimensions) of unit length to coordinates (n, 2) ----


class _TSNE:
    """t-SNE of scikit-learn, which cannot place new points."""

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
            n_jobs=1,  # umap sets this with a seed, and would warn of another value
            random_state=draw_seed(local_random_state(random_state)),
        ).fit(points)
        self.coordinates = self._fitted.embedding_

    def place(self, points):
        return self._fitted.transform(points)


LAYOUTS: dict[str, Any] = {"tsne": _TSNE, "opentsne": _OpenTSNE, "umap": _UMAP}


def check_layout(method):
    """Raise if a layout is unknown or its package is not installed."""
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
    """Return whether points have principal axes; points that are all equal have none."""
    return min(points.shape) > 1 and bool((points != points[0]).any())


def _bounded(perplexity, points):
    return min(perplexity, max(1, len(points) / 3))


def _fill_in(embedding, rows, coordinates, layout):
    """Place the other samples, and return the coordinates (n_samples, 2) of all samples."""
    others = np.setdiff1d(np.arange(len(embedding)), rows)
    filled = np.empty((len(embedding), 2))
    filled[rows] = coordinates
    filled[others] = layout.place(normalize(embedding[others]))
    return filled
