"""Volumes in a report: slices in every picture, and a slider for the others."""

import re
from types import SimpleNamespace

import nibabel
import numpy as np
import pandas as pd
import pytest
from browsing import find, set_window, text_of
from pages import Page
from quick import quick_clusterer

from sklearn_cae import cluster_report
from sklearn_cae.images import Originals, read_images
from sklearn_cae.metrics import stability_report
from sklearn_cae.new_images import drift_report
from sklearn_cae.plotting._pictures import find_contrast, lay_out, to_pictures
from sklearn_cae.report import cluster_table

HEIGHT, WIDTH = 16 + 8 + 8 + 2, 16  # of the picture of a volume of 8 x 16 x 12, with two gaps
pytestmark = pytest.mark.usefixtures("quick_map")


@pytest.fixture(scope="module")
def fitted(toy_volumes):
    return quick_clusterer(spatial_dims=3).fit(toy_volumes[0])


@pytest.fixture
def report(fitted, toy_volumes, tmp_path):
    """Write a report about the toy volumes, and read it back."""

    def write(**params):
        path = tmp_path / "report.html"
        return Page(cluster_report(fitted, toy_volumes[0], path=path, n_members=2, **params))

    return write


def to_bytes(volumes, limits=(0, 255)):
    return (255 * to_pictures(volumes, limits)[..., 0]).round().astype(np.uint8)


def row_of(alt):
    return int(re.search(r"volume (\d+)", alt).group(1))


def test_prototypes_and_members_are_slices(report, fitted, toy_volumes):
    page = report()
    prototypes = fitted.decode_prototypes()
    for number, picture in enumerate(to_bytes(prototypes, find_contrast(prototypes))):
        (drawn,) = page.pictures[f"Prototype of cluster {number}, drawn by the network"]
        np.testing.assert_array_equal(drawn, picture)
    seen = {alt: drawn for alt, drawn in page.pictures.items() if "as the network saw" in alt}
    assert len(seen) > 6
    for alt, (drawn, *_) in seen.items():
        np.testing.assert_array_equal(drawn, to_bytes(toy_volumes[0][[row_of(alt)]])[0])
    for row, drawn in zip(page.points["row"], page.sheet(), strict=True):
        np.testing.assert_array_equal(drawn, to_bytes(toy_volumes[0][[row]])[0])


def test_the_page_speaks_of_volumes(report):
    page = report(groups=np.repeat(np.arange(30), 2))
    assert "60 volumes in 3 clusters" in page.text
    assert "to see a volume" in page.text
    assert "three middle slices" in page.text
    assert "two random views of the same volume" in page.text
    assert re.search(r"patient \d+, volume 2", page.text)
    assert "is not a real volume" in page.text
    assert "artefact of how the volumes were taken" in page.text


def test_saliency_is_drawn_over_the_same_slices(report, fitted, toy_volumes):
    page = report()
    heats = {alt: pictures[0] for alt, pictures in page.pictures.items() if "with red" in alt}
    assert 0 < len(heats) <= 6
    for alt, heat in heats.items():
        assert heat.shape[:2] == (3 * 192, round(3 * 192 / HEIGHT * WIDTH))
        map_ = lay_out(fitted.saliency(toy_volumes[0][[row_of(alt)]]))[0, ..., 0]
        top, left = np.unravel_index(np.nanargmax(map_), map_.shape)
        scale = 3 * 192 / HEIGHT
        red, green = heat[..., 0].astype(int), heat[..., 1].astype(int)
        at = int((top + 0.5) * scale), int((left + 0.5) * scale)
        assert (red - green)[at] > 0.6 * (red - green).max()
        assert (heat[[int(16.5 * scale), int(25.5 * scale)]] > 200).all()  # gaps stay white


def test_the_slices_of_a_member_are_on_a_sheet(report, toy_volumes):
    page = report()
    sheets = [attributes for tag, attributes in page.tags if attributes.get("class") == "slices"]
    assert {each["data-n"] + each["data-depth"] for each in sheets} == {"88"}
    assert len(sheets) == page.source.count('<button type="button" class="enlarge">')
    for alt, (sheet, *_) in page.pictures.items():
        if alt.startswith("Slices of"):
            volume = toy_volumes[0][row_of(alt)].astype(float)
            rows = np.concatenate([sheet[:16], sheet[16:32], sheet[32:]], axis=1)
            slices = rows.reshape(16, 9, 12).swapaxes(0, 1)[:8]
            assert np.abs(slices - volume).mean() < 8  # JPEG
            # No other order of the slices is as close.
            assert np.abs(slices - volume).mean() < np.abs(slices[::-1] - volume).mean()


def test_deep_volumes_have_some_of_their_slices(make_quick, tmp_path):
    X = np.zeros((20, 70, 8, 8), dtype=np.uint8)
    X[:] = np.arange(70)[:, None, None] * 3 + np.random.RandomState(0).randint(30, size=X.shape)
    model = make_quick(spatial_dims=3, warm_up_epochs=1, conditioning_epochs=0).fit(X)
    page = Page(cluster_report(model, X, path=tmp_path / "report.html", n_members=1))
    assert 'data-n="32"' in page.source
    assert 'data-depth="70"' in page.source
    sheet = next(drawn for alt, (drawn, *_) in page.pictures.items() if alt.startswith("Slices"))
    assert sheet[:8, :8].mean() < 30  # the first slice, and the last one, of six in a row
    assert sheet[5 * 8 :, 8:16].mean() > 200


def test_originals_are_slices(report, toy_volumes, tmp_path):
    large = [np.kron(volume, np.ones((2, 2, 2), dtype=np.uint8)) for volume in toy_volumes[0]]
    page = report(images=large)
    originals = {alt: drawn for alt, drawn in page.pictures.items() if alt.endswith("original")}
    assert len(originals) > 6
    for alt, (drawn, *_) in originals.items():
        assert drawn.shape == (2 * HEIGHT, 2 * WIDTH)
        assert (
            np.abs(
                drawn[::2, ::2] - to_bytes(toy_volumes[0][[row_of(alt)]])[0].astype(float)
            ).mean()
            < 8
        )
    assert "The volume" in page.source
    with pytest.warns(UserWarning, match=r"must be \(D, H, W\), \(H, W\) or \(H, W, 3\), got \(2,"):
        report(images=np.zeros((60, 2, 2, 5, 2)))


def test_originals_from_files(make_quick, toy_volumes, tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    for index, volume in enumerate(toy_volumes[0]):
        image = nibabel.Nifti1Image(volume.transpose(2, 1, 0), np.diag([1, 1, 2, 1]))
        nibabel.save(image, folder / f"{index:02}.nii")
    found = read_images(folder, size=(8, 16, 12))
    assert found.data.shape == (60, 8, 16, 12)
    model = make_quick(spatial_dims=3, warm_up_epochs=1, conditioning_epochs=0).fit(found.data)
    for images in (
        Originals(found.metadata, folder, found.reading),
        [folder / name for name in found.metadata.file],
    ):
        path = tmp_path / "report.html"
        page = Page(cluster_report(model, found.data, path=path, images=images, n_members=1))
        shapes = {
            drawn[0].shape for alt, drawn in page.pictures.items() if alt.endswith("original")
        }
        assert shapes == {(16 + 16 + 16 + 2, 16)}  # slices are 2 mm apart


def test_technical_columns_are_measured(report):
    page = report(metadata=pd.DataFrame({"age": np.arange(60)}))
    names = [row[0] for table in page.tables for row in table]
    assert {"brightness", "contrast", "border"} <= set(names) | set(re.findall(r"\w+", page.text))
    assert "edges of the middle slice" in page.text


def test_tables_drift_and_stability(fitted, toy_volumes):
    X = toy_volumes[0]
    table = cluster_table(fitted, X)
    assert (table.group == fitted.labels_).all()
    drift = drift_report(fitted, 255 - X, random_state=0)
    assert drift.drifted
    assert {"brightness", "contrast"} <= set(drift.tests.index)
    stability = stability_report(fitted, X, n_repeats=1, random_state=0)
    assert stability.fitted


# ---- In a browser ----


@pytest.fixture
def opened(chromium, fitted, toy_volumes, tmp_path):
    path = cluster_report(fitted, toy_volumes[0], path=tmp_path / "report.html", n_members=2)
    set_window(chromium, 1280, mobile=False)
    chromium.get_log("browser")
    chromium.get(path.as_uri())
    return SimpleNamespace(browser=chromium, X=toy_volumes[0])


def slice_of(browser):
    """The pixels of the slice that is shown."""
    pixels = browser.execute_script(
        """const canvas = document.querySelector("#sides canvas");
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        return [canvas.height, canvas.width, ...data]"""
    )
    return np.array(pixels[2:]).reshape(*pixels[:2], 4)[..., 0]


def test_a_slider_moves_through_the_slices(opened, keys):
    browser = opened.browser
    buttons = browser.find_elements("css selector", ".enlarge")
    buttons[0].click()
    row = row_of(text_of(browser, "#whose"))
    slider, caption = find(browser, "#sides input"), "#sides figure:last-child figcaption"
    assert text_of(browser, caption) == "Slice 5 of 8 across the first axis"
    assert slider.accessible_name == "Slice across the first axis"
    for key, place in [(keys.ARROW_RIGHT, 6), (keys.HOME, 1), (keys.END, 8), (keys.ARROW_LEFT, 7)]:
        slider.send_keys(key)
        assert text_of(browser, caption) == f"Slice {place} of 8 across the first axis"
        distances = np.abs(opened.X[row].astype(float) - slice_of(browser)).mean(axis=(1, 2))
        assert distances.argmin() == place - 1
    assert row_of(text_of(browser, "#whose")) == row  # keys of the slider change no member
    find(browser, "#next").click()
    assert text_of(browser, caption) == "Slice 7 of 8 across the first axis"
    assert not [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]


def test_pictures_keep_their_proportions(opened):
    sizes = opened.browser.execute_script(
        """return [...document.querySelectorAll(".card img:not(.slices)")]
        .filter((one) => one.clientHeight)
        .map((one) => [one.clientHeight / one.clientWidth, one.naturalHeight / one.naturalWidth])"""
    )
    assert len(sizes) > 9
    drawn, natural = np.transpose(sizes)
    np.testing.assert_allclose(drawn, natural, rtol=0.05)
