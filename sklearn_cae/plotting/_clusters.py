"""Displays of the images and labels in each cluster."""

from numbers import Integral
from typing import Self

import numpy as np
from sklearn.metrics.cluster import contingency_matrix
from sklearn.utils import check_scalar

from .._grouping.members import find_doubtful, find_typical
from .._input.arrays import as_samples
from .._input.labels import check_labels, check_length
from .._utils.estimators import check_fitted
from .._utils.random import local_random_state
from ._display import Display, check_given, take
from ._pictures import (
    COLORS,
    as_images,
    draw_mosaic,
    find_contrast,
    find_range,
    lay_out,
    make_axes,
    styles,
    to_block,
    to_differences,
    to_pictures,
)


class PrototypeDisplay(Display):
    """Clusters as rows: decoded prototype, typical and doubtful members, samples.

    A row has the colour and the marker of its cluster in :class:`EmbeddingDisplay`. Prototypes are
    means, which have little contrast, so they are drawn at a higher contrast than the other images:
    black is the first, and white the 99th percentile of all prototypes. Beside each, except with
    three colours, is its difference from the mean of the prototypes: red pixels are brighter than
    the mean, and blue ones darker.

    Parameters
    ----------
    prototypes : array-like of n_clusters images
        Decoded prototypes.
    members, samples : list of n_clusters array-likes of images
        Most typical members, and samples, of each cluster. The lists may differ in length or be
        empty.
    doubtful : list of n_clusters array-likes of images, default=None
        Most doubtful members of each cluster. None draws none.
    row_labels : list of n_clusters str, default=None
        Labels of the rows. None uses the numbers of the clusters.
    intensity_range : (float, float), default=None
        Intensities drawn black and white in members and samples. None uses the minimum and maximum
        of all of them.

    Attributes
    ----------
    figure_ : matplotlib Figure
    ax_ : matplotlib Axes

    Examples
    --------
    >>> from sklearn_cae.datasets import make_toy_images
    >>> from sklearn_cae.plotting import PrototypeDisplay
    >>> X, y = make_toy_images(random_state=0, return_X_y=True)
    >>> groups = [X[y == label] for label in range(3)]
    >>> display = PrototypeDisplay(
    ...     [group.mean(axis=0) for group in groups],
    ...     members=[group[:6] for group in groups],
    ...     samples=[group[6:9] for group in groups],
    ... )
    >>> [label.get_text() for label in display.plot().ax_.get_yticklabels()]
    ['cluster 0', 'cluster 1', 'cluster 2']
    """

    def __init__(
        self,
        prototypes,
        members,
        samples,
        *,
        doubtful=None,
        row_labels=None,
        intensity_range=None,
    ):
        numbers = range(len(prototypes))
        self.prototypes, self.members, self.samples = prototypes, members, samples
        self.doubtful = [[] for _ in numbers] if doubtful is None else doubtful
        self.row_labels = [f"cluster {i}" for i in numbers] if row_labels is None else row_labels
        self.intensity_range = intensity_range
        for name in ("members", "samples", "doubtful", "row_labels"):
            check_length(name, getattr(self, name), len(prototypes))

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y=None,
        *,
        mapped_labels=None,
        n_members=5,
        n_samples=5,
        random_state=0,
        ax=None,
    ) -> Self:
        """Draw the clusters of a fitted clusterer, with their members in `X`.

        Doubtful members have the lowest margin: the cosine similarity to the closest prototype
        minus the similarity to the second closest. A single cluster has no doubtful members. The
        label of a row shows the size of the cluster in `X` and, if passed, its mapped label and its
        two most frequent true labels.

        Parameters
        ----------
        estimator : fitted ContrastiveAutoencoderClusterer
        X : array-like of images
            Images in the same form as in `fit`.
        y, mapped_labels : array-like of shape (n_samples,), default=None
            True labels, and labels predicted from the clusters.
        n_members : int, default=5
            Number of typical members per cluster, and of doubtful members, at least 1.
        n_samples : int, default=5
            Number of samples per cluster, at least 1.
        random_state : int, RandomState instance or None, default=0
            Seed for the samples. None gives different results on each call.
        ax : matplotlib Axes, default=None
            Axes to draw on. None makes a new figure.

        Returns
        -------
        display : PrototypeDisplay

        Raises
        ------
        ValueError
            If the estimator was fitted on vectors, or the lengths differ.
        """
        check_fitted(estimator, "assign", "decode_prototypes")
        X = as_samples(X)
        given = check_given(len(X), y=y, mapped_labels=mapped_labels)
        check_scalar(n_members, "n_members", Integral, min_val=1)
        prototypes = as_images(estimator.decode_prototypes(), estimator)
        n_clusters, assigned = len(prototypes), estimator.assign(X)
        labels = assigned.labels
        typical = find_typical(assigned.similarity, labels, n_clusters, n_members)
        doubtful = find_doubtful(assigned.margin, labels, n_clusters, n_members)
        rng = local_random_state(random_state)
        samples = [estimator.sample(n_samples, cluster, rng)[0] for cluster in range(n_clusters)]
        return cls(
            prototypes,
            [as_images(take(X, rows), estimator) for rows in typical],
            [as_images(images, estimator) for images in samples],
            doubtful=[as_images(take(X, rows), estimator) for rows in doubtful],
            row_labels=describe(labels, n_clusters, given),
            intensity_range=estimator.intensity_range_,
        ).plot(ax=ax)

    def _draw(self, ax):
        blocks = {
            "typical\nmembers": self.members,
            "doubtful\nmembers": self.doubtful,
            "samples": self.samples,
        }
        blocks = {title: rows for title, rows in blocks.items() if any(map(len, rows))}
        limits = self.intensity_range or _find_range_of_rows(blocks.values())
        blocks = {title: to_block(rows, limits) for title, rows in blocks.items()}
        blocks = {**self._to_prototype_blocks(), **blocks}
        self.figure_, self.ax_ = draw_mosaic(ax, blocks, self.row_labels)
        self._mark_rows()

    def _to_prototype_blocks(self):
        prototypes = lay_out(self.prototypes)
        pictures = to_pictures(prototypes, find_contrast(prototypes))
        blocks = {"prototype": pictures[:, None]}
        if len(prototypes) > 1 and prototypes.shape[-1] != 3:  # colours differ in more ways
            differences, _ = to_differences(prototypes - prototypes.mean(axis=0))
            blocks["difference\nfrom mean"] = differences[:, None]
        return blocks

    def _mark_rows(self):
        """Draw the marker of each cluster between the label of its row and the pictures."""
        from matplotlib.transforms import offset_copy

        self.ax_.tick_params(axis="y", pad=16)  # points, as all lengths below
        place = offset_copy(self.ax_.get_yaxis_transform(), self.figure_, x=-9, units="points")
        looks = styles([np.arange(len(self.row_labels))]).values()
        for height, (color, marker) in zip(self.ax_.get_yticks(), looks, strict=True):
            look = {"color": color, "marker": marker, "markersize": 7, "clip_on": False}
            self.ax_.plot(0, height, transform=place, scalex=False, scaley=False, **look)


def _find_range_of_rows(blocks):
    """Return the lowest and highest intensity of blocks of rows of images."""
    ranges = [find_range(row) for rows in blocks for row in rows if len(row)]
    lows, highs = zip(*ranges, strict=True) if ranges else ([0], [1])
    return min(lows), max(highs)


class ContingencyDisplay(Display):
    """Number of members per cluster and label.

    A cell is darker if it holds a larger share of its cluster. A frame marks the label that a
    cluster is mapped to.

    Parameters
    ----------
    contingency : array-like of shape (n_clusters, n_classes)
        Counts or sums of weights.
    row_labels : list of n_clusters str, default=None
        Names of the clusters. None uses their numbers.
    classes : array-like of shape (n_classes,), default=None
        Names of the labels. None uses numbers.
    mapping : array-like of shape (n_clusters,), default=None
        Mapped label of each cluster. None draws no frames.

    Attributes
    ----------
    figure_ : matplotlib Figure
    ax_ : matplotlib Axes

    Examples
    --------
    >>> from sklearn_cae import ClusterLabelMapper
    >>> from sklearn_cae.plotting import ContingencyDisplay
    >>> mapper = ClusterLabelMapper(input="labels")
    >>> mapper.fit([[0], [0], [0], [1]], ["ill", "ill", "well", "well"])
    ClusterLabelMapper(input='labels')
    >>> display = ContingencyDisplay.from_estimator(mapper)
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['cluster 0, n = 3', 'cluster 1, n = 1']
    """

    def __init__(self, contingency, *, row_labels=None, classes=None, mapping=None):
        self.contingency = np.asarray(contingency)
        n_clusters, n_classes = self.contingency.shape
        self.row_labels = (
            [f"cluster {i}" for i in range(n_clusters)] if row_labels is None else row_labels
        )
        self.classes = np.arange(n_classes) if classes is None else np.asarray(classes)
        self.mapping = mapping
        check_length("row_labels", self.row_labels, n_clusters)
        check_length("classes", self.classes, n_classes)
        if mapping is not None:
            check_length("mapping", mapping, n_clusters)

    @classmethod
    def from_estimator(cls, estimator, *, ax=None) -> Self:
        """Draw the labelled samples that a mapper was fitted on.

        Parameters
        ----------
        estimator : fitted ClusterLabelMapper
        ax : matplotlib Axes, default=None
            Axes to draw on. None makes a new figure.

        Returns
        -------
        display : ContingencyDisplay
        """
        check_fitted(estimator, "contingency_", kind="ClusterLabelMapper")
        return cls(
            estimator.contingency_,
            row_labels=_with_sizes(range(len(estimator.mapping_)), estimator.contingency_),
            classes=estimator.classes_,
            mapping=estimator.mapping_,
        ).plot(ax=ax)

    @classmethod
    def from_predictions(cls, y_true, labels, *, mapping=None, ax=None) -> Self:
        """Draw the clusters and labels of any samples.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            True labels, integers or strings.
        labels : array-like of shape (n_samples,)
            Cluster labels, integers or strings.
        mapping : dict or array-like, default=None
            Label of each cluster, such as the ``mapping_`` of a mapper. Clusters without an entry,
            such as noise (-1), get no frame. None draws no frames.
        ax : matplotlib Axes, default=None
            Axes to draw on. None makes a new figure.

        Returns
        -------
        display : ContingencyDisplay
        """
        y_true = check_labels(y_true, name="y_true")
        labels = check_labels(labels, len(y_true), "labels")
        clusters, classes = np.unique(labels), np.unique(y_true)
        contingency = contingency_matrix(labels, y_true)
        if mapping is not None:
            named = mapping if hasattr(mapping, "get") else dict(enumerate(mapping))
            mapping = [named.get(cluster) for cluster in clusters]
        return cls(
            contingency,
            row_labels=_with_sizes(clusters, contingency),
            classes=classes,
            mapping=mapping,
        ).plot(ax=ax)

    def _draw(self, ax):
        n_clusters, n_classes = self.contingency.shape
        sizes = self.contingency.sum(axis=1, keepdims=True)
        share = self.contingency / np.maximum(sizes, 1)
        self.figure_, (self.ax_,) = make_axes(
            ax, 1, width=2.2 + 0.75 * n_classes, height=max(2.4, 0.9 + 0.38 * n_clusters)
        )
        image = self.ax_.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        for (row, column), count in np.ndenumerate(self.contingency):
            color = "white" if share[row, column] > 0.65 else "black"
            self.ax_.text(column, row, _write(count), ha="center", va="center", color=color)
        self.ax_.set_xticks(range(n_classes), self.classes.astype(str))
        self.ax_.set_yticks(range(n_clusters), self.row_labels)
        self.ax_.tick_params(length=0)
        self.ax_.set_xlabel("label")
        self.figure_.colorbar(image, ax=self.ax_, label="share of the cluster")
        if self.mapping is not None:
            self._frame_mapping()

    def _frame_mapping(self):
        from matplotlib.patches import Rectangle

        for row, mapped in enumerate(self.mapping):
            for column in () if mapped is None else np.flatnonzero(self.classes == mapped):
                corner, look = (column - 0.46, row - 0.46), {"edgecolor": COLORS[3], "fill": False}
                self.ax_.add_patch(Rectangle(corner, 0.92, 0.92, linewidth=2, **look))


def _with_sizes(clusters, contingency):
    sizes = contingency.sum(axis=1)
    return [
        f"cluster {name}, n = {_write(size)}" for name, size in zip(clusters, sizes, strict=True)
    ]


def _write(count):
    """Format a count, or a sum of weights with four digits."""
    return f"{count:.4g}" if isinstance(count, np.floating) else str(count)


def describe(clusters, n_clusters, given):
    """Return a text per cluster: size, mapped label and most frequent true labels."""
    texts = []
    for cluster in range(n_clusters):
        members = clusters == cluster
        lines = [f"cluster {cluster}, n = {members.sum()}"]
        if "mapped_labels" in given and members.any():
            lines.append(f"mapped to {given['mapped_labels'][members][0]}")
        if "y" in given and members.any():
            most = count_labels(given["y"][members])[:2]
            lines.append(", ".join(f"{label}: {n / members.sum():.0%}" for label, n in most))
        texts.append("\n".join(lines))
    return texts


def count_labels(y):
    """Return pairs of a label and its count, the most frequent first."""
    labels, counts = np.unique(y, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return list(zip(labels[order], counts[order].tolist(), strict=True))
