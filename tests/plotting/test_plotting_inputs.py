"""What displays may be given: samples of any form, points of any place, wrong words."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from fresh import run_fresh

from sklearn_cae.plotting import (
    AugmentationDisplay,
    EmbeddingDisplay,
    PrototypeDisplay,
    ReconstructionDisplay,
    _embedding,
)

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
    run_fresh(code)


def test_points_that_are_all_equal_are_laid_out_by_opentsne():
    pytest.importorskip("openTSNE", reason="an extra")
    layout = _embedding.LAYOUTS["opentsne"](np.full((20, 4), 0.5), 6, 0)
    assert np.isfinite(layout.coordinates).all()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"panels": {"a": [1]}}, "panel 'a' must have 9 entries"),
        ({"panels": {"a": None}}, "at least one panel"),
        ({"panels": {"a": np.eye(9)}}, "panel 'a' must hold one label per sample"),
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


# ---- Samples of any form ----


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float32])
def test_tensors_that_numpy_does_not_take(make_quick, toy_images, precision):
    X = torch.tensor(toy_images[0] / 255, dtype=precision, requires_grad=True)
    model = make_quick(warm_up_epochs=1, conditioning_epochs=0).fit(X)
    as_array = X.detach().float().numpy()
    reconstruction = ReconstructionDisplay.from_estimator(model, X)
    expected = ReconstructionDisplay.from_estimator(model, as_array)
    np.testing.assert_array_equal(reconstruction.originals, expected.originals)
    np.testing.assert_array_equal(reconstruction.reconstructions, expected.reconstructions)
    prototypes = PrototypeDisplay.from_estimator(model, X)
    for shown, rows in zip(prototypes.members, model.representatives(X), strict=True):
        np.testing.assert_array_equal(shown, as_array[rows])


def test_no_member_of_a_single_cluster_is_doubtful(make_quick, toy_images):
    X = toy_images[0]
    model = make_quick(n_clusters=1, warm_up_epochs=1, conditioning_epochs=0).fit(X)
    display = PrototypeDisplay.from_estimator(model, X)
    titles = [label.get_text() for label in display.ax_.get_xticklabels()]
    assert titles == ["prototype", "typical\nmembers", "samples"]


# ---- Numbers and words ----


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"augmentation": "xrays"}, r"augmentation must be one of .*'xray'.*, got 'xrays'"),
        ({"augmentation": None}, "augmentation must be one of .*, got None"),
        ({"augmentation": ["xray"]}, "augmentation must be one of .*, got "),
        ({"n_images": 0}, "n_images == 0, must be >= 1"),
        ({"n_views": 0}, "n_views == 0, must be >= 1"),
    ],
)
def test_views_that_cannot_be_drawn(given, message, toy_images):
    with pytest.raises(ValueError, match=message):
        AugmentationDisplay.from_images(toy_images[0], **given)


def test_at_least_one_reconstruction(fitted, toy_images):
    with pytest.raises(ValueError, match="n_images == 0, must be >= 1"):
        ReconstructionDisplay.from_estimator(fitted, toy_images[0], n_images=0)


def test_views_of_a_network(toy_images):
    display = AugmentationDisplay.from_images(toy_images[0], torch.nn.Conv2d(1, 1, 1), n_views=1)
    assert [views.shape for views in display.views] == [(1, 1, 16, 16)] * 6
