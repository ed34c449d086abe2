"""What displays may be given: samples of any form, points of any place, wrong words."""

import subprocess
import sys

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

from sklearn_cae.plotting import EmbeddingDisplay, _embedding

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


# ---- EmbeddingDisplay ----


def test_points_that_are_all_equal_are_laid_out():
    """In a process of its own: from axes that they have not, t-SNE crashes the interpreter."""
    code = (
        "import numpy as np\n"
        "from sklearn_cae.plotting._embedding import LAYOUTS\n"
        "layout = LAYOUTS['tsne'](np.full((20, 4), 0.5), 30, 0)\n"
        "assert np.isfinite(layout.coordinates).all()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_points_that_are_all_equal_are_laid_out_by_opentsne():
    pytest.importorskip("openTSNE", reason="an extra")
    layout = _embedding.LAYOUTS["opentsne"](np.full((20, 4), 0.5), 6, 0)
    assert np.isfinite(layout.coordinates).all()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"panels": {"a": [1]}}, "panel 'a' must have 9 entries"),
        ({"panels": {"a": None}}, "at least one panel"),
        ({"prototypes": np.zeros((3, 8, 8))}, "prototype_embedding must have 3 entries.* got None"),
    ],
)
def test_what_does_not_fit_is_told_before_the_layout(given, message, monkeypatch):
    monkeypatch.setitem(_embedding.LAYOUTS, "tsne", _NeverAsked)
    with pytest.raises(ValueError, match=message):
        EmbeddingDisplay.from_predictions(np.eye(9), **{"panels": {"a": range(9)}, **given})


class _NeverAsked:
    package, places = "sklearn", False

    def __init__(self, *_):
        pytest.fail("was laid out already")


def test_a_panel_may_have_any_title():
    display = EmbeddingDisplay([[0, 0], [1, 1]], {"radiologist's label": ["a", "b"]}).plot()
    assert [text.get_text() for text in display.axes_[0].get_legend().get_texts()] == ["a", "b"]
