"""HTML report of a fitted clusterer, assembled from its parts."""

import os
from numbers import Integral
from pathlib import Path

from sklearn.utils import check_scalar

from .._input.arrays import as_samples
from .._input.axes import is_volume
from .._input.labels import check_labels, encode_labels
from .._statistics.associations import associate
from .._storage.files import write_whole
from .._utils.estimators import check_fitted
from .._utils.extras import import_extra
from .._utils.random import local_random_state
from ..metrics import clustering_report, patient_profile
from ..metrics._explained import find_explained
from ._answers import check_answers, describe_answers
from ._clusters import Clusters
from ._columns import add_measured, check_metadata
from ._made import find_notes, tell_how, tell_parameters
from ._map import draw_plot
from ._names import Patients, name_samples, to_csv_uri
from ._originals import Originals
from ._page import render
from ._stability import check_stability, tell_stability


def cluster_report(
    estimator,
    X,
    y=None,
    metadata=None,
    path="report.html",
    *,
    groups=None,
    images=None,
    names=None,
    stability=None,
    answers=None,
    title="Clusters found without labels",
    max_samples=2000,
    n_members=6,
    random_state=0,
) -> Path:
    """Write an HTML report about the clusters of a fitted clusterer.

    The report shows the prototype and the most typical and most doubtful members of each cluster,
    and a map of the embedding that shows the image under the pointer. It also shows scores against
    `y`, the association of each column of `metadata` with the clusters, and the settings of the
    fit. If samples are vectors, no pictures are drawn, but for `images`. The picture of a volume is
    its middle slices across D, H and W, one below the other.

    Technical columns tell how images were taken: brightness, contrast and border of `X`, and
    columns of `metadata` such as bits, height, manufacturer, scanner and site. They are tested
    apart. A warning at the top names clusters that follow one of them.

    The report contains images and metadata from `X`, `images` and `metadata`. Send it only to
    people who may see them. It contains neither `groups` nor the folders of checkpoints and caches.

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
        Columns that name files or patients are left out: those with usual names, such as file,
        patient_id and accession, and with `groups` also those with another value for each patient.
    path : str or path-like, default="report.html"
        File to write. An existing file is replaced.
    groups : array-like of shape (n_samples,), default=None
        Patient of each sample. P-values then come from random exchanges of patients. The report
        counts patients, tells whether images of a patient are in one cluster, and names samples
        "patient 12, image 2". Patients have other numbers in each report, in random order.
    images : sequence of length n_samples, default=None
        Originals of the samples for the screen: arrays of shape (H, W) or (H, W, 3), for volumes
        also (D, H, W), Pillow pictures, or paths of files, such as
        :class:`~sklearn_cae.images.Originals`. Only those of the members that are shown are read.
        Arrays of other types than uint8 are shown between their percentiles .5 and 99.5. An
        original that cannot be read has a note in its place, and a UserWarning tells why.
    names : array-like of str of shape (n_samples,), default=None
        Names of the samples, such as their files. File names may tell who a patient is. None names
        them by patient (see `groups`) or by row, as "image 12".
    stability : StabilityReport, default=None
        Result of ``stability_report(estimator, X)`` for this fitted estimator and this `X`. The
        report tells which clusters come back.
    answers : Answers, default=None
        Answers of a reader of an earlier report about the same clusters, from `read_answers`. The
        report shows the names of the groups beside their numbers, and the answers in its fields.
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
        If jinja2 or Pillow is not installed, or pandas is not installed and `metadata` or `groups`
        is passed.
    NotFittedError
        If the estimator is not fitted.
    ValueError, TypeError
        If `y`, `metadata`, `groups`, `images` or `names` does not match `X`, `groups` has a single
        patient, `stability` or `answers` are about other clusters, or a parameter is invalid.
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
    _check_packages("jinja2", "PIL", *([] if groups is None else ["pandas"]))
    check_fitted(estimator, "assign")
    for name, number in (("max_samples", max_samples), ("n_members", n_members)):
        check_scalar(number, name, Integral, min_val=1)
    check_answers(answers, estimator)
    check_stability(stability)
    path, X = _check_path(path), as_samples(X)
    rng = local_random_state(random_state)
    y = None if y is None else _check_labels(y, len(X))
    patients = None if groups is None else Patients(groups, len(X))
    columns = check_metadata(metadata, len(X), patients)
    noun = _name_one(estimator, images)
    originals = None if images is None else Originals(images, len(X), noun == "volume")
    names = name_samples(names, patients, len(X), noun)

    assigned, samples = estimator.assign(X), estimator._check_input(X)
    stable = stability and tell_stability(stability, assigned.labels)
    group = Clusters(estimator, X, y, assigned, names, n_members, originals, patients)
    if group.pictures is not None:
        add_measured(columns, samples, estimator.intensity_range_)
    metadata = _compare(columns, group, rng)
    page = render(
        title=title,
        noun=f"{noun}s",
        notes=find_notes(estimator, stable, metadata["explained"]),
        group=group,
        answers=describe_answers(answers, estimator),
        table=to_csv_uri(names, assigned, patients),
        stable=stable,
        plot=draw_plot(estimator, group, columns.all, max_samples, random_state),
        scores=None if y is None else clustering_report(y, group.labels).to_dict(),
        profile=patients and patient_profile(group.labels, patients.numbers, random_state=rng),
        metadata=metadata,
        is_trained=bool(estimator.train_encoder),
        parameters=tell_parameters(estimator),
        made=tell_how(estimator, samples.X, random_state),
    )
    write_whole(path, page.encode())
    if originals is not None:
        originals.warn()
    return path


def _name_one(estimator, images):
    """Return what the page calls a sample."""
    if estimator.image_shape_ is None:
        return "sample" if images is None else "image"
    return "volume" if is_volume(estimator.image_shape_) else "image"


def _compare(columns, group, rng):
    """Test the columns of the user and the technical ones against the clusters, apart."""
    patients = None if group.patients is None else group.patients.numbers
    own, technical = (
        associate(given, group.labels, group.n, rng, patients) if given else None
        for given in (columns.own, columns.technical)
    )
    p_values = {each["name"]: each["p_adjusted"] for each in (technical or {}).get("tested", [])}
    names = [f"Cluster {number}" for number in range(group.n)]
    return {
        "own": own,
        "technical": technical,
        "left_out": columns.left_out,
        "explained": find_explained(columns.technical, p_values, group.labels, names),
    }


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


def _check_labels(y, n_samples):
    y = check_labels(y, n_samples)
    encode_labels(y)  # raises if labels cannot be sorted
    return y
