"""Nuisances: a fit and a report accept the same, and refuse the same before they compute."""

import numpy as np
import pandas as pd
import pytest
import torch
from fresh import run_fresh
from sklearn.cluster import KMeans

from sklearn_cae.datasets import make_toy_images
from sklearn_cae.metrics import confounding_report

N = 120
SITE = np.array(["A", "B", "A", "C"] * 30)
AGES = np.random.RandomState(0).rand(N)


def _never(image_shape):
    raise RuntimeError("begins before the nuisance is checked")


class Untouched(KMeans):
    def predict(self, X):
        raise RuntimeError("begins before the nuisance is checked")


@pytest.fixture(scope="module")
def images():
    return make_toy_images(N, random_state=0, return_X_y=True)[0]


@pytest.fixture(params=["fit", "report"])
def use(request, images, make_quick):
    """Pass a nuisance to a fit, or to a report, that must not begin."""
    if request.param == "fit":
        estimator = make_quick(encoder=_never, train_encoder=False)
        return lambda nuisance, y=None: estimator.fit(images, y, nuisance=nuisance)
    X = images.reshape(N, -1).astype(float)
    clusterer = Untouched(2, n_init=1, random_state=0).fit(X)
    return lambda nuisance, y=None: confounding_report(clusterer, X, nuisance, y)


def gap(values, by):
    values = np.array(values, dtype=object)
    values[3] = by
    return values


def table(**columns):
    return pd.DataFrame(columns, index=range(1, N + 1))


@pytest.mark.parametrize(
    ("nuisance", "message"),
    [
        (["A"] * N, "nuisance must have at least two different values, got only 'A'"),
        (np.zeros(N, int), "got only '0'"),
        (np.ones(N) / 3, "got only 0.33"),
        (table(a=SITE, b=1), "nuisance 'b' must have at least two"),
        (np.c_[SITE, ["A"] * N], "nuisance 'column 1' must have at least two"),
        (gap(SITE, None), "got 1 of 120 values .* row 3.*'unknown'"),
        (list(gap(SITE, np.nan)), "must be known for every sample.* row 3"),
        (pd.Series(gap(SITE, pd.NA), name="site"), "nuisance 'site' must be known .* row 3"),
        (gap(AGES, np.nan).astype(float), "missing or infinite"),
        (gap(AGES, np.inf).astype(float), "missing or infinite"),
        ([f"image {i}" for i in range(N)], "must not name patients or samples"),
        (np.arange(N) + 7, "nearly each of its 120 values"),
        ((np.arange(N) // 2).astype(str), "at most 50 categories, got 60"),
        (SITE[:7], "nuisance must have 120 entries"),
        (pd.Series(SITE[:7], name="site"), "nuisance 'site' must have 120 entries"),
        (np.zeros((N, 2, 2)), "nuisance must hold one label per sample"),
        ({"site": SITE}, r"got dict. Pass pandas.DataFrame\(nuisance\)"),
        (pd.DataFrame(index=range(N)), "different names, got no column"),
        (pd.concat([pd.Series(SITE, name="a")] * 2, axis=1), "different names, got 'a' twice"),
    ],
    ids=range(19),
)
def test_a_bad_nuisance_is_told_by_both(use, nuisance, message):
    with pytest.raises((ValueError, TypeError), match=message):
        use(nuisance)


def test_a_label_is_no_nuisance(use):
    sick = np.arange(N) % 2
    for nuisance in (sick, list(sick.astype(str)), table(site=SITE, sick=sick)):
        with pytest.raises(ValueError, match="must not be y itself, but is equal to it"):
            use(nuisance, sick)


@pytest.mark.parametrize("use", ["fit"], indirect=True)
def test_a_fit_cannot_part_sites_that_have_a_label_each(use):
    sick = np.arange(N) % 2
    with pytest.raises(ValueError, match=r"must not tell the label.* fit each site alone"):
        use(np.where(sick, "Kiel", "Bonn"), sick)
    with pytest.raises(ValueError, match="begins"):  # three sites, two labels
        use(SITE, sick)
    with pytest.raises(ValueError, match="y must have 120 entries"):
        use(SITE, sick[:-1])


@pytest.mark.parametrize("use", ["fit"], indirect=True)
def test_a_fit_needs_several_samples_of_each_value(use):
    for nuisance in (np.r_[np.zeros(N - 4), np.ones(4)], pd.Series(["0"] * (N - 4) + ["1"] * 4)):
        with pytest.raises(ValueError, match=r"at least 5 samples of each value, got 4 of 1\."):
            use(nuisance)


@pytest.mark.parametrize(
    "nuisance",
    [
        list(SITE),
        pd.Categorical(SITE),
        np.c_[SITE],
        np.c_[SITE, SITE[::-1]],
        [["A", 1.5], ["B", 2.5]] * (N // 2),
        torch.arange(N) % 3,
        np.arange(N) % 2 == 0,
        np.where(SITE == "C", 7, SITE.astype(object)),
        np.maximum(AGES, 0.8),  # most numbers are equal to the lowest
        np.minimum(AGES, 0.2),
        np.arange(N) % 2 + 0.5,
        pd.Series(np.arange(N) % 3, dtype="Int64"),
        pd.Series(pd.to_datetime(["2020-01-01", "2021-01-01"] * (N // 2))),
    ],
    ids=range(13),
)
def test_both_accept(use, nuisance):
    with pytest.raises((RuntimeError, ValueError), match="begins"):
        use(nuisance)


def test_both_accept_a_frame_of_polars(use):
    polars = pytest.importorskip("polars", reason="polars makes its own frames")
    with pytest.raises((RuntimeError, ValueError), match="begins"):
        use(polars.DataFrame({"site": SITE, "age": AGES}))


def test_a_fit_reads_nuisances_without_pandas():
    code = (
        "import sys; sys.modules['pandas'] = None\n"
        "from sklearn_cae._input.nuisances import encode_nuisances\n"
        "print([codes.tolist() for codes in encode_nuisances([['A', 1]] * 5 + [['B', 2]] * 5, 10)])"
    )
    printed = run_fresh(code)
    assert printed.strip() == str([[0] * 5 + [1] * 5] * 2)
