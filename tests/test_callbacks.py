"""Callbacks for notebooks."""

import sys

import matplotlib
import matplotlib.pyplot as plt
import pytest

from sklearn_cae.callbacks import LiveHistory

matplotlib.use("Agg")


@pytest.fixture
def shown(monkeypatch):
    """Figures that a notebook's cell would have shown, as the labels and curves of their panels."""
    shown = []

    def display(figure):
        panel = figure.axes[1]
        curves = [line for line in panel.lines if line.get_linestyle() == "-"]
        epochs = [epoch for curve in curves for epoch in curve.get_xdata()]
        legend = panel.get_legend()
        shown.append((epochs, [text.get_text() for text in legend.get_texts()] if legend else []))

    monkeypatch.setattr("IPython.display.display", display)
    monkeypatch.setattr("IPython.display.clear_output", lambda wait: shown.append("cleared"))
    return shown


def test_each_epoch_of_both_phases_takes_the_place_of_the_one_before(toy_images, make_quick, shown):
    before = plt.get_fignums()
    make_quick(callbacks=[LiveHistory()]).fit(toy_images[0])
    assert shown[0::2] == ["cleared"] * 3
    epochs, names = zip(*shown[1::2], strict=True)
    assert list(epochs) == [[1], [1, 2], [1, 2, 3]]
    assert names[1] == []
    assert names[2] == ["warm-up", "conditioning"]
    assert plt.get_fignums() == before


def test_a_phase_is_drawn_to_its_end_whatever_the_interval(toy_images, make_quick, shown):
    model = make_quick(callbacks=[LiveHistory(every=2)], warm_up_epochs=3, conditioning_epochs=2)
    model.fit(toy_images[0])
    assert [len(epochs) for epochs, _ in shown[1::2]] == [2, 3, 5]


def train(_):
    pytest.fail("training started")


@pytest.mark.parametrize(
    ("package", "message"),
    [("IPython.display", "pip install ipython"), ("matplotlib", r"sklearn_cae\[plot\]")],
)
def test_without_packages_training_does_not_start(
    toy_images, make_quick, monkeypatch, package, message
):
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr("sklearn_cae._training.batches.ViewBatches.__iter__", train)
    with pytest.raises(ImportError, match=message):
        make_quick(callbacks=[LiveHistory()]).fit(toy_images[0])


def test_an_interval_of_no_epochs_does_not_start(toy_images, make_quick, monkeypatch):
    monkeypatch.setattr("sklearn_cae._training.batches.ViewBatches.__iter__", train)
    with pytest.raises(ValueError, match="every == 0, must be >= 1"):
        make_quick(callbacks=[LiveHistory(every=0)]).fit(toy_images[0])
