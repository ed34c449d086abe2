"""Pictures of a fitted clusterer, as scikit-learn's Display objects.

Every display is made from an estimator or from arrays, draws with ``plot(ax=...)`` and keeps
``figure_`` with ``ax_``, or ``axes_`` where there are several. Matplotlib
(``pip install 'sklearn_cae[plot]'``) is imported when something is drawn.

Images may be (n, H, W), (n, C, H, W) or (n, H, W, C) with 1 to 4 channels and any numeric type.
One channel is drawn gray, three as red, green and blue, two and four as the gray of their mean.
"""

import copy

import numpy as np
from sklearn.manifold import TSNE
from sklearn.preprocessing import normalize
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

__all__ = [
    "ElbowDisplay",
    "EmbeddingDisplay",
    "HistoryDisplay",
    "PrototypeDisplay",
    "ReconstructionDisplay",
]

# Okabe and Ito's colour-blind-safe palette without its yellow, which is too faint on white.
_COLORS = ["#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#000000"]
_MARKERS = ["o", "^", "s", "D", "v", "P", "X"]
_GRAY = "#666666"


class EmbeddingDisplay:
    """The embedding in two dimensions, coloured by true label, cluster and mapped label.

    Parameters
    ----------
    coordinates : array-like of shape (n_samples, 2)
        Where the samples lie.
    true_labels, clusters, mapped_labels : array-like of shape (n_samples,), default=None
        What the panels are coloured by, in this order; at least one is needed.
    prototype_coordinates : array-like of shape (n_clusters, 2), default=None
        Where the prototypes lie.
    prototypes : array-like of images, n_clusters of them, default=None
        The decoded prototypes, drawn at their place. Their joint minimum is black, their joint
        maximum white.

    Attributes
    ----------
    figure_ : matplotlib Figure
    axes_ : ndarray of matplotlib Axes, one a panel

    Raises
    ------
    ValueError
        If the lengths differ, no panel is asked for or the prototypes are no images.

    Examples
    --------
    >>> from sklearn_cae.plotting import EmbeddingDisplay
    >>> points = [[0, 0], [0, 1], [5, 5], [5, 6]]
    >>> display = EmbeddingDisplay(points, true_labels=["a", "a", "b", "b"], clusters=[0, 0, 1, 1])
    >>> [ax.get_title(loc="left") for ax in display.plot().axes_]
    ['(A) true label', '(B) cluster']
    """

    def __init__(
        self,
        coordinates,
        *,
        true_labels=None,
        clusters=None,
        mapped_labels=None,
        prototype_coordinates=None,
        prototypes=None,
    ):
        self.coordinates = np.asarray(coordinates)
        self.true_labels = _check_rows("true_labels", true_labels, len(self.coordinates))
        self.clusters = _check_rows("clusters", clusters, len(self.coordinates))
        self.mapped_labels = _check_rows("mapped_labels", mapped_labels, len(self.coordinates))
        if true_labels is None and clusters is None and mapped_labels is None:
            raise ValueError("Nothing to colour by: pass true_labels, clusters or mapped_labels.")
        if (prototype_coordinates is None) != (prototypes is None):
            raise ValueError("prototypes and prototype_coordinates must be given together.")
        self.prototype_coordinates = prototype_coordinates
        self.prototypes = _check_rows("prototypes", prototypes, len(prototype_coordinates or ()))

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y=None,
        *,
        mapped_labels=None,
        max_samples=2000,
        perplexity=30.0,
        random_state=0,
        ax=None,
    ):
        """Embed images with a fitted clusterer and draw them with its prototypes.

        The prototypes' place is that of their clusters' mean embedding.

        Parameters
        ----------
        estimator : fitted ContrastiveAutoencoderClusterer
            Not a pipeline that holds one.
        X : array-like of images
            As the estimator takes them. Of rows that are vectors no prototype is drawn.
        y : array-like of shape (n_samples,), default=None
            True labels.
        mapped_labels : array-like of shape (n_samples,), default=None
            Labels predicted for `X`, for example by a pipeline with a `ClusterLabelMapper`.
        max_samples, perplexity, random_state, ax
            As in :meth:`from_predictions`.

        Returns
        -------
        display : EmbeddingDisplay
        """
        rows = _draw_rows(len(X), max_samples, random_state)
        X = _take(X, rows)
        # A shallow copy shares the fitted modules; only its parameter `output` differs.
        embedding = copy.copy(estimator).set_params(output="embedding").transform(X)
        is_image = np.ndim(X) > 2 or getattr(estimator, "image_shape_", None) is not None
        return cls.from_predictions(
            embedding,
            true_labels=None if y is None else np.asarray(y)[rows],
            clusters=estimator.predict(X),
            mapped_labels=None if mapped_labels is None else np.asarray(mapped_labels)[rows],
            prototype_embeddings=estimator.embedding_means_ if is_image else None,
            prototypes=_as_images(estimator.decode_prototypes(), estimator) if is_image else None,
            max_samples=None,
            perplexity=perplexity,
            random_state=random_state,
            ax=ax,
        )

    @classmethod
    def from_predictions(
        cls,
        embedding,
        *,
        true_labels=None,
        clusters=None,
        mapped_labels=None,
        prototype_embeddings=None,
        prototypes=None,
        max_samples=2000,
        perplexity=30.0,
        random_state=0,
        ax=None,
    ):
        """Project an embedding to the plane by t-SNE and draw it.

        Samples and prototypes are scaled to length 1, where Euclidean neighbours are those by
        cosine, and projected together: t-SNE has no place for a point that comes later.

        Parameters
        ----------
        embedding : array-like of shape (n_samples, embedding_dim)
        true_labels, clusters, mapped_labels : array-like of shape (n_samples,), default=None
            What the panels are coloured by; at least one is needed.
        prototype_embeddings : array-like of shape (n_clusters, embedding_dim), default=None
            What the prototypes were decoded from.
        prototypes : array-like of images, n_clusters of them, default=None
            The decoded prototypes.
        max_samples : int or None, default=2000
            Of more samples than this, as many are drawn at random; None takes all.
        perplexity : float, default=30.0
            Of t-SNE; at most a third of the number of points is used.
        random_state : int, RandomState instance or None, default=0
            Seed of the drawn samples and of t-SNE.
        ax : array-like of matplotlib Axes, one a panel, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : EmbeddingDisplay
        """
        rows = _draw_rows(len(embedding), max_samples, random_state)
        labels = {"true_labels": true_labels, "clusters": clusters, "mapped_labels": mapped_labels}
        labels = {
            name: None if given is None else _check_rows(name, given, len(embedding))[rows]
            for name, given in labels.items()
        }
        points = _take(embedding, rows)
        if prototype_embeddings is not None:
            points = np.vstack([points, prototype_embeddings])
        coordinates = _project(points, perplexity, random_state)
        if prototype_embeddings is not None:
            labels["prototype_coordinates"] = coordinates[len(rows) :]
        return cls(coordinates[: len(rows)], **labels, prototypes=prototypes).plot(ax=ax)

    def plot(self, *, ax=None):
        """Draw the panels side by side.

        Parameters
        ----------
        ax : array-like of matplotlib Axes, one a panel, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        self : EmbeddingDisplay
        """
        panels = {
            "true label": self.true_labels,
            "cluster": self.clusters,
            "mapped label": self.mapped_labels,
        }
        panels = {title: labels for title, labels in panels.items() if labels is not None}
        self.figure_, self.axes_ = _make_axes(ax, 1, len(panels), (4.2 * len(panels), 4.6))
        label_styles = _styles(self.true_labels, self.mapped_labels)
        for letter, panel, (title, labels) in zip("ABC", self.axes_, panels.items(), strict=False):
            styles = _styles(labels) if title == "cluster" else label_styles
            self._plot_points(panel, labels, styles)
            self._plot_prototypes(panel, _styles(self.clusters) if title == "cluster" else None)
            panel.set_title(f"({letter}) {title}" if len(panels) > 1 else title, loc="left")
        return self
