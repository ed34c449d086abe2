"""X and y as users have them: tables, pictures, tensors, and what is no array at all."""

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from quick import quick_clusterer
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.utils import Bunch
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset

from sklearn_cae import (
    ClusterLabelMapper,
    KNNProbe,
    LinearProbe,
    cluster_report,
    load,
    save,
)
from sklearn_cae._input import arrays
from sklearn_cae.clusterers import CommunityClusterer, MixtureClusterer
from sklearn_cae.datasets import to_memmap
from sklearn_cae.metrics import stability_report
from sklearn_cae.plotting import (
    AugmentationDisplay,
    EmbeddingDisplay,
    PrototypeDisplay,
    ReconstructionDisplay,
)


def as_frame(X, library=pd, **kwargs):
    """Flat images as a table with a column for each pixel."""
    X = X.reshape(len(X), -1)
    return library.DataFrame({f"pixel{i}": X[:, i] for i in range(X.shape[1])}, **kwargs)


# ---- Names of columns ----


@pytest.fixture(scope="module")
def fitted_to_pixels(toy_images):
    frame = as_frame(toy_images[0])
    return quick_clusterer(image_shape=(16, 16), warm_up_epochs=1).fit(frame), frame


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_columns_of_pixels_keep_their_names(toy_images, make_quick, tmp_path, library):
    frames = pytest.importorskip(library, reason=f"{library} makes its own frames")
    frame = as_frame(toy_images[0], frames)
    names = list(frame.columns)
    fitted = make_quick(image_shape=(16, 16), warm_up_epochs=1).fit(frame)
    save(fitted, tmp_path / "model")
    for model in (fitted, load(tmp_path / "model")):
        assert model.feature_names_in_.tolist() == names
        assert model.n_features_in_ == 256
        np.testing.assert_array_equal(model.predict(frame), fitted.labels_)
        with pytest.raises(ValueError, match="must be in the same order as they were in fit"):
            model.predict(frame[names[::-1]])
        with pytest.raises(ValueError, match="unseen at fit time"):
            model.transform(frame.rename({"pixel0": "other"}, **RENAMES[library]))


RENAMES = {"pandas": {"axis": "columns"}, "polars": {}}


def test_rows_without_names_warn_as_in_scikit_learn(toy_images, fitted_to_pixels):
    model, frame = fitted_to_pixels
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        labels = model.predict(frame.to_numpy())
    np.testing.assert_array_equal(labels, model.labels_)
    unnamed = quick_clusterer(image_shape=(16, 16), warm_up_epochs=1).fit(frame.to_numpy())
    assert not hasattr(unnamed, "feature_names_in_")
    with pytest.warns(UserWarning, match="X has feature names, but"):
        unnamed.predict(frame)


def test_names_are_forgotten_by_a_fit_to_images_without_columns(toy_images, make_quick):
    X = toy_images[0]
    model = make_quick(image_shape=(16, 16), warm_up_epochs=1).fit(as_frame(X))
    assert hasattr(model, "feature_names_in_")
    assert not hasattr(model.set_params(image_shape=None).fit(X), "feature_names_in_")


def test_columns_that_are_missing_are_named(fitted_to_pixels):
    model, frame = fitted_to_pixels
    with pytest.raises(ValueError, match="seen at fit time, yet now missing:\n- pixel0"):
        model.predict(frame.iloc[:, 1:])


# ---- What is no array ----


class Unread(Dataset):
    """A data set whose items nobody may read."""

    def __len__(self):
        return 20_000

    def __getitem__(self, index):
        pytest.fail("an item was read")


class Stream(IterableDataset):
    def __iter__(self):
        pytest.fail("an item was read")


def images_of(n=4):
    return np.random.RandomState(0).randint(0, 256, (n, 16, 16)).astype(np.uint8)


def column_of(items):
    column = np.empty(len(items), dtype=object)
    column[:] = list(items)
    return column


NO_ARRAYS = {
    "data set": (Unread, "the data set Unread, .*to_memmap.X, 'images.npy'"),
    "subset": (lambda: Subset(Unread(), range(9)), "the data set Subset, .*to_memmap.X, "),
    "loader": (lambda: DataLoader(Unread()), r"the loader DataLoader, .*to_memmap\(X.dataset, "),
    "stream": (Stream, r"a Stream, .*Pass numpy.stack\(list\(X\)\)"),
    "generator": (lambda: (i for i in images_of()), r"a generator, .*numpy.stack\(list\(X\)\)"),
    "iterator": (lambda: map(abs, images_of()), r"a map, .*numpy.stack\(list\(X\)\)"),
    "folder": (lambda: "images/", "text 'images/'.*not read. Pass .*numpy.load.*to_memmap"),
    "path": (lambda: Path("x.npy"), "text 'x.npy'.*numpy.load"),
    "dict": (lambda: {"images": images_of()}, r"a dict with the keys 'images'. Pass .*X\['images"),
    "bunch": (lambda: Bunch(data=images_of()), r"a Bunch with the keys 'data'.*X\['data'\]"),
    "None": (lambda: None, "an array, got a NoneType. Pass an array"),
    "class": (lambda: np.ndarray, "an array, got the class ndarray. Pass an array"),
    "list of paths": (lambda: [Path("a.png")] * 4, r"text such as 'a.png'.*PIL.Image.open"),
    "list of names": (lambda: ["a.png"] * 4, r"text such as 'a.png'.*PIL.Image.open"),
    "array of names": (lambda: np.array(["a.png"] * 4), "text such as 'a.png'.*PIL.Image.open"),
    "column of names": (lambda: pd.Series(["a.png"] * 4), "text such as 'a.png'.*PIL.Image"),
    "table of names": (lambda: pd.DataFrame({"file": ["a.png"] * 4}), "text such as 'a.png'"),
    "list of dicts": (lambda: [{"image": images_of()[0]}] * 4, r"stack\(\[item\['image'\] for "),
    "list of pairs": (
        lambda: [(image, 0) for image in images_of()],
        r"pairs of an image and its label.*numpy.stack\(\[pair\[0\] for pair in X\]\)",
    ),
    "objects": (lambda: column_of(images_of()), r"objects that are images.*numpy.stack\(list\(X\)"),
    "column of images": (
        lambda: pd.Series(list(images_of())),
        r"objects that are images.*numpy.stack\(list\(X\)",
    ),
    "table of images": (
        lambda: pd.DataFrame({"image": list(images_of())}),
        r"objects that are images.*numpy.stack\(list\(X\)",
    ),
}


def entrances(model, X):
    """Call all that takes X, one after the other."""
    yield lambda: clone(model).fit(X)
    yield lambda: model.predict(X)
    yield lambda: model.decode(X)
    yield lambda: KNNProbe().fit(X, [0, 1])
    yield lambda: LinearProbe().fit(X, [0, 1])
    yield lambda: ClusterLabelMapper().fit(X, [0, 1])
    yield lambda: CommunityClusterer().fit(X)
    yield lambda: MixtureClusterer().fit(X)
    yield lambda: EmbeddingDisplay.from_estimator(model, X)
    yield lambda: PrototypeDisplay.from_estimator(model, X)
    yield lambda: ReconstructionDisplay.from_estimator(model, X)
    yield lambda: AugmentationDisplay.from_estimator(model, X)
    yield lambda: cluster_report(model, X)


@pytest.mark.parametrize("kind", NO_ARRAYS)
def test_what_is_no_array_is_known_before_it_is_read(fitted, kind):
    make, words = NO_ARRAYS[kind]
    for enter in entrances(fitted, make()):
        with pytest.raises(TypeError, match=words.replace("X", "(X|embedding)")):
            enter()


@pytest.mark.parametrize("kind", ["data set", "loader", "generator", "folder", "dict"])
def test_stability_reports_know_it_too(fitted, kind):
    make, words = NO_ARRAYS[kind]
    with pytest.raises(TypeError, match=words):
        stability_report(fitted, make())


def test_stability_reports_leave_text_to_the_estimator():
    texts = ["a b c", "a b", "b c a", "x y z", "x y", "z y x"] * 3
    model = make_pipeline(TfidfVectorizer(token_pattern=r"\w"), KMeans(2, n_init=3))
    assert stability_report(model, texts, n_repeats=1, random_state=0).ari_seeds == [1]


@pytest.mark.parametrize(
    ("X", "words"),
    [
        (lambda: [*images_of(2), images_of(1)[0, :9]], r"at X\[2\] is \(9, 16\) of uint8"),
        (lambda: [*images_of(2), images_of(1)[0] / 255], r"at X\[2\] is \(16, 16\) of float64"),
        (lambda: [[1, 2], [3]], "samples of one shape, got a list with several"),
        (lambda: np.ma.masked_less(images_of(), 9), r"are masked. Pass X.filled\(value\)"),
    ],
)
def test_lists_and_masks_that_make_no_array(make_quick, X, words):
    with pytest.raises(ValueError, match=words):
        make_quick().fit(X())


@pytest.mark.parametrize(
    ("column", "error", "words"),
    [
        (["north", "south"], TypeError, "X must hold numbers, got 'north'. Drop columns"),
        ([None, 7], ValueError, "X contains NaN"),
    ],
)
def test_columns_that_hold_no_pixels(make_quick, toy_images, column, error, words):
    frame = as_frame(toy_images[0]).assign(pixel255=(column * 48))
    frame["pixel255"] = frame["pixel255"].astype(object)
    with pytest.raises(error, match=words):
        make_quick(image_shape=(16, 16)).fit(frame)


class Lazy:
    """An array in a file, as h5py and zarr have it: read as it is asked for."""

    def __init__(self, X):
        self.X, self.n_reads = X, 0
        self.shape, self.dtype, self.ndim = X.shape, X.dtype, X.ndim

    def __len__(self):
        return len(self.X)

    def __getitem__(self, index):
        pytest.fail("an item was read by itself")

    def __array__(self, dtype=None, copy=None):
        self.n_reads += 1
        return np.asarray(self.X, dtype=dtype)


@pytest.mark.parametrize(
    "hold",
    [list, tuple, Lazy, lambda X: list(torch.from_numpy(X)), lambda X: X.tolist(), np.ma.array],
    ids=["list", "tuple", "lazy", "tensors", "numbers", "without a mask"],
)
def test_what_holds_an_array_is_read(toy_images, fitted, hold):
    held = hold(toy_images[0])
    np.testing.assert_array_equal(fitted.predict(held), fitted.labels_)
    assert getattr(held, "n_reads", 1) == 1


# ---- One image alone, and images of the other kind of numbers ----


@pytest.fixture(scope="module")
def fitted_to():
    """Models of one layout each, by its name."""
    X = images_of(24)
    colors = np.stack([X, 255 - X, X], axis=1)
    layouts = {
        "HW": (X, None),
        "CHW": (colors, None),
        "HWC": (np.moveaxis(colors, 1, -1), None),
        "flat": (X.reshape(24, -1), (16, 16)),
    }
    return {
        name: quick_clusterer(warm_up_epochs=1, conditioning_epochs=0, image_shape=shape).fit(X)
        for name, (X, shape) in layouts.items()
    }


@pytest.mark.filterwarnings("ignore:A batch of")
@pytest.mark.parametrize(
    ("layout", "shape", "way"),
    [
        ("HW", (16, 16), "[np.newaxis]"),
        ("HW", (1, 256), ".reshape(-1, 16, 16)"),
        ("CHW", (3, 16, 16), "[np.newaxis]"),
        ("HWC", (16, 16, 3), "[np.newaxis]"),
        ("flat", (16, 16), ".reshape(1, 256)"),
    ],
)
def test_one_image_alone_is_told_its_way_in(fitted_to, layout, shape, way):
    model, image = fitted_to[layout], np.ones(shape, dtype=np.uint8)
    with pytest.raises(ValueError, match=rf"Pass \w+{re.escape(way)}") as refused:
        model.predict(image)
    assert ("X[0]" in str(refused.value)) == ("a single image" in str(refused.value))
    assert model.predict(eval(f"image{way}")).shape == (1,)


@pytest.mark.parametrize("n_images", [5, 16, 20])
def test_displays_know_one_image_alone(fitted, n_images):
    with pytest.raises(ValueError, match=r"got a single image. Pass image\[np.newaxis\]"):
        ReconstructionDisplay.from_estimator(fitted, images_of()[0], n_images=n_images)
    with pytest.raises(ValueError, match=r"If X is a single image, pass X\[np.newaxis\]"):
        AugmentationDisplay.from_estimator(fitted, images_of()[0])


def test_images_without_channels_are_not_one_image_alone(fitted_to):
    told = r"of shape \(3, 16, 16\) as in fit, got \(16, 16\): X .* was 3 in fit, and is 1 here"
    with pytest.raises(ValueError, match=told):
        fitted_to["CHW"].predict(images_of(5))


@pytest.mark.parametrize(("shape", "image_shape"), [((16, 16, 3), None), ((16, 16), (16, 16))])
def test_a_fit_to_one_image_alone(make_quick, shape, image_shape):
    with pytest.raises(ValueError, match=r"a single image.*[Pp]ass"):
        make_quick(image_shape=image_shape).fit(np.resize(images_of(), shape))


@pytest.mark.filterwarnings("ignore:A batch of")
@pytest.mark.parametrize("fitted_as", ["uint8", "unit floats", "other floats"])
@pytest.mark.parametrize("given_as", ["uint8", "unit floats", "other floats"])
def test_numbers_of_the_other_kind_are_told_their_way_in(fitted_as, given_as):
    images = images_of(12)
    images[0, 0, :2] = 0, 255
    forms = {
        "uint8": images,
        "unit floats": (images / 255).astype(np.float32),
        "other floats": images.astype(np.float32),
    }
    model = quick_clusterer(warm_up_epochs=1, conditioning_epochs=0).fit(forms[fitted_as])
    X = forms[given_as]
    if (fitted_as == "uint8") == (given_as == "uint8"):
        model.predict(X)
        return
    with pytest.raises(ValueError, match="images as in fit, got") as refused:
        model.predict(X)
    way = re.search("with ([^ ]+( [/*] [^ ]+)?) for 8-bit", str(refused.value)).group(1)
    converted = eval(way, {"X": X, "numpy": np})
    np.testing.assert_array_equal(model.predict(converted), model.labels_)


# ---- Windows of intensities ----


@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.float16, np.float32])
@pytest.mark.parametrize("window", [(-1000, -100), (-1000, 0), (4096, 5000), (1e30, 2e30)])
def test_a_window_beside_all_intensities_is_refused(make_quick, dtype, window):
    X = np.linspace(0, 4095, 12 * 256).reshape(12, 16, 16).astype(dtype)
    model = make_quick(intensity_range=window)
    with pytest.raises(
        ValueError, match=r"intensity_range must be .* from 0 to 409[56].*unit of X"
    ):
        model.fit(X)
    assert not hasattr(model, "encoder_")
    with pytest.raises(ValueError, match="intensity_range must be a window"):
        AugmentationDisplay.from_images(X, intensity_range=window)


def test_a_window_within_which_all_images_are_equal_is_refused(make_quick):
    X = images_of(12) // 2
    X[:, 0, 0] = 255  # a mark in each image, and all that the window leaves
    with pytest.raises(ValueError, match="all images are equal after clipping"):
        make_quick(intensity_range=(200, 255)).fit(X)


@pytest.mark.parametrize(
    ("window", "words"),
    [((0, 99), "21.9 % of them are clipped, which is normal"), ((0, 1), "98.4 % .* nearly all")],
)
def test_the_share_that_a_window_clips_is_told(make_quick, window, words):
    image = np.resize(np.arange(128, dtype=np.uint8), (16, 16))
    X = np.stack([np.roll(image, shift) for shift in range(12)])
    with pytest.warns(UserWarning, match=words):
        model = make_quick(warm_up_epochs=1, intensity_range=window).fit(X)
    new = np.full((4, 16, 16), 200, dtype=np.uint8)
    new[0] = 0
    with pytest.warns(UserWarning, match="training images: 75 % of them are clipped"):
        model.predict(new)


def test_equal_images_may_be_drawn_within_a_window():
    X = np.stack([images_of(1)[0]] * 4)
    with pytest.warns(UserWarning, match="are clipped"):
        AugmentationDisplay.from_images(X, intensity_range=(0, 200))


# ---- Tensors and nullable columns ----

#: The columns of a table, by who makes them.
COLUMNS = {
    "numpy": lambda frame: frame,
    "nullable": lambda frame: frame.astype("UInt8"),
    "pyarrow": lambda frame: frame.astype("uint8[pyarrow]"),
    "some nullable": lambda frame: frame.astype({"pixel3": "UInt8"}),
    "polars": lambda frame: sys.modules["polars"].DataFrame(frame.to_dict("series")),
}


def columns_of(kind, frame):
    if kind in ("pyarrow", "polars"):
        pytest.importorskip(kind, reason=f"{kind} holds its own columns")
    return COLUMNS[kind](frame)


@pytest.mark.parametrize("kind", COLUMNS)
@pytest.mark.filterwarnings("ignore:.*feature names")
def test_columns_of_bytes_stay_bytes(toy_images, make_quick, kind):
    X = toy_images[0] // 2
    table = columns_of(kind, as_frame(X))
    model = make_quick(image_shape=(16, 16), warm_up_epochs=1).fit(table)
    assert model.intensity_range_ == (0, 255)
    assert model.feature_names_in_.tolist() == list(table.columns)
    for same in (table, as_frame(X), X.reshape(len(X), -1)):
        np.testing.assert_array_equal(model.predict(same), model.labels_)
    if kind == "polars":
        return
    display = ReconstructionDisplay.from_estimator(model, table, n_images=3)
    assert display.originals.dtype == np.uint8


@pytest.mark.parametrize("kind", ["numpy", "nullable", "pyarrow", "polars"])
def test_missing_values_are_told_alike(make_quick, kind):
    frame = as_frame(images_of(12))
    table = columns_of(kind, frame)
    if kind == "polars":
        table[3, "pixel7"] = None
    else:
        table = table.astype({"pixel7": float}) if kind == "numpy" else table.copy()
        table.loc[3, "pixel7"] = None
    for model in (make_quick(image_shape=(16, 16)), make_quick(), KNNProbe()):
        with pytest.raises(ValueError, match="Input X contains NaN"):
            model.fit(table, np.arange(12) % 2)


@pytest.mark.parametrize("dtype", ["boolean", "Int16", "Float32"])
def test_nullable_columns_have_numpys_types(dtype):
    frame = as_frame(images_of(12) > 127).astype(dtype)
    X = arrays.as_samples(frame).to_numpy()
    assert X.dtype == frame.iloc[:, 0].dtype.numpy_dtype
    np.testing.assert_array_equal(X.reshape(12, 16, 16), images_of(12) > 127)


def test_tensors_are_taken_under_the_array_api():
    """In a process of its own, since SciPy has to know before it is imported."""
    code = """
        import numpy as np, sklearn, torch
        from sklearn.datasets import make_blobs
        from quick import quick_clusterer
        from sklearn_cae import ClusterLabelMapper, KNNProbe, LinearProbe
        from sklearn_cae.clusterers import CommunityClusterer, MixtureClusterer

        X, y = make_blobs(90, centers=3, random_state=0)
        X, y = X.astype(np.float32), y % 2
        assignment = np.eye(3, dtype=np.float32)[y]
        for model, samples in (
            (ClusterLabelMapper(), assignment),
            (ClusterLabelMapper(missing_label=0), assignment),
            (KNNProbe(), X),
            (LinearProbe(epochs=2, random_state=0), X),
            (CommunityClusterer(random_state=0), X),
            (MixtureClusterer(3, random_state=0), X),
            (quick_clusterer(warm_up_epochs=1), X),
        ):
            expected = model.fit(samples, y).predict_proba(samples)
            score = model.score(samples, y) if hasattr(model, "score") else None
            with sklearn.config_context(array_api_dispatch=True):
                for given in (samples, torch.tensor(samples)):
                    for labels in (y, torch.tensor(y)):
                        found = model.fit(given, labels).predict_proba(given)
                        assert isinstance(found, np.ndarray)
                        np.testing.assert_array_equal(found, expected)
                        if score is not None:
                            assert model.score(given, labels) == score
        weight = torch.ones(90)
        with sklearn.config_context(array_api_dispatch=True):
            mapper = ClusterLabelMapper().fit(assignment, y)
            assert mapper.score(torch.tensor(assignment), torch.tensor(y), weight) == 1
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code)],
        env={**os.environ, "SCIPY_ARRAY_API": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


# ---- Pictures of Pillow ----

Image = pytest.importorskip("PIL.Image", reason="pictures are Pillow's")
GREY = [value for value in range(256) for _ in "RGB"]
COLORS = [channel for value in range(256) for channel in (value, 255 - value, 7)]


def picture_of(mode, image, palette=COLORS, alpha=255):
    """One picture of each mode, as files of it are opened."""
    picture = Image.fromarray(image)
    if mode in ("P", "PA"):
        picture.putpalette(palette)
        if mode == "PA":
            picture = picture.convert("PA")
            picture.putalpha(alpha)
        return picture
    if mode.startswith("I;16"):
        return Image.frombytes(mode, (16, 16), (257 * image.astype(int)).astype(BYTE_ORDERS[mode]))
    if mode in ("La", "RGBa"):
        return picture_of(mode.upper(), image, alpha=alpha).convert(mode)
    picture = picture.convert(mode)
    if mode.endswith("A"):
        picture.putalpha(alpha)
    return picture


BYTE_ORDERS = {"I;16": "<u2", "I;16B": ">u2"}
MEANT = {
    "1": lambda image: image > 127,
    "L": lambda image: image,
    "I": lambda image: image.astype(np.int32),
    "F": lambda image: image.astype(np.float32),
    "I;16": lambda image: image.astype(np.uint16) * 257,
    "I;16B": lambda image: image.astype(np.uint16) * 257,
    "RGB": lambda image: np.stack([image] * 3, axis=-1),
    "LA": lambda image: image,
    "La": lambda image: image,
    "RGBA": lambda image: np.stack([image] * 3, axis=-1),
    "RGBa": lambda image: np.stack([image] * 3, axis=-1),
    "P": lambda image: np.stack([image, 255 - image, np.full_like(image, 7)], axis=-1),
    "PA": lambda image: np.stack([image, 255 - image, np.full_like(image, 7)], axis=-1),
}


@pytest.mark.parametrize("mode", MEANT)
def test_pictures_become_the_intensities_that_they_mean(tmp_path, mode):
    images = images_of(12)
    if mode == "1":
        images = np.where(images > 127, 255, 0).astype(np.uint8)  # else it is dithered
    pictures = [picture_of(mode, image) for image in images]
    assert pictures[0].mode == mode
    expected = np.stack([MEANT[mode](image) for image in images])
    mapped, _ = to_memmap(pictures, tmp_path / "x.npy")
    assert mapped.dtype == expected.dtype
    np.testing.assert_array_equal(mapped, expected)
    model = quick_clusterer(warm_up_epochs=1).fit(pictures)
    for X in (pictures, mapped, expected):
        np.testing.assert_array_equal(model.predict(X), model.labels_)


def test_grey_palettes_become_grey_images(tmp_path):
    images = images_of()
    darker = [value // 2 for value in GREY]
    mapped, _ = to_memmap([picture_of("P", image, darker) for image in images], tmp_path / "x.npy")
    np.testing.assert_array_equal(mapped, images // 2)


@pytest.mark.parametrize("mode", ["LA", "RGBA", "PA", "La", "RGBa"])
def test_transparent_pictures_are_refused(tmp_path, mode):
    pictures = [picture_of(mode, image) for image in images_of()]
    pictures[2] = picture_of(mode, images_of()[2], alpha=9)
    with pytest.raises(ValueError, match=r"transparent pixels at index 2\. Alpha is no intensity"):
        to_memmap(pictures, tmp_path / "x.npy")
    with pytest.raises(ValueError, match=r"transparent pixels at X\[2\]. Alpha is no intensity"):
        quick_clusterer().fit(pictures)


@pytest.mark.parametrize(("alpha", "opaque"), [(0, False), (255, True)])
def test_entries_of_a_palette_may_be_transparent(tmp_path, alpha, opaque):
    pictures = [picture_of("P", image) for image in images_of()]
    for picture in pictures:
        picture.info["transparency"] = bytes([alpha])  # of the palette's first entry
    if opaque:
        mapped, _ = to_memmap(pictures, tmp_path / "x.npy")
        np.testing.assert_array_equal(mapped, [MEANT["P"](image) for image in images_of()])
    else:
        with pytest.raises(ValueError, match="transparent pixels"):
            to_memmap(pictures, tmp_path / "x.npy")


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "HSV", "LAB", "RGBX"])
def test_modes_that_mean_no_intensities_are_refused(tmp_path, mode):
    pictures = [Image.new(mode, (16, 16))] * 4
    words = f"must be grey or RGB, got mode '{mode}' at .*convert"
    with pytest.raises(ValueError, match=words):
        to_memmap(pictures, tmp_path / "x.npy")
    with pytest.raises(ValueError, match=words):
        quick_clusterer().fit(pictures)


def test_pictures_of_several_modes_are_not_alike(tmp_path):
    pictures = [picture_of("L", image) for image in images_of()]
    pictures[3] = pictures[3].convert("1")
    with pytest.raises(ValueError, match=r"at X\[3\] is \(16, 16\) of bool, and the first"):
        quick_clusterer().fit(pictures)
    with pytest.raises(ValueError, match=r"at index 3 is \(16, 16\) of bool, and the first"):
        to_memmap(pictures, tmp_path / "x.npy")


def test_files_with_a_palette_are_read_as_they_look(tmp_path):
    images = images_of()
    for index, image in enumerate(images):
        picture_of("P", image).save(tmp_path / f"{index}.png")
    opened = [Image.open(tmp_path / f"{index}.png") for index in range(4)]
    mapped, _ = to_memmap(opened, tmp_path / "x.npy")
    np.testing.assert_array_equal(mapped, [MEANT["P"](image) for image in images])


def test_one_picture_alone(fitted):
    with pytest.raises(TypeError, match=r"got a single picture. Pass \[X\]"):
        fitted.predict(picture_of("L", images_of()[0]))
