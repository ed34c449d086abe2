"""Shares and medians of groups, with their intervals."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from sklearn_cae.metrics import confounding_report
from sklearn_cae.plotting import ConfoundingDisplay

matplotlib.use("Agg")

LABELS = np.arange(90) // 30


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def report(nuisance):
    X = np.random.RandomState(0).normal(size=(90, 3))
    return confounding_report(LABELS, X, nuisance, n_resamples=100, random_state=0)


def test_panels_show_the_make_up_of_the_report():
    ages = np.random.RandomState(1).rand(90)
    nuisances = pd.DataFrame({"site": np.where(np.arange(90) % 4, "A", "B"), "age": ages})
    found = report(nuisances)
    display = ConfoundingDisplay.from_report(found)
    sites, numbers = display.axes_
    assert [panel.get_title() for panel in display.axes_] == ["site", "age"]
    names = [label.get_text() for label in numbers.get_yticklabels()]
    assert names == ["group 0", "group 1", "group 2"]
    points = {line.get_label(): line.get_xdata() for line in sites.lines}
    makeup = found.makeup["site"]
    for site in "AB":
        assert points[site].tolist() == makeup.xs(site, level=1).share.tolist()
    limits = [end for part in numbers.collections[0].get_segments() for end in part[:, 0]]
    assert limits == found.makeup["age"][["low", "high"]].to_numpy().ravel().tolist()
    assert numbers.lines[1].get_xdata() == pytest.approx([np.median(ages)] * 2)
    assert sites.lines[1].get_xdata() == [67 / 90] * 2


def test_the_most_frequent_categories_are_drawn():
    sites = np.repeat([*"abcdefghi"], [15, 14, 12, 11, 10, 5, 11, 6, 6])
    with pytest.warns(UserWarning, match="fewer than 10"):
        found = report(pd.Series(sites, name="site"))
    display = ConfoundingDisplay.from_report(found)
    drawn = [text.get_text() for text in display.axes_[0].get_legend().get_texts()]
    assert drawn == [*"abcdegh"]


def test_axes_are_one_per_nuisance():
    found = report(np.arange(90) % 2)
    _, axes = plt.subplots(2)
    assert ConfoundingDisplay.from_report(found, ax=axes[0]).axes_[0] is axes[0]
    with pytest.raises(ValueError, match="ax must hold 1 matplotlib Axes, got 2"):
        ConfoundingDisplay.from_report(found, ax=axes)
    with pytest.raises(ValueError, match="makeup must hold at least one nuisance"):
        ConfoundingDisplay({})
