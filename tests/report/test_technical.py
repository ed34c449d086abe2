"""How images were taken, in a report, and clusters that do not come back."""

import base64
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from pages import Page
from PIL import Image
from sklearn.cluster import KMeans

from sklearn_cae import cluster_report
from sklearn_cae._statistics.associations import associate
from sklearn_cae.images import read_images
from sklearn_cae.metrics import stability_report
from sklearn_cae.metrics._explained import find_explained
from sklearn_cae.report._columns import Columns, add_measured

pytestmark = pytest.mark.usefixtures("quick_map")


@pytest.fixture
def report(fitted, toy_images, tmp_path):
    """Write a report about the toy images, and read it back."""

    def write(metadata=None, **params):
        path = tmp_path / "report.html"
        return Page(cluster_report(fitted, toy_images[0], None, metadata, path, **params))

    return write


# ---- Technical columns ----


def test_images_are_measured(report, fitted, toy_images):
    page = report()
    table = next(table for table in page.tables if table[0][0] == "Column")
    assert [row[0] for row in table[1:]] == ["brightness", "contrast"]
    assert "border was not tested: all values are equal." in page.text
    means = toy_images[0].reshape(96, -1).mean(axis=1) / 255
    brightness = next(table for table in page.tables if table[0][2] == "Median")
    for number, (_, _, median, *_) in enumerate(brightness[1:]):
        expected = np.median(means[fitted.labels_ == number])
        assert float(median) == pytest.approx(expected, abs=1e-3)
    assert "Clusters against metadata" not in page.text


def test_metadata_that_were_measured_are_not_measured_again(report):
    values = np.linspace(0, 1, 96)
    frame = pd.DataFrame({"mean": values, "contrast": values[::-1], "border": values % 0.3})
    tables = [table for table in report(frame).tables if table[0][0] == "Column"]
    assert [[row[0] for row in table[1:]] for table in tables] == [["mean", "contrast", "border"]]


def test_technical_columns_stand_apart(report):
    rng = np.random.RandomState(0)
    frame = pd.DataFrame(
        {
            "age": rng.rand(96),
            "Manufacturer": rng.choice(["A", "B"], 96),
            "Clinic": rng.choice(["C", "D"], 96),
            "height": rng.randint(200, 300, 96),
            "width": rng.randint(200, 300, 96),
            "file": [f"{index}.png" for index in range(96)],
            "patient": rng.choice(list("xyz"), 96),
        }
    )
    page = report(frame)
    own, technical = [table for table in page.tables if table[0][0] == "Column"]
    assert [row[0] for row in own[1:]] == ["age"]
    assert [row[0] for row in technical[1:]] == [
        *("Manufacturer", "Clinic", "height", "width", "aspect", "brightness", "contrast")
    ]
    assert "Left out, because they name files or patients: file, patient." in page.text


def test_measures_are_those_of_files(tmp_path, toy_images):
    for index, image in enumerate(toy_images[0][:8]):
        Image.fromarray(np.pad(image, [(3, 3), (0, 0)])).save(tmp_path / f"{index}.png")
    found = read_images(tmp_path, size=(22, 16))
    columns = Columns()
    add_measured(columns, Samples(found.data), (0, 255))
    for (_, values, _), name in zip(columns.technical, ["mean", "contrast", "border"], strict=True):
        np.testing.assert_allclose(values, found.metadata[name], atol=1e-6)


class Samples:
    """Checked images (n, H, W), as the report gets them."""

    def __init__(self, X):
        self.X, self.format, self.channels_last = X, self, False
        self.image_shape = (1, *X.shape[1:])


# ---- Clusters that are explained ----


def explain(columns, labels):
    n_clusters = labels.max() + 1
    tested = associate(columns, labels, n_clusters, np.random.RandomState(0))["tested"]
    p_values = {each["name"]: each["p_adjusted"] for each in tested}
    return find_explained(columns, p_values, labels, [f"Cluster {i}" for i in range(n_clusters)])


def test_a_cluster_of_one_scanner_is_told(report, fitted):
    maker = np.where(fitted.labels_ == 2, "Siemens", "GE")
    maker[np.flatnonzero(fitted.labels_ == 2)[0]] = "GE"
    share = (maker == "Siemens").mean()
    size = (fitted.labels_ == 2).sum()
    page = report(pd.DataFrame({"manufacturer": maker}))
    assert "Some clusters may show how the images were taken, and not the patients" in page.notes()
    assert (
        f"Cluster 2 goes with manufacturer Siemens: {(size - 1) / size:.0%} of its members, "
        f"and {share:.0%} of all."
    ) in page.notes()


def test_a_dark_cluster_is_told():
    labels = np.repeat([0, 1, 2], 40)
    brightness = np.random.RandomState(0).normal(0.5, 0.05, size=120)
    brightness[labels == 1] -= 0.2
    (told,) = explain([("brightness", brightness, None)], labels)
    assert told.startswith("Cluster 1 has darker images than most others: median brightness 0.2")


def test_chance_is_not_told():
    rng, told = np.random.RandomState(0), 0
    for _ in range(50):
        labels = rng.choice(4, size=100, p=[0.4, 0.3, 0.25, 0.05])
        columns = [
            ("scanner", rng.randint(0, 3, 100), ["A", "B", "C"]),
            ("brightness", rng.rand(100), None),
        ]
        told += bool(explain(columns, labels))
    assert told <= 1


@pytest.mark.parametrize("n_clusters", [4, 8])
def test_a_planted_scanner_is_told(pneumonia, n_clusters):
    X = pneumonia["train"][0][:400].astype(float)
    site = np.random.RandomState(0).randint(0, 2, size=len(X))
    planted = np.where(site[:, None, None], 255 * (X / 255) ** 0.5, X)
    for images, expected in ((planted, True), (X, False)):
        labels = KMeans(n_clusters, n_init=2, random_state=0).fit_predict(images.reshape(400, -1))
        told = explain([("scanner", site, ["A", "B"])], labels)
        assert any("scanner" in each for each in told) == expected


# ---- Whether clusters come back ----


@pytest.fixture(scope="module")
def stable(fitted, toy_images):
    return stability_report(fitted, toy_images[0], n_repeats=1, random_state=0)


def test_clusters_come_back_or_not(report, stable):
    stable = replace(stable, jaccard=[0.8, 0.65, 0.4], ari_seeds=[0.5, 0.7], ari_halves=[0.25])
    page = report(stability=stable)
    words = [page.row(f"Cluster {number}")[2] for number in range(3)]
    assert words == ["stable(0.80)", "unsure(0.65)", "does not come back(0.40)"]
    assert "Cluster 2 does not come back when the network is trained again" in page.notes()
    assert "0.60 between trainings with other seeds, and 0.25 between" in page.text
    assert "It was not checked" not in page.text
    page = report(stability=replace(stable, jaccard=[0.1, 0.2, 0.3]))
    assert "Clusters 0, 1 and 2 do not come back" in page.notes()


def test_a_large_cluster_comes_back_by_its_size(make_quick, toy_images, tmp_path):
    model = make_quick(n_clusters=1, warm_up_epochs=1, conditioning_epochs=0).fit(toy_images[0])
    stable = stability_report(model, toy_images[0], n_repeats=1, random_state=0)
    path = cluster_report(model, toy_images[0], path=tmp_path / "a.html", stability=stable)
    assert Page(path).row("Cluster 0")[2] == "unsure(1.00)"


def test_stability_of_other_groups_is_refused(report, stable, make_quick, toy_images):
    new_fit = stability_report(make_quick(), toy_images[0], n_repeats=1, random_state=0)
    message = r"about those of another fit: they agree to an adjusted Rand index of \d\.\d\d"
    with pytest.raises(ValueError, match=message):
        report(stability=new_fit)
    with pytest.raises(ValueError, match=message):
        report(stability=replace(stable, labels=stable.labels[::-1]))
    with pytest.raises(ValueError, match=message):
        report(stability=replace(stable, fitted=False))
    with pytest.raises(ValueError, match="a report of 95 samples, and X has 96"):
        report(stability=replace(stable, labels=stable.labels[:-1]))
    with pytest.raises(TypeError, match="stability must be the result of stability_report"):
        report(stability={"jaccard": [1]})


def test_clusters_without_members_have_no_stability(fitted, toy_images, tmp_path):
    X = toy_images[0][fitted.labels_ != 1]
    stable = stability_report(fitted, X, n_repeats=1, random_state=0)
    path = cluster_report(fitted, X, path=tmp_path / "report.html", stability=stable)
    assert Page(path).row("Cluster 1")[2] == "–"


# ---- What tells who a patient is ----


def test_numbers_of_patients_do_not_follow_from_the_seed(report):
    groups = [f"P{i // 2:02d}" for i in range(96)]
    one, other = (report(groups=groups, random_state=0).points for _ in range(2))
    assert one["row"] == other["row"]
    assert one["name"] != other["name"]


def test_names_are_left_out_even_if_two_patients_share_one(report):
    surnames = [f"Name{max(i // 2, 1)}" for i in range(96)]
    columns = pd.DataFrame({"surname": surnames, "Patient": surnames, "sex": ["f", "m"] * 48})
    page = report(columns, groups=[f"P{i // 2}" for i in range(96)])
    assert "Name7" not in page.source
    assert {column["name"] for column in page.points["columns"]} >= {"sex"}
    assert "Name7" not in report(columns[["Patient"]]).source


def test_texts_that_spreadsheets_compute_are_marked(report):
    page = report(names=[f"=1+{i}" for i in range(96)])
    link = next(
        dict(attributes)["href"]
        for tag, attributes in page.tags
        if tag == "a" and "csv" in dict(attributes).get("href", "")
    )
    table = base64.b64decode(link.split(",")[1]).decode("utf-8-sig")
    assert "0,'=1+0," in table


def test_sides_may_be_texts(report):
    page = report(pd.DataFrame({"height": ["tall", "low"] * 48, "width": ["a", "b"] * 48}))
    assert "aspect" not in page.text


def test_a_number_that_does_not_change_colours_no_map(report):
    frame = pd.DataFrame({"dose": [5.0, np.nan] * 48, "date": 20240101 + np.arange(96) % 7})
    names = {column["name"] for column in report(frame).points["columns"]}
    assert not names & {"dose", "date"}
