"""Pictures of a fitted clusterer, as scikit-learn's Display objects.

A display is made from an estimator or from arrays, draws itself with ``plot(ax=...)`` and keeps
``figure_`` with ``ax_``, or with ``axes_`` where there are several panels. Matplotlib
(``pip install 'sklearn_cae[plot]'``) is imported when something is drawn.

Images may be (n, H, W), (n, C, H, W) or (n, H, W, C), with 1 to 4 channels, of any numeric type.
One channel is drawn gray, three as red, green and blue, two and four as the gray of their mean.
"""

import copy

import numpy as np
from sklearn.manifold import TSNE
from sklearn.preprocessing import normalize
from sklearn.utils.validation import check_is_fitted

from ._pictures import (
    COLORS,
    as_images,
    check_matplotlib,
    draw_mosaic,
    find_range,
    label,
    make_axes,
    scatter,
    styles,
    to_block,
    to_channels_last,
    to_pictures,
)
from ._random import local_random_state

__all__ = [
    "ElbowDisplay",
    "EmbeddingDisplay",
    "HistoryDisplay",
    "PrototypeDisplay",
    "ReconstructionDisplay",
]

_FAINT = "0.5"


class _Display:
    def plot(self, *, ax=None):
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, or as many as there are panels, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        self : object
            The display, now with `figure_` and `ax_` or `axes_`.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If `ax` holds another number of axes than there are panels.
        """
        check_matplotlib()
        self._draw(ax)
        return self


class EmbeddingDisplay(_Display):
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

    def __init__(self, coordinates, panels, *, prototype_coordinates=None, prototypes=None):
        self.coordinates = np.asarray(coordinates)
        self.panels = _pick(panels, len(self.coordinates))
        self.prototypes = prototypes
        self.prototype_coordinates = prototype_coordinates
        if prototypes is not None:
            _check_length("prototype_coordinates", prototype_coordinates, len(prototypes))

    @classmethod
    def from_estimator(
        cls, estimator, X, y=None, *, mapped_labels=None, max_samples=2000, random_state=0, **kwargs
    ):
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
        max_samples, random_state, **kwargs
            As in :meth:`from_predictions`. Only the samples drawn are embedded.

        Returns
        -------
        display : EmbeddingDisplay
        """
        rows = _choose_rows(len(X), max_samples, random_state)
        labels = {"true label": y, "cluster": range(len(X)), "mapped label": mapped_labels}
        panels = _pick(labels, len(X), rows)
        X = _take(X, rows)
        panels["cluster"] = estimator.predict(X)
        # A shallow copy shares what was fitted; only its parameter `output` differs.
        embedding = copy.copy(estimator).set_params(output="embedding").transform(X)
        if estimator.image_shape_ is not None:
            kwargs["prototypes"] = as_images(estimator.decode_prototypes(), estimator)
            kwargs["prototype_embedding"] = estimator.embedding_means_
        return cls.from_predictions(
            embedding, panels, max_samples=None, random_state=random_state, **kwargs
        )

    @classmethod
    def from_predictions(
        cls,
        embedding,
        panels,
        *,
        prototype_embedding=None,
        prototypes=None,
        max_samples=2000,
        perplexity=30.0,
        random_state=0,
        ax=None,
    ):
        """Lay an embedding out by t-SNE and draw it.

        Samples and prototypes are scaled to length 1, so that neighbours are those by cosine, and
        laid out together, since t-SNE has no place for what comes later.

        Parameters
        ----------
        embedding : array-like of shape (n_samples, embedding_dim)
        panels : dict of str to array-like of shape (n_samples,)
            Titles and labels, as for the class.
        prototype_embedding : array-like of shape (n_clusters, embedding_dim), default=None
            What `prototypes` were decoded from.
        prototypes : array-like of n_clusters images, default=None
        max_samples : int or None, default=2000
            Of more samples, so many are drawn, chosen at random; None draws all.
        perplexity : float, default=30.0
            Of t-SNE; lowered to a third of the number of points where it is above.
        random_state : int, RandomState instance or None, default=0
            Of the choice and of t-SNE; None is fresh entropy.
        ax : one matplotlib Axes a panel, default=None
            None makes a new figure.

        Returns
        -------
        display : EmbeddingDisplay

        Raises
        ------
        ValueError
            If no panel has labels, or the lengths differ.
        """
        rows = _choose_rows(len(embedding), max_samples, random_state)
        panels = _pick(panels, len(embedding), rows)
        points = np.asarray(embedding)[rows]
        if prototype_embedding is not None:
            points = np.vstack([points, prototype_embedding])
        coordinates = _lay_out(points, perplexity, random_state)
        return cls(
            coordinates[: len(rows)],
            panels,
            prototype_coordinates=coordinates[len(rows) :],
            prototypes=prototypes,
        ).plot(ax=ax)

    def _draw(self, ax):
        n_panels = len(self.panels)
        self.figure_, self.axes_ = make_axes(ax, n_panels, width=4.2, height=4.7)
        shared = [self.panels[t] for t in ("true label", "mapped label") if t in self.panels]
        for index, (panel, title) in enumerate(zip(self.axes_, self.panels, strict=True)):
            labels = self.panels[title]
            looks = styles(shared if title.endswith("label") else [labels])
            scatter(panel, self.coordinates, labels.astype(str), looks)
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


class PrototypeDisplay(_Display):
    """Each cluster in a row: its decoded prototype, its most typical members, samples from it.

    Parameters
    ----------
    prototypes : array-like of n_clusters images
    members, samples : list of n_clusters array-likes of images
        A row may hold fewer than others, or none.
    row_labels : list of n_clusters str, default=None
        None numbers the clusters.
    intensity_range : (float, float), default=None
        What is black and what is white; None takes the prototypes' minimum and maximum.

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

    def __init__(self, prototypes, members, samples, *, row_labels=None, intensity_range=None):
        if row_labels is None:
            row_labels = [f"cluster {cluster}" for cluster in range(len(prototypes))]
        for name, given in (("members", members), ("samples", samples), ("row_labels", row_labels)):
            _check_length(name, given, len(prototypes))
        self.prototypes, self.members, self.samples = prototypes, members, samples
        self.row_labels, self.intensity_range = row_labels, intensity_range

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y=None,
        *,
        mapped_labels=None,
        n_members=6,
        n_samples=6,
        random_state=0,
        ax=None,
    ):
        """Draw the clusters of a fitted clusterer, with their members in `X`.

        Beside each row stand the cluster's size in `X`, the label it is mapped to and its two
        most frequent true labels, where these are given.

        Parameters
        ----------
        estimator : fitted ContrastiveAutoencoderClusterer
        X : array-like of images
            In the form that was fitted.
        y, mapped_labels : array-like of shape (n_samples,), default=None
            True labels, and those predicted from the clusters.
        n_members, n_samples : int, default=6
            Images a cluster, at least 1.
        random_state : int, RandomState instance or None, default=0
            Of the samples; None is fresh entropy.
        ax : matplotlib Axes, default=None
            None makes a new figure.

        Returns
        -------
        display : PrototypeDisplay

        Raises
        ------
        ValueError
            If the estimator was fitted on vectors, or the lengths differ.
        """
        prototypes = as_images(estimator.decode_prototypes(), estimator)
        typical = estimator.representatives(X, n_members)
        numbers = range(len(prototypes))
        rng = local_random_state(random_state)
        samples = [estimator.sample(n_samples, number, rng)[0] for number in numbers]
        return cls(
            prototypes,
            [as_images(_take(X, rows), estimator) for rows in typical],
            [as_images(images, estimator) for images in samples],
            row_labels=_describe(estimator.predict(X), len(prototypes), y, mapped_labels),
            intensity_range=estimator.intensity_range_,
        ).plot(ax=ax)

    def _draw(self, ax):
        limits = self.intensity_range or find_range(self.prototypes)
        blocks = {
            "prototype": [[image] for image in self.prototypes],
            "most typical members": self.members,
            "samples": self.samples,
        }
        blocks = {
            title: to_block(rows, limits) for title, rows in blocks.items() if any(map(len, rows))
        }
        self.figure_, self.ax_ = draw_mosaic(ax, blocks, self.row_labels)


class ReconstructionDisplay(_Display):
    """Images above their reconstructions above the differences between them.

    The differences are reconstruction minus original, averaged over channels: red where the
    reconstruction is brighter.

    Parameters
    ----------
    originals, reconstructions : array-like of images
        As many of the one as of the other, of the same shape.
    intensity_range : (float, float), default=None
        What is black and what is white; None takes the originals' minimum and maximum.

    Attributes
    ----------
    figure_ : matplotlib Figure
    ax_ : matplotlib Axes

    Examples
    --------
    >>> from sklearn_cae.datasets import load_digit_images
    >>> from sklearn_cae.plotting import ReconstructionDisplay
    >>> X = load_digit_images().data[:8]
    >>> display = ReconstructionDisplay(X, 0.9 * X).plot()
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['original', 'reconstruction', 'difference']
    """

    def __init__(self, originals, reconstructions, *, intensity_range=None):
        self.originals, self.reconstructions = np.asarray(originals), np.asarray(reconstructions)
        if self.originals.shape != self.reconstructions.shape:
            raise ValueError(
                f"reconstructions must have the shape of originals, {self.originals.shape}, got "
                f"{self.reconstructions.shape}. Pass what reconstruct(originals) returns."
            )
        self.intensity_range = intensity_range

    @classmethod
    def from_estimator(cls, estimator, X, *, n_images=10, random_state=0, ax=None):
        """Reconstruct some images with a fitted clusterer and draw them.

        Parameters
        ----------
        estimator : fitted ContrastiveAutoencoderClusterer
        X : array-like of images
            In the form that was fitted.
        n_images : int, default=10
            So many are drawn, chosen at random.
        random_state : int, RandomState instance or None, default=0
            Of the choice; None is fresh entropy.
        ax : matplotlib Axes, default=None
            None makes a new figure.

        Returns
        -------
        display : ReconstructionDisplay

        Raises
        ------
        ValueError
            If the estimator was fitted on vectors.
        """
        X = _take(X, _choose_rows(len(X), n_images, random_state))
        originals, reconstructions = (
            as_images(images, estimator) for images in (X, estimator.reconstruct(X))
        )
        return cls(originals, reconstructions, intensity_range=estimator.intensity_range_).plot(
            ax=ax
        )

    def _draw(self, ax):
        from matplotlib import cm, colors

        limits = self.intensity_range or find_range(self.originals)
        images = [to_pictures(each, limits) for each in (self.originals, self.reconstructions)]
        difference = to_channels_last(self.reconstructions.astype(float) - self.originals)
        difference = difference.mean(axis=-1)
        scale = cm.ScalarMappable(colors.CenteredNorm(0, abs(difference).max() or 1), "RdBu_r")
        block = np.stack([*images, scale.cmap(scale.norm(difference))[..., :3]])
        names = ["original", "reconstruction", "difference"]
        self.figure_, self.ax_ = draw_mosaic(ax, {"": block}, names)
        self.figure_.colorbar(scale, ax=self.ax_, label="reconstruction - original", pad=0.01)


class ElbowDisplay(_Display):
    """Inertia and silhouette over the number of clusters, with the number that was chosen.

    Parameters
    ----------
    n_clusters, inertia, silhouette : array-like of shape (n_numbers,)
        Numbers of clusters tried, and what each gave.
    knee : int, default=None
        Number of clusters at the knee of the inertia.
    found : bool, default=True
        Whether the knee counts. Where it does not, or is None, the picture says so and marks
        the number with the best silhouette.

    Attributes
    ----------
    figure_ : matplotlib Figure
    axes_ : ndarray of 2 matplotlib Axes
        Of the inertia and of the silhouette.

    Examples
    --------
    >>> from sklearn_cae.plotting import ElbowDisplay
    >>> display = ElbowDisplay([2, 3, 4, 5], [9, 4, 3.5, 3.2], [0.4, 0.7, 0.6, 0.5], knee=3).plot()
    >>> display.axes_[0].get_legend().get_texts()[0].get_text()
    'knee at 3'
    """

    def __init__(self, n_clusters, inertia, silhouette, *, knee=None, found=True):
        for name, given in (("inertia", inertia), ("silhouette", silhouette)):
            _check_length(name, given, len(n_clusters))
        self.n_clusters, self.inertia, self.silhouette = n_clusters, inertia, silhouette
        self.knee, self.found = knee, found

    @classmethod
    def from_estimator(cls, estimator, *, ax=None):
        """Draw the search of a clusterer fitted with ``n_clusters="elbow"``.

        Parameters
        ----------
        estimator : fitted ContrastiveAutoencoderClusterer
        ax : 2 matplotlib Axes, default=None
            None makes a new figure.

        Returns
        -------
        display : ElbowDisplay

        Raises
        ------
        ValueError
            If the number of clusters was given, so that there was no search.
        """
        check_is_fitted(estimator)
        if estimator.elbow_ is None:
            raise ValueError(
                f"elbow_ is None: with n_clusters={estimator.n_clusters!r} there was no search. "
                "Fit with n_clusters='elbow' and a clusterer that takes a number of clusters."
            )
        names = ("n_clusters", "inertia", "silhouette", "knee", "found")
        return cls(**{name: estimator.elbow_[name] for name in names}).plot(ax=ax)

    def _draw(self, ax):
        self.figure_, self.axes_ = make_axes(ax, 2, width=4, height=3)
        found = self.found and self.knee is not None
        best = self.knee if found else self.n_clusters[np.argmax(self.silhouette)]
        note = f"knee at {best}" if found else f"no knee found;\nbest silhouette at {best}"
        for panel, name in zip(self.axes_, ("inertia", "silhouette"), strict=True):
            panel.plot(self.n_clusters, getattr(self, name), "o-", color=COLORS[0], markersize=4)
            panel.axvline(best, color=COLORS[3], linestyle="-" if found else "--", label=note)
            label(panel, "number of clusters", name)
        self.axes_[0].legend(loc="upper right", frameon=False)


class HistoryDisplay(_Display):
    """Losses and learning rate over the epochs of both phases.

    Parameters
    ----------
    history : list of dict
        One dict an epoch, with "phase" ("warm_up" or "conditioning"), "epoch", "train_loss",
        "contrastive_loss", "reconstruction_loss" and "learning_rate"; what a row has not is not
        drawn.

    Attributes
    ----------
    figure_ : matplotlib Figure
    axes_ : ndarray of 3 matplotlib Axes
        Of the warm-up's contrastive and total loss, the reconstruction loss and the learning rate.

    Examples
    --------
    >>> from sklearn_cae.plotting import HistoryDisplay
    >>> history = [
    ...     {"phase": "warm_up", "epoch": 1, "contrastive_loss": 4.1, "reconstruction_loss": 0.2},
    ...     {"phase": "conditioning", "epoch": 2, "reconstruction_loss": 0.1},
    ... ]
    >>> [ax.get_ylabel() for ax in HistoryDisplay(history).plot().axes_]
    ['warm-up loss', 'reconstruction loss', 'learning rate']
    """

    def __init__(self, history):
        self.history = history

    @classmethod
    def from_estimator(cls, estimator, *, ax=None):
        """Draw the training of a fitted clusterer.

        Parameters
        ----------
        estimator : fitted ContrastiveAutoencoderClusterer
        ax : 3 matplotlib Axes, default=None
            None makes a new figure.

        Returns
        -------
        display : HistoryDisplay
        """
        check_is_fitted(estimator)
        return cls(estimator.history_).plot(ax=ax)

    def _draw(self, ax):
        self.figure_, self.axes_ = make_axes(ax, 3, width=3.5, height=2.8)
        warm_up, reconstruction, learning_rate = self.axes_
        in_warm_up = [row for row in self.history if row["phase"] == "warm_up"]
        # The weighted reconstruction loss adds little: a broad line shows below the other.
        self._draw_line(warm_up, in_warm_up, "train_loss", "total", color="0.8", linewidth=5)
        self._draw_line(warm_up, in_warm_up, "contrastive_loss", "contrastive")
        self._draw_line(reconstruction, self.history, "reconstruction_loss")
        self._draw_line(learning_rate, self.history, "learning_rate")
        reconstruction.set_yscale("log")  # the first epochs are far above all others
        warm_up.legend(frameon=False)
        names = ("warm-up loss", "reconstruction loss", "learning rate")
        for panel, name in zip(self.axes_, names, strict=True):
            label(panel, "epoch", name)
        if 0 < len(in_warm_up) < len(self.history):
            self._mark_boundary(in_warm_up[-1]["epoch"] + 0.5)

    def _draw_line(self, panel, rows, key, label=None, **look):
        values = [row.get(key, np.nan) for row in rows]
        look = {"color": COLORS[0], "marker": "." if len(rows) < 30 else None} | look
        panel.plot([row["epoch"] for row in rows], values, label=label, **look)

    def _mark_boundary(self, epoch):
        for panel in self.axes_[1:]:
            panel.axvline(epoch, color=_FAINT, linestyle="--", linewidth=1)
            place = {"y": 1.02, "transform": panel.get_xaxis_transform(), "color": _FAINT}
            panel.text(epoch, s="warm-up ", ha="right", **place)
            panel.text(epoch, s=" conditioning", ha="left", **place)


# ---- Samples and labels ----


def _check_length(name, given, n):
    if given is None or len(given) != n:
        length = "None" if given is None else f"{len(given)} entries"
        raise ValueError(f"{name} must have {n} entries, one for each row, got {length}.")


def _pick(panels, n_samples, rows=slice(None)):
    """Take `rows` of the labels of each panel that has labels."""
    panels = {title: labels for title, labels in panels.items() if labels is not None}
    if not panels:
        raise ValueError("panels must hold labels for at least one panel, got none.")
    for title, labels in panels.items():
        _check_length(f"The labels of the panel {title!r}", labels, n_samples)
    return {title: np.asarray(labels)[rows] for title, labels in panels.items()}


def _choose_rows(n_samples, max_samples, random_state):
    if max_samples is None or n_samples <= max_samples:
        return np.arange(n_samples)
    rng = local_random_state(random_state)
    return np.sort(rng.choice(n_samples, max_samples, replace=False))


def _take(X, rows):
    if hasattr(X, "iloc"):
        return X.iloc[rows]
    return (X if hasattr(X, "shape") else np.asarray(X))[rows]


def _lay_out(points, perplexity, random_state):
    tsne = TSNE(
        perplexity=min(perplexity, max(1, len(points) / 3)),
        init="pca" if min(points.shape) > 1 else "random",
        random_state=local_random_state(random_state),
    )
    return tsne.fit_transform(normalize(points))


def _describe(clusters, n_clusters, y, mapped_labels):
    """Write down size, mapped label and most frequent true labels of each cluster."""
    given = _pick({"clusters": clusters, "y": y, "mapped": mapped_labels}, len(clusters))
    texts = []
    for cluster in range(n_clusters):
        members = given["clusters"] == cluster
        lines = [f"cluster {cluster}, n = {members.sum()}"]
        if "mapped" in given and members.any():
            lines.append(f"mapped to {given['mapped'][members][0]}")
        if "y" in given and members.any():
            labels, counts = np.unique(given["y"][members], return_counts=True)
            most = np.argsort(-counts, kind="stable")[:2]
            lines.append(", ".join(f"{labels[i]}: {counts[i] / counts.sum():.0%}" for i in most))
        texts.append("\n".join(lines))
    return texts
