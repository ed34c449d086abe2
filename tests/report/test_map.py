"""The data with which a page colours its map by any column."""

import numpy as np
import pandas as pd
import pytest
from pages import read_points

from sklearn_cae import cluster_report

pytestmark = pytest.mark.usefixtures("quick_map")


@pytest.fixture
def read_columns(fitted, toy_images, tmp_path):
    """Columns by name that a report on some metadata offers, and the rows of its points."""

    def read(metadata, y=None, **params):
        path = cluster_report(
            fitted, toy_images[0], y, pd.DataFrame(metadata), tmp_path / "report.html", **params
        )
        points = read_points(path)
        return {column["name"]: column for column in points["columns"]}, points["row"]

    return read


def test_numbers_have_their_range_and_missing_ones_are_counted(read_columns):
    ages = np.linspace(20.123456, 80, 96)
    ages[:4] = [np.nan, np.inf, -np.inf, 30]
    columns, rows = read_columns({"age": ages})
    age = columns["age"]
    assert [age["low"], age["high"]] == [22.64, 80]
    (missing,) = age["legend"]
    assert missing[:2] == ["missing", 3]
    rounded = [float(f"{one:.4g}") if np.isfinite(one) else None for one in ages[rows]]
    assert age["values"] == rounded


def test_categories_have_a_colour_each(read_columns):
    sites = np.array(["north", "south", None, "north"] * 24, dtype=object)
    columns, rows = read_columns({"site": sites}, y=np.arange(96) % 2)
    site = columns["site"]
    assert [entry[:2] for entry in site["legend"]] == [
        ["north", 48],
        ["south", 24],
        ["missing", 24],
    ]
    assert len({tuple(entry[2:]) for entry in site["legend"]}) == 3
    decoded = [None if code < 0 else site["names"][code] for code in site["codes"]]
    assert decoded == sites[rows].tolist()
    assert [columns["label"]["names"][code] for code in columns["label"]["codes"]] == [
        str(row % 2) for row in rows
    ]


def test_rare_categories_share_a_gray(read_columns):
    ranks = np.minimum(np.arange(96) // 5, 17)
    names = np.array([f"{rank:02}" for rank in 17 - ranks])  # "00" is the most frequent
    names[:3] = ["20", "21", "22"]
    columns, rows = read_columns({"ward": names})
    ward = columns["ward"]
    assert [entry[:2] for entry in ward["legend"]][-1] == ["7 others", 20]
    assert ward["shown"] == 14
    assert len({tuple(entry[2:]) for entry in ward["legend"]}) == 15
    assert [ward["names"][code] for code in ward["codes"]] == names[rows].tolist()
    counts = pd.Series(names).value_counts()
    assert [(name, counts[name]) for name, *_ in ward["legend"][:-1]] == [
        (name, count) for name, count, *_ in ward["legend"][:-1]
    ]


def test_columns_that_tell_nothing_or_who_it_is_are_not_offered(read_columns):
    columns, _ = read_columns(
        {
            "patient": [f"patient {i}" for i in range(96)],
            "case": [f"case {i}" for i in range(96)],
            "modality": "CR",
            "height": 512,
            "nothing": None,
            "known": ["yes", None] * 48,
        }
    )
    assert list(columns) == ["known", "brightness", "contrast"]  # the last two are measured


def test_counts_are_those_of_all_images(read_columns):
    metadata = {"site": ["north", "south", None] * 32, "age": [20, 30, np.nan] * 32}
    columns, rows = read_columns(metadata, max_samples=10)
    assert len(rows) == len(columns["site"]["codes"]) == len(columns["age"]["values"]) == 10
    assert [count for _, count, *_ in columns["site"]["legend"]] == [32, 32, 32]
    assert columns["age"]["legend"][0][1] == 32
