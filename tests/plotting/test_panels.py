"""Panels of a map that show numbers, missing values, and columns of a table."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_rgb

from sklearn_cae.plotting import EmbeddingDisplay

matplotlib.use("Agg")

AGES = np.arange(20.0, 60.0)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def draw(values, title="column", **params):
    coordinates = np.column_stack([np.arange(len(values)), np.zeros(len(values))])
    return EmbeddingDisplay(coordinates, {title: values}, **params).plot()


def legend_of(display):
    legend = display.axes_[0].get_legend()
    return [] if legend is None else [text.get_text() for text in legend.get_texts()]


def bars_of(display):
    return [axes for axes in display.figure_.axes if axes not in display.axes_]


def places(display, name):
    """Return where the points of a legend's entry are, and their colours."""
    (points,) = [each for each in display.axes_[0].collections if each.get_label() == name]
    return points.get_offsets()[:, 0].tolist(), points.get_facecolor()[:, :3]


@pytest.mark.parametrize("ages", [AGES, AGES.astype(int), pd.Series(AGES, dtype="Int64")])
def test_numbers_have_shades_and_a_bar(ages):
    display = draw(ages)
    assert legend_of(display) == []
    (bar,) = bars_of(display)
    assert bar.get_ylim() == (20, 59)
    (points,) = display.axes_[0].collections
    np.testing.assert_array_equal(points.get_array(), AGES)


def test_few_whole_numbers_are_categories():
    for values in ([0, 1, 2] * 5, np.array([0.0, 1.0, 2.0] * 5), [*range(12), 0, 1, 2]):
        display = draw(values)
        assert bars_of(display) == []
        assert legend_of(display) == sorted({str(int(value)) for value in values}, key=int)
    assert len(bars_of(draw(list(range(13))))) == 1
    assert len(bars_of(draw([0.5, 1, 2]))) == 1


@pytest.mark.parametrize("title", ["true label", "cluster", "mapped label"])
def test_numbers_of_labels_are_names(title):
    display = draw(list(range(15)), title)
    assert bars_of(display) == []
    assert legend_of(display) == [str(number) for number in range(15)]


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (["a", None, "b", np.nan], ["a", "b", "missing"]),
        ([True, False, None, True], ["False", "True", "missing"]),
        ([1, 2, np.nan, 1], ["1", "2", "missing"]),
        (pd.Series(["a", None, "b", "a"], dtype="string"), ["a", "b", "missing"]),
        (pd.Series(["a", None, "b", "a"], dtype="category"), ["a", "b", "missing"]),
        (pd.Series([1, 2, None, 1], dtype="Int64"), ["1", "2", "missing"]),
        ([True, False, True, True], ["False", "True"]),
        (["a", 1, None, "a"], ["1", "a", "missing"]),
        ([7, 7, 7, 7], ["7"]),
        ([None] * 4, ["missing"]),
        ([np.nan] * 4, ["missing"]),
        ([np.inf, -np.inf, np.nan, None], ["missing"]),
    ],
)
@pytest.mark.parametrize("title", ["column", "cluster"])
def test_categories_may_be_missing(values, names, title):
    assert legend_of(draw(values, title)) == names


def test_missing_ones_are_gray_below_the_others():
    values = [0.5, np.nan, 2.5, None, np.inf, pd.NA]
    display = draw(values)
    where, colors = places(display, "missing")
    assert where == [1, 3, 4, 5]
    np.testing.assert_allclose(colors, [to_rgb("0.8")] * len(colors))
    (bar,) = bars_of(display)
    assert bar.get_ylim() == (0.5, 2.5)
    known, missing = display.axes_[0].collections
    assert missing.get_zorder() < known.get_zorder()
    assert legend_of(display) == ["missing"]


@settings(max_examples=20)  # each draws a figure
@given(st.lists(st.one_of(st.none(), st.floats(), st.integers(), st.text(max_size=2)), min_size=1))
def test_every_sample_is_drawn_once(values):
    drawn = [points.get_offsets()[:, 0] for points in draw(values).axes_[0].collections]
    plt.close("all")
    assert sorted(np.concatenate(drawn)) == list(range(len(values)))


def test_a_constant_has_one_tick():
    (bar,) = bars_of(draw([0.5] * 4))
    assert [tick.get_text() for tick in bar.get_yticklabels()] == ["0.5"]


def test_rare_categories_are_together():
    values = [f"{number:02}" for number in range(30)] + ["25"] * 2
    display = draw(values)
    names = legend_of(display)
    assert len(names) == 21
    assert names[-1] == "10 others"
    assert "25" in names
    assert len(places(display, "10 others")[0]) == 10
    assert len(legend_of(draw(values, "true label"))) == 30


def test_true_and_mapped_labels_share_colors_beside_missing_ones():
    panels = {"true label": [0, 1, None, 2], "mapped label": [1.0, 1.0, np.nan, 2.0]}
    true, mapped = EmbeddingDisplay(np.eye(4)[:, :2], panels).plot().axes_
    colors = [
        {each.get_label(): tuple(each.get_facecolor()[0]) for each in panel.collections[1:]}
        for panel in (true, mapped)
    ]
    assert colors[0] == colors[1]
    assert list(colors[0]) == ["1", "2", "missing"]


# ---- Columns, titles, many panels ----


def test_columns_are_panels_after_the_clusters(fitted, toy_images, quick_map):
    X, y = toy_images
    ages = np.linspace(20, 80, len(X))
    table = pd.DataFrame({"age": ages, "site": np.where(ages > 50, "north", None)})
    params = {"mapped_labels": y, "max_samples": 50, "title": "A cohort"}
    display = EmbeddingDisplay.from_estimator(fitted, X, y, columns=table, **params)
    titles = [panel.get_title(loc="left") for panel in display.axes_]
    assert titles == [
        *("(A) true label", "(B) cluster", "(C) mapped label"),
        *("(D) age", "(E) site"),
    ]
    assert display.figure_.get_suptitle() == "A cohort"
    rows = np.flatnonzero(np.isin(ages, display.panels["age"]))
    assert len(rows) == 50
    np.testing.assert_array_equal(display.panels["true label"], y[rows])
    same = EmbeddingDisplay.from_estimator(fitted, X, columns={"age": ages, "y": y}, max_samples=50)
    np.testing.assert_array_equal(same.panels["age"], display.panels["age"])
    np.testing.assert_array_equal(same.panels["y"], y[rows])


def test_more_than_three_panels_stand_in_rows():
    panels = {f"column {number}": ["a", "b"] for number in range(5)}
    display = EmbeddingDisplay(np.eye(2), panels).plot()
    display.figure_.canvas.draw()
    boxes = [panel.get_window_extent() for panel in display.axes_]
    assert len(display.figure_.axes) == len(boxes) == 5
    assert boxes[0].y0 == boxes[2].y0 > boxes[3].y1
    assert boxes[0].x0 == boxes[3].x0


@pytest.mark.parametrize(
    ("columns", "error", "message"),
    [
        ({"age": [1, 2]}, ValueError, r"columns\['age'\] must have 96 entries.* got 2"),
        ({"cluster": range(96)}, ValueError, "columns must have titles .*, got 'cluster'. Rename"),
        ({1: range(96), "1": range(96)}, ValueError, "got '1'. Rename"),
        (np.zeros((96, 2)), TypeError, r"columns must be a DataFrame or a dict.* got ndarray"),
        ({"age": np.zeros((96, 2))}, ValueError, r"columns\['age'\] must hold one label per"),
    ],
)
def test_columns_that_do_not_fit(columns, error, message, fitted, toy_images):
    with pytest.raises(error, match=message):
        EmbeddingDisplay.from_estimator(fitted, toy_images[0], columns=columns)
