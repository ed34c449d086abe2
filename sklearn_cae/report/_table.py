"""Table of samples and their clusters."""

from typing import TYPE_CHECKING

from .._input.arrays import as_samples
from .._input.labels import check_length
from .._utils.estimators import check_fitted
from .._utils.extras import import_extra
from ._answers import check_answers

if TYPE_CHECKING:
    from pandas import DataFrame

#: Novelty from which on a sample is unusual.
UNUSUAL = 0.95
_DOUBTFUL = 0.5
_COLUMNS = {"group", "name", "probability", "margin", "doubtful", "novelty", "unusual"}


def cluster_table(estimator, X, metadata=None, *, answers=None) -> "DataFrame":
    """Return a table with the cluster of each sample, and how sure it is.

    Parameters
    ----------
    estimator : fitted ContrastiveAutoencoderClusterer
    X : array-like, tensor or DataFrame
        Samples in the same form as in `fit`. They may be other samples.
    metadata : pandas DataFrame of n_samples rows, default=None
        Columns that come first in the table, such as file and patient, in the order of `X`. Its
        index is ignored.
    answers : Answers, default=None
        Answers of the reader of a report about the same clusters, from `read_answers`.

    Returns
    -------
    table : pandas DataFrame of n_samples rows
        The columns of `metadata`, and

        group : int
            Cluster.
        name : str
            Name of the group, if `answers` are passed; empty if the reader named none.
        probability : float
            Share of this cluster in the soft assignment, in [0, 1].
        margin : float
            Cosine to the closest prototype minus that to the second closest.
        doubtful : bool
            Whether the probability is below one half, so that all other clusters together are
            likelier.
        novelty : float
            Share of the training samples that are less unusual, as from ``estimator.novelty``. The
            column is missing if the model cannot measure it.
        unusual : bool
            Whether the novelty is at least 0.95. Of new samples like those of the fit, about 5 %
            are.

    Raises
    ------
    ImportError
        If pandas is not installed.
    NotFittedError
        If the estimator is not fitted.
    ValueError, TypeError
        If `metadata` is no DataFrame, has a column that is added, or does not have one row for each
        sample, or `answers` are about other clusters, or not from `read_answers`.

    See Also
    --------
    cluster_report : Show the clusters and their members.
    read_answers : Read what the reader of a report answered.

    Examples
    --------
    >>> from sklearn_cae import ContrastiveAutoencoderClusterer
    >>> from sklearn_cae.datasets import make_toy_images
    >>> from sklearn_cae.report import cluster_table
    >>> X, y = make_toy_images(60, random_state=0, return_X_y=True)
    >>> clusterer = ContrastiveAutoencoderClusterer(
    ...     n_clusters=3, warm_up_epochs=2, conditioning_epochs=1, random_state=0
    ... ).fit(X)
    >>> table = cluster_table(clusterer, X)
    >>> list(table.columns)
    ['group', 'probability', 'margin', 'doubtful', 'novelty', 'unusual']
    >>> bool((table.group == clusterer.labels_).all())
    True
    """
    pandas = import_extra("pandas", "A table needs", "report")
    check_fitted(estimator, "assign")
    check_answers(answers, estimator)
    X = as_samples(X)
    if metadata is not None:
        _check_metadata(metadata, len(X), pandas)
    assigned = estimator.assign(X)
    probability = assigned.soft_assignment.max(axis=1)
    table = pandas.DataFrame(
        {
            "group": assigned.labels,
            "probability": probability,
            "margin": assigned.margin,
            "doubtful": is_doubtful(probability),
        }
    )
    if answers is not None:
        table.insert(1, "name", [answers.names.get(group, "") for group in assigned.labels])
    if assigned.novelty is not None:
        table["novelty"], table["unusual"] = assigned.novelty, assigned.novelty >= UNUSUAL
    return table if metadata is None else metadata.reset_index(drop=True).join(table)


def _check_metadata(metadata, n_samples, pandas):
    if not isinstance(metadata, pandas.DataFrame):
        raise TypeError(
            f"metadata must be a pandas DataFrame, got {type(metadata).__name__}. Pass "
            "pandas.DataFrame(metadata)."
        )
    check_length("metadata", metadata, n_samples, "sample of X")
    taken = _COLUMNS & set(metadata.columns)
    if taken:
        raise ValueError(
            f"metadata must not have the columns that are added, got {sorted(taken)}. Rename them."
        )


def is_doubtful(probability):
    """Return whether all other clusters together are likelier than the one of each sample."""
    return probability < _DOUBTFUL
