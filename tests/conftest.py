"""Fixtures that several modules' tests share."""

import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from quick import quick_clusterer

from sklearn_cae.datasets import make_toy_images, make_toy_volumes
from sklearn_cae.plotting._embedding import LAYOUTS


def pytest_addoption(parser):
    parser.addoption("--figures", type=Path, help="file that slow tests write their figures to")


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c_is_heard():
    """A shell may start what runs in the background with Ctrl-C ignored, as CI's runners do."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def figures(request):
    """Figures of slow tests, by name: printed at the end, and written where --figures says."""
    path = request.config.getoption("--figures")
    kept = json.loads(path.read_text()) if path and path.exists() else {}
    found = {}
    yield found
    print(json.dumps(found, indent=1))
    if path:
        path.write_text(json.dumps({**kept, **found}, indent=1) + "\n")


@pytest.fixture(scope="session")
def data_root():
    """Folder with the real data: SKLEARN_CAE_DATA, or shared/data beside the repository."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    root = Path(os.environ.get("SKLEARN_CAE_DATA", beside))
    if not (root / "pneumoniamnist.npz").exists():
        pytest.skip(f"PneumoniaMNIST is not in {root}; set SKLEARN_CAE_DATA to its folder")
    return root


@pytest.fixture(scope="session")
def pneumonia(data_root):
    """PneumoniaMNIST: {split: (images, labels)}."""
    with np.load(data_root / "pneumoniamnist.npz") as archive:
        return {
            split: (archive[f"{split}_images"], archive[f"{split}_labels"].ravel())
            for split in ("train", "val", "test")
        }


@pytest.fixture(scope="session")
def toy_images():
    """(X, y): 96 images of three shapes, uint8 (96, 16, 16)."""
    return make_toy_images(96, n_classes=3, image_size=16, random_state=0, return_X_y=True)


@pytest.fixture(scope="session")
def toy_volumes():
    """(X, y): 60 volumes of three shapes that differ in 3-D alone, uint8 (60, 8, 16, 12)."""
    return make_toy_volumes(60, volume_size=(8, 16, 12), random_state=0, return_X_y=True)


@pytest.fixture
def make_quick():
    """Factory of quick clusterers."""
    return quick_clusterer


class FirstAxes:
    """A layout in no time: the first two dimensions."""

    package, axis_label, places = "sklearn", "t-SNE", False

    def __init__(self, points, perplexity, random_state):
        self.coordinates = np.asarray(points)[:, :2]


@pytest.fixture
def quick_map(monkeypatch):
    """Lay points out without t-SNE, in tests that do not look at the map."""
    monkeypatch.setitem(LAYOUTS, "tsne", FirstAxes)


@pytest.fixture(scope="session")
def fitted(toy_images):
    """Fit a quick clusterer once. Tests do not change it."""
    return quick_clusterer().fit(toy_images[0])


settings.register_profile("default", max_examples=100, deadline=None, derandomize=True)
settings.register_profile("release", max_examples=1300, deadline=None, print_blob=True)
settings.load_profile("default")
