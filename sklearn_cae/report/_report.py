"""HTML report of a fitted clusterer, assembled from its parts."""

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
_BLOCK = 128  # images converted to floats at once
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
) -> Path:
    """Write an HTML report about the clusters of a fitted clusterer.

    The report shows the prototype and the most typical and most doubtful members of each cluster,
    and a map of the embedding that shows the image under the pointer. It also shows scores against
    `y`, the association of each column of `metadata` with the clusters, and the settings of the
    fit. If samples are vectors, no pictures are drawn.

    The report contains images and metadata from `X` and `metadata`. Send it only to people who may
    see them. It does not contain the folders of checkpoints and caches.

    Parameters
    ----------
    estimator : fitted ContrastiveAutoencoderClusterer
    X : array-like, tensor or DataFrame
        Samples in the same form as in `fit`. They may be other samples.
    y : array-like of shape (n_samples,), default=None
        True labels, integers or strings, without missing labels.
    metadata : pandas DataFrame of n_samples rows, default=None
        Metadata of the samples, such as age, sex, site and scanner, in the order of `X`. Its index
        is ignored. Columns of numbers are compared by ranks, all others by counts; convert codes
        (such as site 1, 2 or 3) to strings. Missing and infinite values are left out and counted.
    path : str or path-like, default="report.html"
        File to write. An existing file is replaced.
    title : str, default="Clusters found without labels"
        Title of the report.
    max_samples : int, default=2000
        Maximum number of samples in the map, chosen at random. The rest of the report uses all
        samples.
    n_members : int, default=6
        Number of typical members per cluster, and of doubtful members, at least 1.
    random_state : int, RandomState instance or None, default=0
        Seed for the choice of samples, t-SNE and the permutation tests. None gives different
        results on each call.

    Returns
    -------
    path : pathlib.Path
        File of the report, which is written atomically.

    Raises
    ------
    ImportError
        If jinja2 or Pillow is not installed, or pandas is not installed and `metadata` is passed.
    NotFittedError
        If the estimator is not fitted.
    ValueError, TypeError
        If `y` or `metadata` does not match `X`, or a parameter is invalid.
    OSError
        If the folder of `path` does not exist or is not writable.

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
            f"path must be in an existing folder, got {str(path)!r}. Create {str(folder)!r}."
        )
    if path.is_dir():
        raise IsADirectoryError(
            f"path must be a file, got the folder {str(path)!r}. Add a name, such as report.html."
        )
    if not os.access(folder, os.W_OK):
        raise PermissionError(
            f"path must be in a writable folder, got {str(path)!r}. Choose another folder."
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
    encode_labels(y)  # raises if labels cannot be sorted
    return y


def _check_metadata(metadata, n_samples):
    """Return per column: name, numbers or category codes, and names of categories or None."""
    _check_packages("pandas")
    import pandas as pd

    if not isinstance(metadata, pd.DataFrame):
        raise TypeError(
            f"metadata must be a pandas DataFrame, got {type(metadata).__name__}. Pass "
            "pandas.DataFrame(metadata) or metadata.to_pandas()."
        )
    check_length("metadata", metadata, n_samples, "sample of X")
    return [(str(name), *_read_column(column)) for name, column in metadata.items()]


def _read_column(column):
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    column = column.infer_objects()  # numbers may be objects if the frame also had text
    if is_numeric_dtype(column) and not is_bool_dtype(column):
        return column.to_numpy(dtype=float, na_value=np.nan), None
    if column.dtype != "category":
        column = column.map(str, na_action="ignore")
    column = column.astype("category").cat.remove_unused_categories()
    return column.cat.codes.to_numpy(), [str(name) for name in column.cat.categories]


# ---- Clusters ----


class _Pictures:
    """Rows of X as pictures, on the intensity scale of the training images."""

    def __init__(self, estimator, X):
        self.estimator, self.X = estimator, X

    def of_images(self, images, side):
        images = as_images(images, self.estimator)
        return to_thumbnails(images, self.estimator.intensity_range_, side)

    def of_rows(self, rows, side):
        """Convert rows block by block, because all of them as floats may not fit into memory."""
        blocks = np.array_split(rows, max(1, -(-len(rows) // _BLOCK)))
        return [
            thumbnail
            for block in blocks
            if len(block)
            for thumbnail in self.of_images(take(self.X, block), side)
        ]


class _Clusters:
    """Clusters of samples, with the content of the card of each cluster."""

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
    """Return (label, count, share) of the most frequent labels, and of the others together."""
    counted = count_labels(y)
    mix, others = counted[:_MOST_LABELS], counted[_MOST_LABELS:]
    if others:
        noun = "label" if len(others) == 1 else "labels"
        mix.append((f"{len(others)} other {noun}", sum(count for _, count in others)))
    return [(str(label), count, count / len(y)) for label, count in mix]


# ---- The plot ----


def _draw_plot(estimator, group, max_samples, random_state):
    """Project the embedding by t-SNE; return the map and the data for the script of the page."""
    rows = choose_rows(group.n_samples, max_samples, random_state)
    # Sort by cluster and from the clearest member on, the order in which arrow keys move.
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
    """Test each column against the clusters, and correct the p-values for multiple tests."""
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
    """Return warnings for the reader."""
    notes = []
    if estimator.interrupted_:
        notes.append(
            "The training was interrupted before its end, and later steps were left out. The "
            "clusters are from an unfinished model."
        )
    if estimator.search_ and not estimator.search_["found"]:
        notes.append(
            "The search found no clear number of clusters. The groups may not be separate, and "
            "another number may describe the data equally well."
        )
    return notes


#: Parameters that are folders: of the clusterer, of pipelines, and of skorch's callbacks.
_FOLDERS = {"checkpoint_dir", "memory", "dirname"}


def _tell_parameters(estimator):
    """Return all parameters except folders, which are paths of one machine."""
    names = sorted(estimator.get_params())
    folders = [name for name in names if name.rpartition("__")[2] in _FOLDERS]
    params = clone(estimator).set_params(**dict.fromkeys(folders)).get_params()
    return {name: _in_words(params[name]) for name in names if name not in folders}


def _tell_how(estimator, X, random_state):
    provenance = dict(estimator.provenance_)
    versions, taken_up = provenance.pop("versions"), provenance.pop("taken_up_with", {})
    # Converted as in fit: integers of a frame, for example, become floats.
    same = fingerprint(estimator._check_input(X).X) == provenance["data_sha256"]
    facts = {
        "date of this report": datetime.now().astimezone().isoformat(" ", "minutes"),
        "sklearn_cae that wrote this report": __version__,
        "seed of this report": _in_words(random_state),
        "seed of the fit": _in_words(estimator.random_state),
        "training interrupted": "yes" if estimator.interrupted_ else "no",
        "epochs run": estimator.n_iter_,
        "samples in this report": len(X),
        "samples of the fit": len(estimator.labels_),
        "same samples as in the fit": "yes" if same else "no, or stored in another form",
    }
    fit = {name.replace("_", " "): value for name, value in provenance.items()}
    fit |= {f"resumed with other {name}": _in_words(value) for name, value in taken_up.items()}
    return facts | fit | {f"{name} (version)": version for name, version in versions.items()}


def _in_words(value):
    """Return the name of a function or class, otherwise the repr without memory addresses.

    For a partial, only the function is named: its arguments may be paths of one machine.
    """
    if isinstance(value, partial):
        return f"partial of {_in_words(value.func)}"
    name = getattr(value, "__qualname__", None)
    return steady_repr(value) if name is None else f"{value.__module__}.{name}"
