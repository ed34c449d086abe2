"""A browser, and a report that is opened in it."""

import shutil
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from browsing import set_window
from pages import read_points

from sklearn_cae import cluster_report


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
