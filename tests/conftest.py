"""Fixtures that several modules' tests share."""

import json
import os
import shutil
import signal
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from browsing import set_window
from hypothesis import settings
from pages import read_points

from sklearn_cae import ContrastiveAutoencoderClusterer, cluster_report
from sklearn_cae.datasets import make_toy_images
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


def quick_clusterer(**params):
    """Build a clusterer that trains in a second on a hundred small images."""
    defaults = {
        "n_clusters": 3,
        "warm_up_epochs": 2,
        "conditioning_epochs": 1,
        "embedding_dim": 16,
        "batch_size": 32,
        "optimizer": "adamw",
        "device": "cpu",
        "precision": "float32",
        "random_state": 0,
    }
    return ContrastiveAutoencoderClusterer(**{**defaults, **params})


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


# ---- A browser, and a report that is opened in it ----


@pytest.fixture(scope="session")
def page(fitted, toy_images, tmp_path_factory):
    X, y = toy_images
    names = np.array(["disc", "cross", "stripes"])[y]
    path = tmp_path_factory.mktemp("report") / "report.html"
    ages = np.where(y == 0, np.nan, np.linspace(20, 80, len(y)))
    metadata = pd.DataFrame({"ward": np.where(y == 1, "north", "south"), "age": ages})
    originals = [np.kron(image, np.ones((8, 8), dtype=np.uint8)) for image in X]
    cluster_report(fitted, X, names, metadata, path, images=originals)
    return SimpleNamespace(path=path, points=read_points(path))


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    """A headless Chromium that tells of requests and of what goes wrong on a page."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium drives the browser")
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (binary and driver):
        pytest.skip("chromium and chromedriver are needed to look at a page, and not found")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    profile = tmp_path_factory.mktemp("profile")
    for argument in (
        *["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"],
        *["--disable-background-networking", "--disable-component-update"],
        "--force-prefers-reduced-motion",
        f"--user-data-dir={profile}",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(driver)
    browser = webdriver.Chrome(options=options, service=service)
    yield browser
    browser.quit()


@pytest.fixture
def keys():
    return pytest.importorskip("selenium.webdriver.common.keys").Keys


@pytest.fixture
def opened(chromium, page):
    """The report, opened anew in a window of a desktop."""
    set_window(chromium, 1280, mobile=False)
    for kind in ("browser", "performance"):
        chromium.get_log(kind)
    chromium.get(page.path.as_uri())
    return chromium


@pytest.fixture
def on_a_phone(chromium, page):
    """The report, opened anew on a phone."""
    set_window(chromium, 390, mobile=True)
    chromium.get(page.path.as_uri())
    return chromium
