"""The report: what is on the page, and what it refuses."""

import copy
import re
import sys
import types
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from pages import Page
from sklearn.cluster import AgglomerativeClustering
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Checkpoint, EarlyStopping

from sklearn_cae import cluster_report, clustering_report
from sklearn_cae._statistics.associations import compare_categories, compare_numbers
from sklearn_cae._utils.wording import to_percent
from sklearn_cae.clusterers import CommunityClusterer
from sklearn_cae.datasets import make_toy_images
from sklearn_cae.modules import LogScattering
from sklearn_cae.plotting._embedding import LAYOUTS
from sklearn_cae.report import _report, cluster_table
from sklearn_cae.report._page import to_decimals

NASTY = "</script><script>alert('x')</script> & \"<b>\""


@pytest.fixture(scope="module")
def names(toy_images):
    return np.array(["disc", "cross", "stripes"])[toy_images[1]]


@pytest.fixture(scope="module")
def metadata(toy_images):
    rng, n = np.random.RandomState(0), len(toy_images[0])
    age = rng.normal(60, 10, size=n)
    age[:5] = np.nan
    return pd.DataFrame(
        {
            "age": age,
            "ward": np.array(["north", "south", "south"])[toy_images[1]],
            "smoker": pd.array(rng.choice([True, False, None], size=n), dtype="boolean"),
            "stage": pd.Categorical(rng.choice(["mild", "severe"], size=n), ["mild", "severe"]),
            "hand": "left",
            "modality": "CR",
            "code": [f"patient {i}" for i in range(n)],
            "notes": None,
        },
        index=np.arange(n)[::-1],
    )


@pytest.fixture(scope="module")
def page(fitted, toy_images, names, metadata, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    written = cluster_report(fitted, toy_images[0], names, metadata, path, title="Shapes & sizes")
    assert written == path
    return Page(path)


@pytest.fixture(autouse=True)
def _map(request):
    """Only the page that several tests look at is drawn with t-SNE."""
    if "page" not in request.fixturenames:
        request.getfixturevalue("quick_map")


# ---- What is on the page ----


def test_clusters_and_their_members(page, fitted, toy_images, names):
    X, labels = toy_images[0], fitted.labels_
    for cluster in range(fitted.n_clusters_):
        size, share, margin, label, label_share = page.row(f"Cluster {cluster}")
        members = labels == cluster
        assert int(size) == members.sum()
        assert share == to_percent(members.mean())
        assert margin == f"{fitted.margin(X)[members].mean():.3f}"
        assert label == pd.Series(names[members]).mode()[0]
        assert label_share == to_percent((names[members] == label).mean())
    typical = [rows.tolist() for rows in fitted.representatives(X, 6)]
    assert page.rows_shown("Most typical members") == typical
    margins = pd.Series(fitted.margin(X)).groupby(labels)
    doubtful = [group.nsmallest(6).index.tolist() for _, group in margins]
    assert page.rows_shown("Most doubtful members") == doubtful


def test_pictures_are_those_of_their_rows(page, fitted, toy_images, names):
    X = toy_images[0]
    shown = {alt: pictures for alt, pictures in page.pictures.items() if "saw it" in alt}
    assert len(shown) > 18
    for alt, pictures in shown.items():
        row, cluster, label = re.fullmatch(
            r"image (\d+), as the network saw it, in cluster (\d+), label (\w+)", alt
        ).groups()
        assert fitted.labels_[int(row)] == int(cluster)
        assert names[int(row)] == label
        for picture in pictures:
            np.testing.assert_array_equal(picture, X[int(row)])
    prototypes = fitted.decode_prototypes()
    low, high = np.percentile(prototypes, [1, 99])
    for cluster, prototype in enumerate((prototypes - low) / (high - low)):
        (picture,) = page.pictures[f"Prototype of cluster {cluster}, drawn by the network"]
        np.testing.assert_allclose(picture, (255 * prototype).clip(0, 255), atol=0.51)


def test_names_are_shown_in_place_of_rows(fitted, toy_images, tmp_path):
    X = toy_images[0]
    files = [f"site/{index}_{NASTY}.png" for index in range(len(X))]
    page = Page(cluster_report(fitted, X, names=files, path=tmp_path / "report.html"))
    assert page.points["name"] == [files[row] for row in page.points["row"]]
    shown = re.findall(r"(site/\d+_)</script>", page.text)
    assert len(shown) > 18
    assert not re.search(r"\b(row|image) \d", page.text)
    assert page.count("script") == 2  # the data of the map, and the script


def test_points_and_their_pictures(page, fitted, toy_images, names):
    points = page.points
    assert sorted(points["row"]) == list(range(96))
    assert points["cluster"] == fitted.labels_[points["row"]].tolist() == sorted(fitted.labels_)
    assert points["label"] == names[points["row"]].tolist()
    margins = fitted.margin(toy_images[0])[points["row"]]
    for cluster in range(3):  # the arrow keys walk from clear members to doubtful ones
        assert (np.diff(margins[np.array(points["cluster"]) == cluster]) <= 0).all()
    for row, picture in zip(points["row"], page.sheet(), strict=True):
        np.testing.assert_array_equal(picture, toy_images[0][row])


def test_neighbours_in_the_map_are_of_one_cluster(page):
    places = np.column_stack([page.points["x"], page.points["y"]])
    distances = np.linalg.norm(places[:, None] - places, axis=2)
    np.fill_diagonal(distances, np.inf)
    clusters = np.array(page.points["cluster"])
    assert (clusters[distances.argmin(axis=1)] == clusters).mean() > 0.8


def test_scores_beside_what_they_are_read_against(page, fitted, names):
    expected = clustering_report(names, fitted.labels_)
    assert page.row("Clusters (k)")[0] == str(expected.n_clusters)
    for name, value in {
        "Majority baseline": expected.majority_baseline,
        "Purity": expected.purity,
        "Balanced accuracy": expected.balanced_accuracy,
        "Hungarian accuracy": expected.hungarian_accuracy,
        "NMI": expected.nmi,
        "ARI": expected.ari,
    }.items():
        assert page.row(name)[0] == f"{value:.3f}"
    assert "purity never falls if clusters are split" in page.text


def test_metadata_by_position(page, fitted, metadata):
    labels = fitted.labels_
    age = compare_numbers(metadata["age"].to_numpy(), labels)
    corrected, strength, p_value, missing, test = page.row("age")
    assert (test, strength) == ("Kruskal-Wallis", f"η² = {age.effect:.3f}")
    assert (p_value, missing) == (to_decimals(age.p_value), "5")
    assert float(corrected) >= float(p_value)
    codes = (metadata["ward"] == "south").to_numpy().astype(int)
    site = compare_categories(codes, labels, np.random.RandomState(0))
    assert page.row("ward")[:3] == ["< 0.001", f"V = {site.effect:.3f}", "< 0.001"]
    assert page.row("smoker")[3] == str(metadata["smoker"].isna().sum())
    for name, reason in {
        "hand": "all values are equal",
        "code": "96 different values, more than 50",
        "notes": "all values are missing",
    }.items():
        assert f"{name} was not tested: {reason}." in page.text
    for sentence in ("is not a cause", "If patients have several images", "may be artefacts"):
        assert sentence in page.text


def test_metadata_by_cluster(page, fitted, metadata):
    tables = [table for table in page.tables if table[0][1:2] == ["Known"]][:4]  # of the user
    by_column = {table[0][2]: table for table in tables}
    assert [table[0][2:] for table in tables] == [
        ["Median", "Lower quartile", "Upper quartile"],
        ["north", "south"],
        ["False", "True"],
        ["mild", "severe"],
    ]
    ages = metadata["age"].to_numpy()[fitted.labels_ == 0]
    assert by_column["Median"][1][2] == f"{np.nanmedian(ages):#.4g}"
    north = (metadata["ward"] == "north").to_numpy()[fitted.labels_ == 1]
    assert by_column["north"][2][2] == f"{to_percent(north.mean())}({north.sum()})"


def test_how_it_was_made(page, fitted):
    params = fitted.get_params()
    params.pop("checkpoint_dir")  # a folder of the machine that it was fitted on
    assert dict(page.tables[-1]) == {k: repr(v) for k, v in params.items()}
    for name in ("device", "precision", "threads", "platform"):
        assert page.row(name) == [str(fitted.provenance_[name])]
    assert page.row("data sha256") == [fitted.provenance_["data_sha256"]]
    for name, version in fitted.provenance_["versions"].items():
        assert page.row(f"{name} (version)") == [version]
    assert page.row("seed of the fit") == ["0"]
    assert page.row("training interrupted") == ["no"]
    assert page.row("same samples as in the fit") == ["yes"]
    assert "The training was interrupted" not in page.text
    assert "was not checked whether these clusters come back" in page.text
    assert "An encoder was trained without labels" in page.text


def test_a_fixed_encoder_is_not_said_to_be_trained(make_quick, toy_images, tmp_path):
    fixed = {"encoder": LogScattering, "train_encoder": False}
    model = make_quick(**fixed, conditioning_epochs=0).fit(toy_images[0])
    page = Page(cluster_report(model, toy_images[0], path=tmp_path / "report.html"))
    assert "The encoder was not trained on these images" in page.text
    assert "was trained" not in page.text


def test_the_title_and_nothing_from_elsewhere(page):
    assert "Shapes &amp; sizes" in page.source
    links = {
        value
        for _, attributes in page.tags
        for key, value in attributes.items()
        if key in ("href", "src", "action", "srcset", "data")
    }
    assert all(link.startswith(("#", "data:")) for link in links)
    style_and_script = re.sub(r"data:[^)\"']*", "", page.source)
    assert not re.search(r"url\((?!\))|@import|https?://", style_and_script)
    policy = next(a["content"] for t, a in page.tags if t == "meta" and "http-equiv" in a)
    assert policy.startswith("default-src 'none';")


def test_the_same_seed_gives_the_same_page(page, fitted, toy_images, names, metadata, tmp_path):
    np.random.seed(1)
    state = np.random.get_state()[1].copy()
    again = cluster_report(
        fitted, toy_images[0], names, metadata, tmp_path / "a.html", title="Shapes & sizes"
    ).read_text(encoding="utf-8")
    assert (np.random.get_state()[1] == state).all()
    date = re.compile(r"date of this report.*?</code>")
    assert date.sub("", again) == date.sub("", page.source)


def test_without_labels_and_metadata(fitted, toy_images, tmp_path):
    page = Page(cluster_report(fitted, toy_images[0], path=tmp_path / "report.html"))
    for heading in ("Scores against the labels", "Clusters against metadata", "Labels"):
        assert heading not in page.text
    assert page.points["label"] is None
    assert page.row("brightness")  # of the images themselves


def test_labels_beyond_the_fifth_are_taken_together(fitted, toy_images, tmp_path):
    for n, others in ((6, "1 other label"), (7, "2 other labels")):
        labels = np.zeros(96, dtype=int)
        labels[np.flatnonzero(fitted.labels_ == 0)[:n]] = range(n)
        page = Page(cluster_report(fitted, toy_images[0], labels, path=tmp_path / "report.html"))
        names = re.findall(r'<span class="name">(.*?)</span>', page.source)
        assert names[5] == others


def test_few_of_many_samples_are_in_the_map(fitted, toy_images, tmp_path):
    X = toy_images[0]
    page = Page(cluster_report(fitted, X, path=tmp_path / "report.html", max_samples=20))
    assert "The map shows 20 of the 96 images, chosen at random" in page.text
    assert len(set(page.points["row"])) == 20
    assert sum(int(page.row(f"Cluster {cluster}")[0]) for cluster in range(3)) == 96
    for row, picture in zip(page.points["row"], page.sheet(), strict=True):
        np.testing.assert_array_equal(picture, X[row])


def test_members_are_as_many_as_asked_for(fitted, toy_images, tmp_path):
    path = cluster_report(fitted, toy_images[0], path=tmp_path / "report.html", n_members=2)
    for heading in ("Most typical members", "Most doubtful members"):
        assert [len(rows) for rows in Page(path).rows_shown(heading)] == [2, 2, 2]


def test_new_samples_may_leave_clusters_empty(fitted, toy_images, tmp_path):
    X = toy_images[0][fitted.labels_ == 1][:3]
    page = Page(cluster_report(fitted, X, path=tmp_path / "report.html"))
    assert page.row("Cluster 0")[:3] == ["0", "0%", "–"]
    assert page.text.count("This cluster contains none of these images.") == 2
    assert page.row("same samples as in the fit") == ["no, or stored in another form"]


def test_one_sample_is_enough(fitted, toy_images, tmp_path):
    page = Page(cluster_report(fitted, toy_images[0][:1], ["a"], path=tmp_path / "report.html"))
    assert page.points["row"] == [0]


def test_one_cluster_has_no_doubtful_members(make_quick, toy_images, tmp_path):
    one = make_quick(n_clusters=1, warm_up_epochs=1, conditioning_epochs=0).fit(toy_images[0])
    page = Page(cluster_report(one, toy_images[0], path=tmp_path / "report.html"))
    assert "96 images in 1 cluster," in page.text
    assert page.rows_shown("Most doubtful members") == []


def test_a_careful_reader_is_told(fitted, toy_images, tmp_path):
    doubtful = copy.copy(fitted)
    doubtful.interrupted_, doubtful.search_ = True, {"found": False}
    page = Page(cluster_report(doubtful, toy_images[0], path=tmp_path / "report.html"))
    assert "The training was interrupted before its end" in page.text
    assert "The search found no clear number of clusters" in page.text
    assert page.row("training interrupted") == ["yes"]


def test_doubts_of_a_pipelines_last_step_are_told(make_quick, tmp_path):
    X = np.random.RandomState(0).normal(size=(300, 5))
    clusterer = make_pipeline(PCA(4), CommunityClusterer())
    with pytest.warns(ConvergenceWarning, match="No number of communities is stable"):
        model = make_quick(n_clusters="auto", clusterer=clusterer, warm_up_epochs=1).fit(X)
    page = Page(cluster_report(model, X, path=tmp_path / "report.html"))
    assert "The search found no clear number of clusters" in page.text


# ---- Samples of any kind ----


@pytest.mark.parametrize(
    ("convert", "params", "shape"),
    [
        (lambda X: torch.from_numpy(X), {}, (16, 16)),
        (lambda X: X.reshape(96, 256), {"image_shape": (16, 16)}, (16, 16)),
        (lambda X: pd.DataFrame(X.reshape(96, 256)), {"image_shape": (16, 16)}, (16, 16)),
        (lambda X: X[:, :, :10, None].astype(np.float32) / 255, {}, (16, 10)),
        (lambda X: np.stack([X, X // 2], axis=1).astype(np.uint16), {}, (16, 16)),
        (lambda X: np.stack([X, X // 2, 255 - X], axis=1), {}, (16, 16, 3)),
        (lambda X: np.stack([X, X // 2, 255 - X], axis=-1), {}, (16, 16, 3)),
    ],
    ids=["tensor", "flat", "frame", "float", "uint16", "color first", "color last"],
)
def test_images_of_any_form(convert, params, shape, make_quick, toy_images, tmp_path):
    X = convert(toy_images[0])
    model = make_quick(warm_up_epochs=1, conditioning_epochs=0, **params).fit(X)
    page = Page(cluster_report(model, X, toy_images[1], path=tmp_path / "report.html"))
    pictures = list(page.sheet())
    assert {picture.shape for picture in pictures} == {shape}
    assert np.ptp(pictures) > 150  # not all on one end of the scale


def test_color_keeps_its_colors(make_quick, toy_images, tmp_path):
    X = np.stack([toy_images[0], toy_images[0] // 2, 255 - toy_images[0]], axis=-1)
    model = make_quick(warm_up_epochs=1, conditioning_epochs=0).fit(X)
    page = Page(cluster_report(model, X, path=tmp_path / "report.html"))
    for row, picture in zip(page.points["row"], page.sheet(), strict=True):
        np.testing.assert_array_equal(picture, X[row])


def test_large_images_are_shrunk(make_quick, tmp_path):
    X, _ = make_toy_images(40, image_size=120, random_state=0, return_X_y=True)
    X = X[:, :, :60]
    model = make_quick(warm_up_epochs=1, conditioning_epochs=0).fit(X)
    page = Page(cluster_report(model, X, path=tmp_path / "report.html"))
    assert {picture.shape for picture in page.sheet()} == {(48, 24)}
    shown = {picture.shape for pictures in page.pictures.values() for picture in pictures}
    assert shown == {(96, 48), (192, 96, 3)}  # and what the similarity depends on


def test_two_thousand_images_make_no_large_file(fitted, monkeypatch, tmp_path, make_quick):
    X = np.random.RandomState(0).randint(256, size=(2000, 28, 28)).astype(np.uint8)  # the worst
    model = make_quick(warm_up_epochs=1, conditioning_epochs=0).fit(X[:64])
    places = np.random.RandomState(0).normal(size=(2003, 2))  # where they lie, nothing is claimed
    layout = types.SimpleNamespace(coordinates=places)
    monkeypatch.setitem(LAYOUTS, "tsne", lambda *_: layout)
    assert cluster_report(model, X, path=tmp_path / "report.html").stat().st_size < 3e6


def test_vectors_have_no_pictures(make_quick, tmp_path):
    rng = np.random.RandomState(0)
    X = np.vstack([rng.normal(center, size=(30, 5)) for center in (-4, 0, 4)])
    y = np.repeat(["a", "b", "c"], 30)
    frame = pd.DataFrame(X, columns=list("vwxyz"))
    model = make_quick(warm_up_epochs=1).fit(frame)
    page = Page(cluster_report(model, frame, y, frame, tmp_path / "report.html"))
    assert page.count("img") == 0
    assert "image" not in page.text.lower().replace("image_shape", "")
    assert page.points["sprite"] is None
    assert "90 samples in 3 clusters" in page.text
    assert [len(rows) for rows in page.rows_shown("Most typical members")] == [6, 6, 6]
    assert page.row("v")[-1] == "Kruskal-Wallis"


@pytest.mark.parametrize("dtype", [int, object, "Float64"])
def test_vectors_of_the_fit_are_known_in_any_type(dtype, make_quick, toy_images, tmp_path):
    X = np.random.RandomState(0).normal(size=(96, 5)) + 5 * np.eye(5)[toy_images[1]]
    frame = pd.DataFrame(np.rint(10 * X), columns=list("vwxyz")).astype(dtype)
    model = make_quick(warm_up_epochs=1, conditioning_epochs=0).fit(frame)
    for rows, known in ((96, "yes"), (95, "no, or stored in another form")):
        path = cluster_report(model, frame[:rows], path=tmp_path / "report.html", max_samples=9)
        assert Page(path).row("same samples as in the fit") == [known]


def test_more_clusters_than_colours_have_markers(make_quick, toy_images, tmp_path):
    model = make_quick(n_clusters=9, warm_up_epochs=1).fit(toy_images[0])
    page = Page(cluster_report(model, toy_images[0], path=tmp_path / "report.html"))
    looks = [(a["fill"], "a" in a["d"]) for t, a in page.tags if t == "path" and "class" in a]
    assert len(set(looks)) == model.n_clusters_ > 7


# ---- Text that is not ours ----


def test_text_is_escaped_everywhere(fitted, toy_images, tmp_path):
    X, y = toy_images
    labels = np.where(y == 0, NASTY, "b")
    frame = pd.DataFrame({NASTY: labels, f"{NASTY} 2": 1, f"{NASTY} 3": np.arange(len(y))})
    page = Page(cluster_report(fitted, X, labels, frame, tmp_path / "a.html", title=NASTY))
    assert page.count("script") == 2
    assert page.count("b") == 0
    assert NASTY in page.points["label"]
    assert NASTY in page.row("Cluster 0") + page.row("Cluster 1") + page.row("Cluster 2")
    assert page.row(NASTY)[-1] == "chi-squared"
    assert page.text.count(NASTY) > 8


def test_categories_of_any_kind(fitted, toy_images, tmp_path):
    n = len(toy_images[0])
    frame = pd.DataFrame(
        {
            0: pd.Series([1, "1", ("a", 1), None] * (n // 4)),
            "when": pd.to_datetime(["2020-01-01", "2021-01-01"] * (n // 2)),
            "nullable": pd.array([1, 2, None, 3] * (n // 4), dtype="Int64"),
            "numbers as objects": np.array([61, 47, None, 39] * (n // 4), dtype=object),
        }
    )
    page = Page(cluster_report(fitted, toy_images[0], None, frame, tmp_path / "report.html"))
    assert page.row("0")[3] == str(n // 4)
    assert page.row("when")[4].startswith("chi-squared")
    for name in ("nullable", "numbers as objects"):
        assert page.row(name)[3:] == [str(n // 4), "Kruskal-Wallis"]


def test_folders_and_places_in_memory_are_not_told(make_quick, toy_images, tmp_path):
    model = make_quick(
        clusterer=AgglomerativeClustering(memory=str(tmp_path / "cache")),
        callbacks=[EarlyStopping("train_loss"), Checkpoint(None, dirname=str(tmp_path / "best"))],
        warm_up_epochs=1,
    ).fit(toy_images[0])
    text = cluster_report(model, toy_images[0], path=tmp_path / "report.html").read_text()
    assert "EarlyStopping object" in text
    assert " at 0x" not in text
    assert str(tmp_path) not in text


def test_callables_are_named_without_their_place_in_memory(make_quick, toy_images, tmp_path):
    model = make_quick(augmentation=np.copy, warm_up_epochs=1, conditioning_epochs=0)
    model.set_params(augmentation=keep).fit(toy_images[0])
    page = Page(cluster_report(model, toy_images[0], path=tmp_path / "report.html"))
    assert page.row("augmentation") == [f"{__name__}.keep"]
    model.set_params(augmentation=partial(keep, weights="of-one-machine.pt"))
    page = Page(cluster_report(model, toy_images[0], path=tmp_path / "report.html"))
    assert page.row("augmentation") == [f"partial of {__name__}.keep"]


def keep(batch, weights=None):
    return batch


# ---- The table ----


def test_the_table_has_a_row_for_each_sample(fitted, toy_images):
    X = toy_images[0]
    files = pd.DataFrame({"file": [f"{i}.png" for i in range(len(X))]}, index=np.arange(96)[::-1])
    table = cluster_table(fitted, X, files)
    own = ["group", "probability", "margin", "doubtful", "novelty", "unusual"]
    assert list(table.columns) == ["file", *own]
    assert table.file.tolist() == files.file.tolist()
    assert table.group.tolist() == fitted.labels_.tolist()
    np.testing.assert_array_equal(table.probability, fitted.predict_proba(X).max(axis=1))
    np.testing.assert_array_equal(table.margin, fitted.margin(X))
    assert (table.doubtful == (table.probability < 0.5)).all()
    np.testing.assert_array_equal(table.novelty, fitted.novelty(X))
    assert (table.unusual == (table.novelty >= 0.95)).all()
    with pytest.raises(ValueError, match="metadata must have 95 entries, one for each sample"):
        cluster_table(fitted, X[:95], files)
    with pytest.raises(ValueError, match=r"columns that are added, got \['group'\]. Rename"):
        cluster_table(fitted, X, files.rename(columns={"file": "group"}))
    with pytest.raises(TypeError, match="metadata must be a pandas DataFrame, got list"):
        cluster_table(fitted, X, files.file.tolist())


# ---- What is refused, before anything is computed ----


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"y": [0, 1]}, ValueError, "y must have 96 entries, one for each sample .* got 2"),
        ({"y": [None, *range(95)]}, ValueError, "y must hold a label in every row"),
        ({"y": np.linspace(0, 1, 96)}, ValueError, "Unknown label type: continuous"),
        ({"y": np.zeros((96, 2))}, ValueError, "y must hold one label per sample"),
        (
            {"metadata": pd.DataFrame({"a": [1]})},
            ValueError,
            "metadata must have 96 entries, one for each sample of X .* got 1",
        ),
        ({"names": ["a.png"]}, ValueError, "names must have 96 entries, one for each sample of X"),
        ({"metadata": {"age": [1]}}, TypeError, "metadata must be a pandas DataFrame, got dict"),
        ({"path": "no/such/report.html"}, FileNotFoundError, "path must be in an existing folder"),
        ({"path": "."}, IsADirectoryError, "path must be a file, got the folder '.'"),
        ({"max_samples": 0}, ValueError, "max_samples == 0, must be >= 1"),
        ({"n_members": 0}, ValueError, "n_members == 0, must be >= 1"),
    ],
)
def test_refused_before_anything_is_computed(
    given, error, message, fitted, toy_images, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(type(fitted), "predict", lambda *_: pytest.fail("was asked already"))
    with pytest.raises(error, match=message):
        cluster_report(fitted, toy_images[0], **given)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_to(fitted, toy_images, tmp_path, monkeypatch):
    monkeypatch.setattr(_report.os, "access", lambda *_: False)  # root may write everywhere
    with pytest.raises(PermissionError, match="path must be in a writable folder"):
        cluster_report(fitted, toy_images[0], path=tmp_path / "report.html")


def test_not_fitted(make_quick, toy_images, tmp_path):
    with pytest.raises(NotFittedError):
        cluster_report(make_quick(), toy_images[0], path=tmp_path / "report.html")


@pytest.mark.parametrize("name", ["jinja2", "PIL", "pandas"])
def test_a_missing_package_names_the_extra(name, fitted, toy_images, metadata, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=rf"needs {name}.*sklearn_cae\[report\]"):
        cluster_report(fitted, toy_images[0], None, metadata)


def test_a_report_is_written_whole_or_not_at_all(fitted, toy_images, tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("the one before")

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", stop)  # all is written, and nothing named yet
    with pytest.raises(KeyboardInterrupt):
        cluster_report(fitted, toy_images[0], path=path)
    assert path.read_text() == "the one before"
    assert list(tmp_path.iterdir()) == [path]
