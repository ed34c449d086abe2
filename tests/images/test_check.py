"""A look at images: planted faults are found in exactly their rows, and clean images are quiet."""

import numpy as np
import pandas as pd
import pytest
from fresh import run_fresh
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from sklearn.datasets import load_digits

from sklearn_cae.datasets import make_toy_images
from sklearn_cae.images import check_images

SIDE = 40


def make_scans(n=80, seed=0, side=SIDE):
    """Return uint8 images (n, side, side) that share a bright middle and differ in all else."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    body = 60 * np.exp(-2 * (x**2 + y**2))
    width = side / 12
    soft = ndimage.gaussian_filter(rng.normal(size=(n, side, side)), (0, width, width))
    noise = rng.normal(scale=2, size=(n, side, side))
    return (80 + body + 20 * soft / soft.std() + noise).clip(5, 250).astype(np.uint8)


def names_of(check):
    return [finding.name for finding in check.findings]


def assert_only(check, name, rows):
    assert names_of(check) == [name]
    assert check.rows_of(name).tolist() == sorted(rows)
    finding = check.findings[0]
    assert finding.text.startswith(f"{len(set(rows))} of {check.n_images} images (")
    assert finding.advice.endswith(".")


# ---- Clean images ----


@settings(max_examples=8)
@given(st.integers(0, 10_000), st.sampled_from([1, 2, 3, 15, 80]), st.sampled_from([16, 33, 64]))
def test_clean_images_are_quiet(seed, n, side):
    assert check_images(make_scans(n, seed, side)).findings == []


def test_digits_and_shapes_are_quiet():
    assert check_images(load_digits().images).findings == []
    X = make_toy_images(300, n_classes=6, n_channels=3, random_state=0).data
    assert check_images(X).findings == []


def test_digits_in_the_middle_of_black_are_quiet(data_root):
    file = data_root / "MNIST" / "raw" / "train-images-idx3-ubyte"
    X = np.fromfile(file, np.uint8, 16 + 3000 * 784)[16:].reshape(-1, 28, 28)
    assert check_images(X).findings == []


# ---- Faults of single images ----


def cut(image):
    image[int(0.7 * len(image)) :] = 0


def cut_in_gray(image):
    image[int(0.4 * len(image)) :] = 128


def frame(image):
    image[:4] = image[-4:] = 0


def frame_at_one_side(image):
    image[:, :5] = 255


def make_round(image):
    y, x = np.mgrid[-1 : 1 : len(image) * 1j, -1 : 1 : len(image) * 1j]
    image[x**2 + y**2 > 1] = 0


def mark(image):
    image[:10, -10:] //= 2
    image[3:6, -6:-3] = 255


def clip(image):
    image[image > np.quantile(image, 0.4)] = 255


def darken(image):
    image[image < np.quantile(image, 0.5)] = 0


def flatten(image):
    image[:] = 100 + np.arange(image.size).reshape(image.shape) % 2


def blank(image):
    image[:] = 90


FAULTS = {
    blank: "constant",
    flatten: "nearly_constant",
    clip: "saturated",
    darken: "saturated",
    cut: "truncated",
    cut_in_gray: "truncated",
    frame: "letterbox",
    frame_at_one_side: "letterbox",
    make_round: "round_border",
    mark: "burnt_in_corners",
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
@settings(max_examples=5)
@given(rows=st.sets(st.integers(0, 79), min_size=1, max_size=20), seed=st.integers(0, 1000))
def test_a_fault_is_found_in_exactly_its_rows(fault, rows, seed):
    X = make_scans(seed=seed)
    for index, row in enumerate(rows):
        fault(X[row])
        if fault is flatten:
            X[row, 0, 0] += index  # else they would be copies
    assert_only(check_images(X), FAULTS[fault], rows)


@settings(max_examples=8)
@given(rows=st.sets(st.integers(0, 79), min_size=1, max_size=39), seed=st.integers(0, 1000))
def test_inverted_images_are_the_smaller_part(rows, seed):
    X, chosen = make_scans(seed=seed), sorted(rows)
    X[chosen] = 255 - X[chosen]
    assert_only(check_images(X), "two_polarities", rows)
    assert_only(check_images(255 - X), "two_polarities", rows)


def test_polarity_is_compared_with_the_photometric_interpretation():
    X = make_scans()
    X[:8] = 255 - X[:8]
    kinds = ["MONOCHROME1"] * 10 + ["MONOCHROME2"] * 70
    finding = check_images(X, {"photometric": kinds}).findings[0]
    assert "8 of 10 MONOCHROME1, 0 of 70 MONOCHROME2" in finding.text


def test_all_images_with_borders_are_a_note():
    X = make_scans()
    for image in X:
        frame(image)
    check = check_images(X)
    assert [(each.name, each.severity) for each in check.findings] == [("letterbox", "note")]


# ---- Copies ----


@settings(max_examples=8)
@given(st.permutations(range(80)), st.integers(1, 10), st.integers(0, 1000))
def test_copies_are_found_set_by_set(order, n_sets, seed):
    X = make_scans(seed=seed)
    sets = sorted(sorted(order[3 * i : 3 * i + 3]) for i in range(n_sets))
    for first, second, third in sets:
        X[second] = X[third] = X[first]
    check = check_images(X)
    assert names_of(check) == ["duplicates"]
    assert [rows.tolist() for rows in check.findings[0].sets] == sets
    assert check.rows_of("duplicates").tolist() == [row for rows in sets for row in rows]


ALIKE = {
    "brighter": lambda image, rng: image + 20.0,
    "duller": lambda image, rng: 0.7 * image + 30,
    "curved": lambda image, rng: 255 * (image / 255) ** 0.8,
    "noisy": lambda image, rng: image + rng.normal(scale=2, size=image.shape),
    "blurred": lambda image, rng: ndimage.gaussian_filter(image, 0.5),
}


@pytest.mark.parametrize("way", ALIKE)
@settings(max_examples=5)
@given(st.permutations(range(80)), st.integers(0, 1000))
def test_near_copies_are_found_set_by_set(way, order, seed):
    X = make_scans(seed=seed)
    sets = sorted(sorted(order[2 * i : 2 * i + 2]) for i in range(8))
    for first, second in sets:
        altered = ALIKE[way](X[first].astype(float), np.random.default_rng(seed))
        X[second] = altered.clip(0, 255).round()
    check = check_images(X)
    assert names_of(check) == ["near_duplicates"]
    assert [rows.tolist() for rows in check.findings[0].sets] == sets


def test_images_that_differ_in_colour_alone_are_no_copies():
    X = make_scans()
    # The means over channels are equal, so that all is equal in gray.
    X = np.stack([X, np.full_like(X, 100), np.full_like(X, 100)], axis=-1)
    X[1] = X[0][..., [1, 0, 2]]
    assert check_images(X).findings == []


def test_copies_across_splits_and_patients():
    X = make_scans()
    X[1], X[11], X[21] = X[0], X[10], X[20] // 2 + 40
    patient, split = [0, 0, *range(2, 80)], ["test"] + ["train"] * 19 + ["test"] * 60
    patient[11], split[21] = np.nan, None
    table = pd.DataFrame({"patient": patient, "split": split})
    check = check_images(X, table)
    assert check.rows_of("duplicates").tolist() == [0, 1, 10, 11]
    assert check.rows_of("near_duplicates").tolist() == [20, 21]
    assert check.rows_of("duplicates_across_splits").tolist() == [0, 1]
    assert check.rows_of("duplicates_across_patients").tolist() == [20, 21]
    assert check.rows_of("several_per_patient").tolist() == [0, 1]


def test_copies_of_real_images_are_found(pneumonia):
    X = pneumonia["train"][0]
    check = check_images(X)
    assert names_of(check) == ["duplicates", "burnt_in_corners"]
    assert [len(rows) for rows in check.findings[0].sets] == [2] * 18
    assert all((X[first] == X[second]).all() for first, second in check.findings[0].sets)
    assert len(check.rows_of("burnt_in_corners")) == 1


def test_real_images_in_two_splits_are_found(pneumonia):
    both = [pneumonia[split][0] for split in ("train", "val")]
    known = {image.tobytes() for image in both[0]} & {image.tobytes() for image in both[1]}
    X = np.concatenate(both)
    check = check_images(X, {"split": np.repeat(["train", "val"], [len(each) for each in both])})
    rows = check.rows_of("duplicates_across_splits")
    assert {image.tobytes() for image in X[rows]} == known
    assert len(known) == 8
    assert not len(check.rows_of("near_duplicates"))


# ---- Metadata ----


def mixed(effect):
    X, of_b = make_scans(200).astype(float), np.arange(200) % 3 == 0
    X[of_b] = effect(X[of_b])
    return X, np.where(of_b, "B", "A")


def test_a_mix_that_shows_is_a_doubt():
    X, maker = mixed(lambda X: 0.8 * X)
    check = check_images(X, {"manufacturer": maker, "model": [f"{each}1" for each in maker]})
    assert names_of(check) == ["mix_of_manufacturer"]
    finding = check.findings[0]
    assert finding.rows.tolist() == np.flatnonzero(maker == "B").tolist()
    assert "manufacturer and model: A (133), B (67)" in finding.text
    variance = np.var([X[maker == each].mean(axis=(1, 2)).mean() for each in maker])
    assert variance / np.var(X.mean(axis=(1, 2))) > 0.2


def test_a_mix_that_does_not_show_is_a_note():
    X, maker = mixed(lambda X: X)
    check = check_images(X, {"manufacturer": maker})
    assert [(each.name, each.severity) for each in check.findings] == [
        ("mix_without_effect", "note")
    ]


def test_a_small_effect_is_a_note_even_if_it_is_certain():
    X = make_scans(3000, side=16).astype(float)
    maker = np.arange(3000) % 2
    X[maker == 1] *= 0.99
    finding = check_images(X, {"manufacturer": maker}).findings[-1]
    assert finding.name == "mix_without_effect"
    assert any(f"at most {share} % of" in finding.text for share in range(1, 6))


@pytest.mark.parametrize("column", ["label", "diagnosis", "age"])
def test_labels_are_not_looked_at(column):
    X, label = mixed(lambda X: 0.8 * X)
    assert check_images(X, {column: label}).findings == []


def test_random_mixes_are_seldom_doubts():
    rng = np.random.default_rng(0)
    X = make_scans(100)
    doubts = [
        check_images(X, {"scanner": rng.choice(list("ABC"), 100), "bits": rng.choice([8, 12], 100)})
        for _ in range(50)
    ]
    assert sum(names_of(check) != ["mix_without_effect"] for check in doubts) <= 2


def test_sizes_are_compared_by_their_quarters_and_proportions():
    rng = np.random.default_rng(0)
    X = make_scans(200)
    height, width = rng.integers(200, 500, (2, 200))
    for row in np.flatnonzero(width > 1.05 * height):
        frame(X[row])
    check = check_images(X, {"height": height, "width": width})
    assert names_of(check) == ["letterbox", "mix_of_aspect", "mix_without_effect"]
    assert f"portrait ({(width < 0.95 * height).sum()})" in check.findings[1].text
    assert check.rows_of("letterbox").tolist() == np.flatnonzero(width > 1.05 * height).tolist()


def test_missing_values_are_no_value():
    X, _ = mixed(lambda X: 0.8 * X)
    missing = pd.DataFrame({"model": [None, np.nan, pd.NA, "A"] * 50, "patient": [pd.NA] * 200})
    assert check_images(X, missing).findings == []


# ---- Input ----


def test_all_forms_of_images_lead_to_the_same_rows(tmp_path):
    X = make_scans()
    X[3], X[5], X[7] = X[4], 0, 255 - X[7]
    cut(X[9])
    np.save(tmp_path / "X.npy", X)
    rgb = np.repeat(X[..., None], 3, axis=-1)
    forms = {
        "mapped": (np.load(tmp_path / "X.npy", mmap_mode="r"), None),
        "flat": (X.reshape(len(X), -1), (SIDE, SIDE)),
        "table": (pd.DataFrame(X.reshape(len(X), -1)), (1, SIDE, SIDE)),
        "list": (list(X), None),
        "channels first": (np.ascontiguousarray(np.moveaxis(rgb, -1, 1)), None),
        "channels last": (rgb, None),
        "reversed": (X[:, :, ::-1], None),
        "float": (X / 255, None),
        "shifted": (X.astype(np.int16) - 1024, None),
        "large": (X * 1e30, None),
    }
    expected = {each.name: each.rows.tolist() for each in check_images(X).findings}
    assert expected == {
        "constant": [5], "two_polarities": [7], "duplicates": [3, 4], "truncated": [9]
    }  # fmt: skip
    for name, (form, shape) in forms.items():
        found = check_images(form, image_shape=shape).findings
        assert {each.name: each.rows.tolist() for each in found} == expected, name


def test_many_blocks_lead_to_the_same_rows(monkeypatch):
    X = make_scans()
    X[3], X[70] = X[60], 255 - X[70]
    whole = check_images(X)
    monkeypatch.setattr("sklearn_cae._input.looks._BLOCK", 7 * SIDE * SIDE)
    assert repr(check_images(X)) == repr(whole)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"X": np.zeros((5, 30))}, ValueError, "rows of X without image_shape are vectors"),
        ({"X": np.full((5, 9, 9), np.nan)}, ValueError, "X contains NaN"),
        ({"X": np.zeros((5, 9, 9, 9))}, ValueError, "channels"),
        ({"X": np.full((5, 9, 9), 1e300)}, ValueError, "fit into float32"),
        ({"X": "folder"}, TypeError, "X must be an array"),
        (
            {"metadata": {"patient": [1, 2]}},
            ValueError,
            r"metadata\['patient'\] must have 80 entri",
        ),
        ({"metadata": [1, 2]}, TypeError, "metadata must be a DataFrame or a dict of columns"),
        ({"metadata": {"age": range(80)}, "groups": "person"}, ValueError, "metadata has: age"),
        ({"split": "part"}, ValueError, "split must be the name of a column .* has: no columns"),
    ],
)
def test_what_does_not_fit_is_told(given, error, message):
    with pytest.raises(error, match=message):
        check_images(**{"X": make_scans(), **given})


# ---- Result ----


def test_the_result_is_read_as_text_and_as_a_table():
    X = make_scans()
    X[3] = 0
    check = check_images(X, {"patient": ["<b>"] * 2 + list(range(78))})
    assert repr(check).startswith("Check of 80 images: 1 problem, 1 note\n  problem constant\n")
    assert "1 of 80 images (1.2 %) is constant" in repr(check)
    assert "<td>problem</td><td>constant</td>" in check._repr_html_()
    table = check.to_frame()
    assert table.name.tolist() == ["constant", "several_per_patient"]
    assert table.n_rows.tolist() == [1, 2]
    assert check.rows_of("mix_of_kind").tolist() == []
    with pytest.raises(ValueError, match="name must be one of constant"):
        check.rows_of("constants")
    assert repr(check_images(X[4:])) == "Check of 76 images: nothing found"


def test_it_needs_no_optional_package():
    code = (
        "import sys\n"
        "for name in ('pandas', 'PIL', 'matplotlib'): sys.modules[name] = None\n"
        "import numpy as np\n"
        "from sklearn_cae.images import check_images\n"
        "X = np.random.default_rng(0).random((9, 16, 16))\n"
        "print(check_images(X, {'patient': list('aabcdefgh')}).rows_of('several_per_patient'))\n"
        "print('torch' in sys.modules)\n"
    )
    assert run_fresh(code) == "[0 1]\nFalse\n"
