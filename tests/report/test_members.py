"""Members in a report: their names, originals, and what their similarity depends on."""

import re

import numpy as np
import pandas as pd
import pytest
import torch
from pages import Page
from PIL import Image

from sklearn_cae import cluster_report
from sklearn_cae._utils.wording import to_percent
from sklearn_cae.images import Originals, read_images
from sklearn_cae.metrics import patient_profile

pytestmark = pytest.mark.usefixtures("quick_map")


@pytest.fixture
def report(fitted, toy_images, tmp_path):
    """Write a report about the toy images, and read it back."""

    def write(**params):
        return Page(cluster_report(fitted, toy_images[0], path=tmp_path / "report.html", **params))

    return write


class Few:
    """A sequence that remembers which of its items were touched."""

    def __init__(self, items):
        self.items, self.touched = items, []

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        self.touched.append(index)
        return self.items[index]


# ---- Originals ----


def large(X, side=500):
    return [np.kron(image, np.ones((side // 16, side // 16), dtype=np.uint8)) for image in X]


def shown_originals(page):
    """{row: picture}."""
    return {
        int(re.match(r"image (\d+), original", alt).group(1)): pictures[0]
        for alt, pictures in page.pictures.items()
        if alt.endswith("original")
    }


def test_originals_stand_beside_what_the_network_saw(report, toy_images):
    images = Few(large(toy_images[0]))
    page = report(images=images)
    shown = shown_originals(page)
    assert 18 < len(shown) <= 36
    assert set(images.touched) == set(shown)  # none that is not shown was read
    for row, picture in shown.items():
        assert max(picture.shape) == 384
        small = np.asarray(Image.fromarray(picture).resize((16, 16), Image.Resampling.BOX))
        assert np.abs(small - toy_images[0][row].astype(float)).mean() < 8
        assert any(alt.startswith(f"image {row}, as the network saw it") for alt in page.pictures)
    assert page.source.count('<button type="button" class="enlarge">') == len(images.touched)


@pytest.mark.parametrize(
    ("convert", "shape"),
    [
        (lambda image: image.astype(np.uint16) * 17 + 1000, (16, 16)),
        (lambda image: image / 255 - 3, (16, 16)),
        (lambda image: image > 100, (16, 16)),
        (lambda image: np.stack([image] * 3, axis=-1), (16, 16, 3)),
        (Image.fromarray, (16, 16)),
        (lambda image: Image.fromarray(image).convert("P"), (16, 16)),
    ],
    ids=["uint16", "float", "bool", "rgb", "picture", "palette"],
)
def test_originals_of_any_kind(convert, shape, report, toy_images):
    page = report(images=[convert(image) for image in toy_images[0]])
    pictures = list(shown_originals(page).values())
    assert {picture.shape for picture in pictures} == {shape}
    assert all(np.ptp(picture) > 150 for picture in pictures)


def test_originals_from_files(report, toy_images, tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    for index, image in enumerate(large(toy_images[0], 48)):
        Image.fromarray(image).save(folder / f"{index:03}.png")
    found = read_images(folder, size=16)
    of_paths = report(images=[folder / name for name in found.metadata.file])
    of_table = report(images=Originals(found.metadata, folder, found.reading))
    of_column = report(images=pd.Series(sorted(folder.iterdir()), index=range(96, 0, -1)))
    for page in (of_paths, of_table, of_column):
        for row, picture in shown_originals(page).items():
            assert np.abs(picture - large(toy_images[0][[row]], 48)[0].astype(float)).mean() < 6


def test_an_original_that_cannot_be_read_has_a_note(report, tmp_path):
    gone = tmp_path / "Doe^Jane.png"
    with pytest.warns(UserWarning, match=r"of the originals .* images\[\d+\]: .*Doe\^Jane"):
        page = report(images=[gone] * 96)
    assert page.text.count("The original could not be read.") > 18
    assert "Doe" not in page.source  # the warning alone names the file
    with pytest.warns(UserWarning, match=r"must be \(H, W\) or \(H, W, 3\), got \(2, 2, 5\)"):
        report(images=np.zeros((96, 2, 2, 5)))


def test_vectors_may_have_originals(make_quick, toy_images, tmp_path):
    X = toy_images[0].reshape(96, -1)[:, ::8].astype(float)
    model = make_quick(warm_up_epochs=1).fit(X)
    page = Page(cluster_report(model, X, path=tmp_path / "report.html", images=toy_images[0]))
    assert len(shown_originals(page)) > 18
    assert "96 images in 3 clusters" in page.text


# ---- What the similarity depends on ----


def test_typical_members_show_what_their_similarity_depends_on(report):
    page = report()
    heats = {alt: pictures[0] for alt, pictures in page.pictures.items() if "with red" in alt}
    assert 0 < len(heats) <= 18
    for picture in heats.values():
        red, green = picture[..., 0].astype(int), picture[..., 1].astype(int)
        assert (red - green).max() > 60  # the strongest point
    assert page.source.count('type="checkbox"') == 3
    assert "It is no finding" in page.text


class NoGradient(torch.nn.Module):
    """An encoder that computes gradients in the training only."""

    def __init__(self, image_shape, embedding_dim):
        super().__init__()
        self.last = torch.nn.Linear(int(np.prod(image_shape)), embedding_dim)

    def forward(self, images):
        embedding = self.last(images.flatten(1))
        return embedding if self.training else embedding.detach()


def test_an_encoder_without_gradients_has_a_report(make_quick, toy_images, tmp_path):
    model = make_quick(encoder=NoGradient, warm_up_epochs=1, conditioning_epochs=0)
    path = cluster_report(model.fit(toy_images[0]), toy_images[0], path=tmp_path / "report.html")
    assert "What the similarity depends on" not in Page(path).text


# ---- Names, patients, and the table ----


@pytest.fixture
def groups():
    """Patients of one to five images, with names that must not be told."""
    return [f"Doe^{code}" for code in np.random.RandomState(0).randint(0, 40, size=96)]


def test_patients_have_numbers_for_names(report, groups):
    page = report(groups=groups, metadata=pd.DataFrame({"patient_id": groups, "age": range(96)}))
    assert "Doe" not in page.source
    names = {row: name for row, name in zip(page.points["row"], page.points["name"], strict=True)}
    numbers = {}
    for row, name in sorted(names.items()):
        patient, place = re.fullmatch(r"patient (\d+), image (\d+)", name).groups()
        assert numbers.setdefault(groups[row], patient) == patient
        assert int(place) == groups[: row + 1].count(groups[row])
    assert len(set(numbers.values())) == len(numbers) == len(set(groups))
    order = [int(numbers[group]) for group in sorted(numbers)]
    assert order != sorted(order)  # by which patients could be found again
    assert "Left out, because they name files or patients: patient_id." in page.text
    assert page.row("age")


def test_columns_that_tell_who_a_patient_is_are_left_out(report, groups):
    numbers = np.unique(groups, return_inverse=True)[1]
    some = np.random.RandomState(0).rand(96) < 0.1
    frame = pd.DataFrame(
        {
            "number": numbers,
            "with missing ones": np.where(some, None, groups),
            "study of a patient": [f"{group}, {i % 2}" for i, group in enumerate(groups)],
            "decade": numbers // 10,
            "sex": np.where(numbers % 2, "F", "M"),
            "weight": numbers / 3,
            "height": numbers,
        }
    )
    page = report(groups=groups, metadata=frame)
    assert "number, with missing ones, study of a patient." in page.text
    for name in ("decade", "sex", "weight", "height"):
        assert page.row(name)
    assert "Doe" not in page.source


def test_the_table_can_be_downloaded(report, fitted, toy_images, groups):
    files = [f"ä, {index}.png" for index in range(96)]
    table = report(names=files, groups=groups).table()
    assert list(table[0]) == [
        *("row", "name", "group", "probability", "margin", "doubtful", "patient")
    ]
    assert [row["name"] for row in table] == files
    assert [int(row["row"]) for row in table] == list(range(96))
    assert [int(row["group"]) for row in table] == fitted.labels_.tolist()
    shares = fitted.predict_proba(toy_images[0]).max(axis=1)
    np.testing.assert_allclose([float(row["probability"]) for row in table], shares, atol=1e-4)
    assert len({(group, row["patient"]) for group, row in zip(groups, table, strict=True)}) == len(
        set(groups)
    )
    assert "patient" not in report().table()[0]


def test_patients_of_each_cluster_are_counted(report, fitted, groups):
    page = report(groups=groups)
    for cluster in range(3):
        members = np.array(groups)[fitted.labels_ == cluster]
        assert page.row(f"Cluster {cluster}")[2] == str(len(set(members)))


def test_p_values_are_those_of_patients(report, fitted):
    """A column of patients that are in one cluster each: few of them are no evidence."""
    codes = fitted.labels_ * 2 + np.arange(96) % 2
    frame = pd.DataFrame({"age": codes.astype(float)})
    alone, together = (
        report(metadata=frame, **given) for given in ({}, {"groups": [f"P{c}" for c in codes]})
    )
    assert alone.row("age")[0] == "< 0.001"
    assert alone.row("age")[-1] == "Kruskal-Wallis"
    # One value per patient would name it, so that the page would leave the column out.
    assert "Left out, because they name files or patients: age." in together.text
    frame["age"] = fitted.labels_.astype(float)
    together = report(metadata=frame, groups=[f"P{c}" for c in codes])
    assert float(together.row("age")[0]) > 0.02
    assert together.row("age")[-1] == "Kruskal-Wallis, patients permuted"
    assert "exchanges of whole patients" in together.text
    assert "pass the patients as groups" in alone.text


def test_agreement_within_patients(report, fitted, groups):
    page, profile = report(groups=groups), patient_profile(fitted.labels_, groups)
    assert f"The 96 images are of {len(set(groups))} patients. A patient has 1 to " in page.text
    assert f"in the same cluster with a probability of {profile.agreement:.2f} (" in page.text
    assert f"of different patients it is {profile.agreement_by_chance:.2f}." in page.text
    table = next(table for table in page.tables if table[0][2:3] == ["Mean share"])
    for number, (_, count, share, _) in enumerate(table[1:]):
        assert int(count) == profile.shares.n_patients[number]
        assert share == to_percent(profile.shares.share[number])


def test_patients_with_one_image_have_no_agreement(report):
    page = report(groups=range(96))
    assert "The 96 images are of 96 patients. A patient has 1 image." in page.text
    assert "in the same cluster with a probability" not in page.text


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"images": [0]}, ValueError, "images must have 96 entries, one for each sample of X"),
        ({"images": 3}, TypeError, "images must be a sequence of arrays, .* got int"),
        ({"groups": ["a"] * 95}, ValueError, "groups must have 96 entries"),
        ({"groups": ["a"] * 96}, ValueError, "groups must hold at least two patients, got one"),
        ({"groups": [None, *"a" * 95]}, ValueError, "groups must name the patient of every sample"),
    ],
)
def test_what_is_refused(given, error, message, report, fitted, monkeypatch):
    monkeypatch.setattr(type(fitted), "assign", lambda *_: pytest.fail("was asked already"))
    with pytest.raises(error, match=message):
        report(**given)
