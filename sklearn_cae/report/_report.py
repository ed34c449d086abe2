"""The report of a fitted clusterer, put together from its parts."""

import os
from datetime import datetime
from functools import partial
from numbers import Integral
from pathlib import Path

import numpy as np
from sklearn.base import clone
from sklearn.preprocessing import normalize
from sklearn.utils import check_scalar
from sklearn.utils.validation import check_is_fitted

from .. import __version__
from .._grouping.members import find_doubtful, find_typical
from .._input.arrays import as_samples
from .._input.labels import check_labels, check_length, encode_labels
from .._input.passes import fingerprint
from .._storage.files import write_whole
from .._storage.fingerprint import steady_repr
from .._utils.extras import import_extra
from .._utils.random import local_random_state
from ..metrics import clustering_report
from ..plotting._clusters import count_labels
from ..plotting._display import choose_rows, take
from ..plotting._embedding import LAYOUTS
from ..plotting._pictures import as_images, styles
from ._associations import adjust, compare_categories, compare_numbers, count_categories, quartiles
from ._markers import outline, place, trace
from ._page import render, to_decimals
from ._thumbnails import to_data_uri, to_sheet, to_thumbnails

_CARD_SIDE, _HOVER_SIDE = 96, 48  # pixels
_BLOCK = 128  # images that are floats at a time
_MOST_LABELS = 5
_PERPLEXITY = 30.0


def cluster_report(
    estimator,
    X,
    y=None,
    metadata=None,
    path="report.html",
    *,
    title="Clusters found without labels",
    max_samples=2000,
    n_members=6,
    random_state=0,
):
    """Write one page about the clusters of a fitted clusterer.

    It shows each cluster's prototype, its most typical and its most doubtful members, and the
    embedding, where the image under the pointer is shown; scores against `y`; how each column of
    `metadata` goes with the clusters; and how it was made. Where the samples are vectors, there
    are no pictures of them.

    The page holds images and metadata of those who are in `X`: send it only to those who may see
    them. The folders of checkpoints and caches are not in it.

    Parameters
    ----------
    estimator : fitted ContrastiveAutoencoderClusterer
    X : array-like, tensor or DataFrame
        Samples in the form that was fitted: those fitted, or others.
    y : array-like of shape (n_samples,), default=None
        True labels, integers or strings; none may be missing.
    metadata : pandas DataFrame of n_samples rows, default=None
        What else is known of the samples, such as age, sex, site and scanner, in the order of X;
        its index is not read. Columns of numbers are compared by ranks; booleans and all else by
        counts, so that codes (a site 1, 2 or 3) should be strings. Values that are missing, or
        infinite, are left out and counted.
    path : str or path-like, default="report.html"
        The file to write; one that is there is replaced.
    title : str, default="Clusters found without labels"
    max_samples : int, default=2000
        Of more samples, so many are in the plot, chosen at random. All others count everywhere
        else.
    n_members : int, default=6
        Typical members to show of each cluster, and as many doubtful ones; at least 1.
    random_state : int, RandomState instance or None, default=0
        Of the choice, of t-SNE and of permutations; None is fresh entropy.

    Returns
    -------
    path : pathlib.Path
        The file, written as a whole or not at all.

    Raises
    ------
    ImportError
        If jinja2 or Pillow, or with `metadata` pandas, is not installed.
    NotFittedError
        If the estimator is not fitted.
    ValueError, TypeError
        If `y` or `metadata` does not fit `X`, or a parameter breaks its rule.
    OSError
        If the folder of `path` is not there or cannot be written to.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn_cae import ContrastiveAutoencoderClusterer, cluster_report
    >>> from sklearn_cae.datasets import make_toy_images
    >>> X, y = make_toy_images(60, random_state=0, return_X_y=True)
    >>> clusterer = ContrastiveAutoencoderClusterer(
    ...     n_clusters=3, warm_up_epochs=2, conditioning_epochs=1, random_state=0
    ... ).fit(X)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = cluster_report(clusterer, X, y, path=f"{folder}/toy.html")
    ...     path.read_text(encoding="utf-8")[:15]
    '<!DOCTYPE html>'
    """
    _check_packages("jinja2", "PIL")
    check_is_fitted(estimator)
    check_scalar(max_samples, "max_samples", Integral, min_val=1)
    check_scalar(n_members, "n_members", Integral, min_val=1)
    path = _check_path(path)
    X = as_samples(X)
    y = None if y is None else _check_labels(y, len(X))
    columns = [] if metadata is None else _check_metadata(metadata, len(X))
    rng = local_random_state(random_state)

    group = _Clusters(estimator, X, y, n_members)
    page = render(
        title=title,
        noun="samples" if group.pictures is None else "images",
        notes=_find_notes(estimator),
        group=group,
        plot=_draw_plot(estimator, group, max_samples, random_state),
        scores=None if y is None else clustering_report(y, group.labels).to_dict(),
        metadata=None if metadata is None else _associate(columns, group.labels, group.n, rng),
        parameters=_tell_parameters(estimator),
        made=_tell_how(estimator, X, random_state),
    )
    write_whole(path, page.encode())
    return path


# ---- Checks ----


def _check_packages(*names):
    for name in names:
        import_extra(name, "A report needs", "report")


def _check_path(path):
    path = Path(path)
    folder = path.parent
    if not folder.is_dir():
        raise FileNotFoundError(
            f"path must be in a folder that is there, got {str(path)!r}. Make {str(folder)!r}."
        )
    if path.is_dir():
        raise IsADirectoryError(
            f"path must be a file, got the folder {str(path)!r}. Add a name, such as report.html."
        )
    if not os.access(folder, os.W_OK):
        raise PermissionError(
            f"path must be in a folder that can be written to, got {str(path)!r}. Choose another."
        )
    return path


def _check_length(name, given, n_samples):
    if given != n_samples:
        raise ValueError(
            f"{name} must have one row for each of the {n_samples} samples of X, got {given}. Pass "
            "the rows of X, in the order of X."
        )


def _check_labels(y, n_samples):
    y = check_labels(y, n_samples)
    encode_labels(y)  # raises where labels do not sort
    return y


def _check_metadata(metadata, n_samples):
    """Give each column its name, and numbers, or codes of categories and their names."""
    _check_packages("pandas")
    import pandas as pd

    if not isinstance(metadata, pd.DataFrame):
        raise TypeError(
            f"metadata must be a pandas DataFrame, got {type(metadata).__name__}. Pass "
            "pandas.DataFrame(metadata), or what its to_pandas returns."
        )
    check_length("metadata", metadata, n_samples, "sample of X")
    return [(str(name), *_read_column(column)) for name, column in metadata.items()]


def _read_column(column):
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    column = column.infer_objects()  # numbers of a frame that holds text elsewhere
    if is_numeric_dtype(column) and not is_bool_dtype(column):
        return column.to_numpy(dtype=float, na_value=np.nan), None
    if column.dtype != "category":
        column = column.map(str, na_action="ignore")
    column = column.astype("category").cat.remove_unused_categories()
    return column.cat.codes.to_numpy(), [str(name) for name in column.cat.categories]


# ---- Clusters ----


class _Pictures:
    """Rows of X as pictures, on the intensity scale of the images fitted."""

    def __init__(self, estimator, X):
        self.estimator, self.X = estimator, X

    def of_images(self, images, side):
        images = as_images(images, self.estimator)
        return to_thumbnails(images, self.estimator.intensity_range_, side)

    def of_rows(self, rows, side):
        """Shrink a block at a time: as floats, all of them may not fit into memory."""
        blocks = np.array_split(rows, max(1, -(-len(rows) // _BLOCK)))
        return [
            thumbnail
            for block in blocks
            if len(block)
            for thumbnail in self.of_images(take(self.X, block), side)
        ]


class _Clusters:
    """The clusters of samples, and what is shown of each."""

    def __init__(self, estimator, X, y, n_members):
        self.n, self.n_samples = estimator.n_clusters_, len(X)
        self.y = y
        assigned = estimator.assign(X)
        self.labels, self.margins = assigned.labels, assigned.margin
        self.embedding = assigned.embedding
        self.looks = list(styles([range(self.n)]).values())
        self.pictures = None if estimator.image_shape_ is None else _Pictures(estimator, X)
        prototypes = [None] * self.n
        if self.pictures:
            prototypes = self.pictures.of_images(estimator.decode_prototypes(), _CARD_SIDE)
        shown = zip(
            find_typical(assigned.similarity, self.labels, self.n, n_members),
            find_doubtful(self.margins, self.labels, self.n, n_members),
            prototypes,
            strict=True,
        )
        self.cards = [self._describe(number, *each) for number, each in enumerate(shown)]

    def _describe(self, number, typical, doubtful, prototype):
        members = np.flatnonzero(self.labels == number)
        color, marker = self.looks[number]
        return {
            "number": number,
            "color": color,
            "outline": f"M0 0{outline(marker, 5)}",
            "size": len(members),
            "share": len(members) / self.n_samples,
            "margin": float(self.margins[members].mean()) if len(members) else None,
            "labels": None if self.y is None else _count_labels(self.y[members]),
            "prototype": prototype and to_data_uri(prototype),
            "members": {
                "Most typical members": self._show(typical),
                "Most doubtful members": self._show(doubtful),
            },
        }

    def _show(self, rows):
        uris = [None] * len(rows)
        if self.pictures:
            uris = map(to_data_uri, self.pictures.of_rows(rows, _CARD_SIDE))
        return [
            {
                "row": int(row),
                "margin": float(self.margins[row]),
                "label": None if self.y is None else str(self.y[row]),
                "picture": uri,
            }
            for row, uri in zip(rows, uris, strict=True)
        ]


def _count_labels(y):
    """Give the most frequent labels, their number and their share; the others together."""
    counted = count_labels(y)
    mix, others = counted[:_MOST_LABELS], counted[_MOST_LABELS:]
    if others:
        noun = "label" if len(others) == 1 else "labels"
        mix.append((f"{len(others)} other {noun}", sum(count for _, count in others)))
    return [(str(label), count, count / len(y)) for label, count in mix]


# ---- The plot ----


def _draw_plot(estimator, group, max_samples, random_state):
    """Lay the embedding out by t-SNE: what to draw, and what the page's script reads."""
    rows = choose_rows(group.n_samples, max_samples, random_state)
    # By cluster, and from its clearest member on: the order in which the arrow keys walk.
    rows = rows[np.lexsort([-group.margins[rows], group.labels[rows]])]
    points = np.vstack([group.embedding[rows], estimator.embedding_means_])
    layout = LAYOUTS["tsne"](normalize(points), _PERPLEXITY, random_state)
    places, height = place(layout.coordinates)
    radius = float(np.clip(250 / np.sqrt(len(rows)), 5, 11))
    places, prototypes = places[: len(rows)], places[len(rows) :]
    data = {
        "x": places[:, 0].tolist(),
        "y": places[:, 1].tolist(),
        "row": rows.tolist(),
        "cluster": group.labels[rows].tolist(),
        "label": None if group.y is None else [str(label) for label in group.y[rows]],
        "margin": [to_decimals(margin) for margin in group.margins[rows]],
        "sprite": None,
    }
    plot = {
        "data": data,
        "height": height,
        "n": len(rows),
        "paths": trace(places, group.labels[rows], group.looks, radius),
        "prototypes": prototypes.tolist(),
        "sprite": None,
    }
    if group.pictures:
        thumbnails = group.pictures.of_rows(rows, _HOVER_SIDE)
        sheet, n_columns = to_sheet(thumbnails)
        plot["sprite"] = to_data_uri(sheet)
        width, height = thumbnails[0].size
        data["sprite"] = {"columns": n_columns, "width": width, "height": height}
    return plot


# ---- Metadata ----


def _associate(columns, labels, n_clusters, rng):
    """Test each column against the clusters, and correct the p-values for their number."""
    results = []
    for name, values, categories in columns:
        if categories is None:
            tested = compare_numbers(values, labels)
            counts, rows = quartiles(values, labels, n_clusters)
        else:
            tested = compare_categories(values, labels, rng)
            rows = count_categories(values, labels, n_clusters, len(categories))
            counts = rows.sum(axis=1).tolist()
        results.append(
            {"name": name, "categories": categories, "tested": tested, "p_adjusted": None}
            | {"counts": counts, "rows": np.asarray(rows).tolist()}
        )
    tested = [result for result in results if not result["tested"].reason]
    adjusted = adjust([result["tested"].p_value for result in tested])
    for result, p_value in zip(tested, adjusted, strict=True):
        result["p_adjusted"] = p_value
    return {
        "tested": tested,
        "untested": [result for result in results if result["tested"].reason],
    }


# ---- How it was made ----


def _find_notes(estimator):
    """Say what should make a reader careful."""
    notes = []
    if estimator.interrupted_:
        notes.append(
            "The training was interrupted before its end, and what comes after was left out. The "
            "clusters are those of an unfinished model."
        )
    if estimator.search_ and not estimator.search_["found"]:
        notes.append(
            "No number of clusters stood out when it was searched for: the groups may not be "
            "separate, and another number would describe the data as well."
        )
    return notes


#: Parameters that name a folder: this class's, a pipeline's, and that of skorch's callbacks.
_FOLDERS = {"checkpoint_dir", "memory", "dirname"}


def _tell_parameters(estimator):
    """Give all parameters but the folders of checkpoints and caches, which are of one machine."""
    names = sorted(estimator.get_params())
    folders = [name for name in names if name.rpartition("__")[2] in _FOLDERS]
    params = clone(estimator).set_params(**dict.fromkeys(folders)).get_params()
    return {name: _in_words(params[name]) for name in names if name not in folders}


def _tell_how(estimator, X, random_state):
    provenance = dict(estimator.provenance_)
    versions, taken_up = provenance.pop("versions"), provenance.pop("taken_up_with", {})
    # As fit read them: a frame of integers, say, as floats.
    same = fingerprint(estimator._check_input(X).X) == provenance["data_sha256"]
    facts = {
        "date of this report": datetime.now().astimezone().isoformat(" ", "minutes"),
        "sklearn_cae, which wrote it": __version__,
        "seed of this report": _in_words(random_state),
        "seed of the fit": _in_words(estimator.random_state),
        "training interrupted": "yes" if estimator.interrupted_ else "no",
        "epochs run": estimator.n_iter_,
        "samples in this report": len(X),
        "samples of the fit": len(estimator.labels_),
        "they are those of the fit": "yes" if same else "no, or stored in another form",
    }
    fit = {name.replace("_", " "): value for name, value in provenance.items()}
    fit |= {f"taken up with other {name}": _in_words(value) for name, value in taken_up.items()}
    return facts | fit | {f"{name} (version)": version for name, version in versions.items()}


def _in_words(value):
    """Name functions and classes without their place in memory, all else by its repr.

    Of a partial that is the function: its arguments may be of one machine.
    """
    if isinstance(value, partial):
        return f"partial of {_in_words(value.func)}"
    name = getattr(value, "__qualname__", None)
    return steady_repr(value) if name is None else f"{value.__module__}.{name}"
