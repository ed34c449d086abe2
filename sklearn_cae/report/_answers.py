"""Answers of the reader of a report, which its page saves as a file."""

import hashlib
import json
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .._utils.estimators import check_fitted
from .._utils.extras import import_extra

if TYPE_CHECKING:
    from pandas import DataFrame

_FORMAT, _VERSION = "sklearn_cae answers", 1
_LARGEST = 10_000_000  # bytes
#: Most characters of each text.
LIMITS = {"name": 100, "comment": 2000, "reader": 100}
_ARTEFACT = ("", "no", "yes", "unsure")
_NONE = {"name": "", "artefact": "", "comment": ""}


@dataclass(frozen=True)
class Answers:
    """Answers of the reader of a report, from :func:`read_answers`.

    Attributes
    ----------
    names : dict of int to str
        Name of each group that the reader named.
    table : pandas DataFrame of n_clusters rows
        Columns group, name, artefact ("no", "yes", "unsure", or "" without an answer) and comment.
    reader : str
        Name or initials of the reader, as they were typed.
    saved : datetime
        Date and time at which the file was saved.
    model : str
        Fingerprint of the clusters that the answers are about.
    """

    names: dict
    table: "DataFrame"
    reader: str
    saved: datetime
    model: str


def read_answers(path, estimator) -> Answers:
    """Read the answers that the reader of a report saved.

    In a report, a reader can name each group, tell whether it is an artefact of how the images
    were taken, and comment on it. The button "Save the answers" writes the file `answers.json`.

    Parameters
    ----------
    path : str or path-like
        File of answers. It is treated as untrusted: sizes and types are checked.
    estimator : fitted ContrastiveAutoencoderClusterer
        Clusterer that the report is about, also after `save` and `load`.

    Returns
    -------
    answers : Answers
        Names of groups, a table of all answers, the reader and the date. Pass them to
        `cluster_report` or `cluster_table` as `answers`, so that they show the names.

    Raises
    ------
    ImportError
        If pandas is not installed.
    NotFittedError
        If the estimator is not fitted.
    ValueError
        If the file does not contain answers, they are about the clusters of another model, or one
        is of a wrong type, too long, or about a group that does not exist.
    OSError
        If the file cannot be read.

    See Also
    --------
    cluster_report : Write the report in which the answers are given.

    Examples
    --------
    >>> from sklearn_cae.report import read_answers
    >>> answers = read_answers("answers.json", clusterer)  # doctest: +SKIP
    >>> answers.names  # doctest: +SKIP
    {0: 'clear lungs', 2: 'pneumonia'}
    >>> table = cluster_table(clusterer, X, answers=answers)  # doctest: +SKIP
    """
    pandas = import_extra("pandas", "Answers need", "report")
    check_fitted(estimator, "n_clusters_")
    path = Path(path)
    content = _load(path)
    _check_format(content, path)
    _check_model(content.get("model"), estimator)
    n_clusters = estimator.n_clusters_
    rows = [{"group": number, **_NONE} for number in range(n_clusters)]
    for number, answer in _read_groups(content.get("groups"), n_clusters):
        rows[number] |= answer
    return Answers(
        names={row["group"]: row["name"] for row in rows if row["name"]},
        table=pandas.DataFrame(rows),
        reader=_read_line(content.get("reader"), "reader", "reader"),
        saved=_read_date(content.get("saved")),
        model=content["model"],
    )


def identify(estimator):
    """Return a fingerprint of the clusters of a fitted estimator."""
    hasher = hashlib.sha256()
    for values, dtype in ((estimator.cluster_centers_, "<f8"), (estimator.labels_, "<i8")):
        hasher.update(np.ascontiguousarray(values, dtype=dtype).tobytes())
    return hasher.hexdigest()


def check_answers(answers, estimator):
    """Raise if answers were not read by `read_answers`, or are about other clusters."""
    if answers is None:
        return
    if not isinstance(answers, Answers):
        raise TypeError(
            f"answers must be those that read_answers returns, got {type(answers).__name__}. Pass "
            "read_answers(path, estimator)."
        )
    _check_model(answers.model, estimator)


def describe_answers(answers, estimator):
    """Return what the page shows of answers, and writes into those that it saves."""
    about = {"format": _FORMAT, "version": _VERSION, "model": identify(estimator)}
    rows = [_NONE] * estimator.n_clusters_ if answers is None else answers.table.to_dict("records")
    names = [row["name"] for row in rows]
    return {
        "about": about,
        "groups": rows,
        "reader": "" if answers is None else answers.reader,
        "limits": LIMITS,
        "titles": [f"Cluster {i}" + (name and f": {name}") for i, name in enumerate(names)],
    }


# ---- Checks of a file that anyone may have written ----


def _load(path):
    size = path.stat().st_size
    if size > _LARGEST:
        raise ValueError(
            f"{path.name} must be a file of answers of at most {_LARGEST:,} bytes, got {size:,}. "
            'Pass a file that the button "Save the answers" of a report wrote.'
        )
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"{path.name} must be a file of answers, but it cannot be read as JSON ({error}). Pass "
            'a file that the button "Save the answers" of a report wrote.'
        ) from error


def _check_format(content, path):
    found = content.get("format") if isinstance(content, dict) else None
    if found != _FORMAT:
        raise ValueError(
            f"{path.name} must be a file of answers, but it has another format. Pass a file that "
            'the button "Save the answers" of a report wrote.'
        )
    version = content.get("version")
    if type(version) is not int or version != _VERSION:
        raise ValueError(
            f"version of {path.name} must be {_VERSION}, got {_quote(version)}. If a later "
            "sklearn_cae wrote the report, read the answers with that version."
        )


def _check_model(model, estimator):
    if model != identify(estimator):
        raise ValueError(
            "answers must be about the clusters of this estimator, but they are answers for "
            "another model, or for another fit of it. Load the model that the report was written "
            "for."
        )


def _read_groups(groups, n_clusters):
    if not isinstance(groups, list) or not all(isinstance(each, dict) for each in groups):
        raise ValueError("groups must be a list of objects in the file of answers. Save it again.")
    seen = set()
    for answer in groups:
        number = answer.get("group")
        if type(number) is not int or not 0 <= number < n_clusters:
            raise ValueError(
                f"group must be a number from 0 to {n_clusters - 1}, got {_quote(number)}. Correct "
                "the file of answers."
            )
        if number in seen:
            raise ValueError(
                f"group must occur once, got {number} twice. Correct the file of answers."
            )
        seen.add(number)
        yield number, _read_answer(answer, f"of group {number}")


def _read_answer(answer, of_group):
    artefact = answer.get("artefact", "")
    if artefact not in _ARTEFACT:
        raise ValueError(
            f"artefact {of_group} must be one of {_ARTEFACT}, got {_quote(artefact)}. Correct the "
            "file of answers."
        )
    return {
        "name": _read_line(answer.get("name", ""), "name", f"name {of_group}"),
        "artefact": artefact,
        "comment": _read_text(answer.get("comment", ""), "comment", f"comment {of_group}"),
    }


def _read_line(text, field, name):
    return " ".join(_read_text(text, field, name).split())


def _read_text(text, field, name):
    """Check a text, and leave out control characters and halves of characters."""
    if not isinstance(text, str) or len(text) > LIMITS[field]:
        got = f"{len(text)} characters" if isinstance(text, str) else _quote(text)
        raise ValueError(
            f"{name} must be text of at most {LIMITS[field]} characters, got {got}. Correct the "
            "file of answers."
        )
    return "".join(
        each for each in text if each in "\n\t" or unicodedata.category(each) not in ("Cc", "Cs")
    )


def _read_date(text):
    try:
        return datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"saved must be a date such as 2026-01-31T12:00:00Z, got {_quote(text)}. Correct the "
            "file of answers."
        ) from error


def _quote(value):
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]} ..."
