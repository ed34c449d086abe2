"""Loaders and the toy: what they return, where they look, what they never do."""

import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier

from sklearn_cae.datasets import (
    _loaders,
    load_digit_images,
    load_medmnist,
    load_mnist,
    load_pneumoniamnist,
    make_toy_images,
    make_toy_volumes,
)

medmnist = pytest.importorskip("medmnist")
torchvision_datasets = pytest.importorskip("torchvision.datasets")


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty default folder, and none named by the environment."""
    monkeypatch.delenv("SKLEARN_CAE_DATA", raising=False)
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / "home"))
    return tmp_path / "home" / "sklearn_cae"


def write_npz(path, *, shape=(28, 28), n_labels=1, value=7):
    """Write a file of the form of MedMNIST's, 3 images a split."""
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {}
    for split in ("train", "val", "test"):
        arrays[f"{split}_images"] = np.full((3, *shape), value, dtype=np.uint8)
        arrays[f"{split}_labels"] = np.ones((3, n_labels), dtype=np.uint8)
    np.savez(path, **arrays)


def write_mnist(folder):
    """Write four idx files of 2 images each below `folder`, as torchvision keeps them."""
    for file in _loaders._MNIST_FILES:
        path = Path(folder, file)
        path.parent.mkdir(parents=True, exist_ok=True)
        images = "images" in file
        header = [0x803, 2, 28, 28] if images else [0x801, 2]
        content = np.full(2 * 28 * 28, 9, np.uint8) if images else np.array([3, 5], np.uint8)
        path.write_bytes(np.array(header, dtype=">i4").tobytes() + content.tobytes())


@pytest.fixture
def downloads(monkeypatch):
    """Let medmnist's download write a small file, and count the calls."""
    roots = []

    def download(self):
        roots.append(self.root)
        write_npz(Path(self.root, f"{self.flag}{self.size_flag}.npz"), value=1)

    monkeypatch.setattr(medmnist.dataset.MedMNIST, "download", download)
    return roots


# ---- MedMNIST ----


@pytest.mark.parametrize(("split", "counts"), [("val", [135, 389]), ("test", [234, 390])])
def test_pneumoniamnist_as_stored(data_root, split, counts):
    bunch = load_pneumoniamnist(split, root=data_root)
    assert bunch.data.shape == (sum(counts), 28, 28)
    assert bunch.data.dtype == np.uint8
    assert np.bincount(bunch.target).tolist() == counts
    assert bunch.target_names[bunch.target][bunch.target == 1][0] == "pneumonia"
    assert "CC BY 4.0" in bunch.DESCR
    X, y = load_pneumoniamnist(split, root=data_root, return_X_y=True)
    np.testing.assert_array_equal(X, bunch.data)
    np.testing.assert_array_equal(y, bunch.target)


def test_the_environment_variable_finds_the_files(data_root, home, monkeypatch):
    monkeypatch.setenv("SKLEARN_CAE_DATA", str(data_root))
    assert len(load_medmnist("PneumoniaMNIST", "val").data) == 524
    assert not home.exists()


def test_root_comes_before_the_environment(home, tmp_path, monkeypatch):
    write_npz(tmp_path / "root" / "breastmnist.npz", value=1)
    write_npz(tmp_path / "named" / "breastmnist.npz", value=2)
    monkeypatch.setenv("SKLEARN_CAE_DATA", str(tmp_path / "named"))
    assert load_medmnist("breastmnist", root=tmp_path / "root").data.max() == 1
    assert load_medmnist("breastmnist", root=tmp_path / "elsewhere").data.max() == 2


def test_colour_images_come_channels_last_and_sizes_from_their_own_file(home):
    write_npz(home / "bloodmnist_64.npz", shape=(64, 64, 3))
    bunch = load_medmnist("bloodmnist", size=64)
    assert bunch.data.shape == (3, 64, 64, 3)
    assert bunch.target.shape == (3,)
    assert len(bunch.target_names) == 8


def test_several_labels_come_as_columns(home):
    write_npz(home / "chestmnist.npz", n_labels=14)
    bunch = load_medmnist("chestmnist")
    assert bunch.target.shape == (3, 14)
    assert len(bunch.target_names) == 14


def test_what_is_missing_is_downloaded_into_the_default_folder(home, downloads):
    assert load_medmnist("breastmnist").data.max() == 1
    assert [path.name for path in home.iterdir()] == ["breastmnist.npz"]
    load_medmnist("breastmnist")
    assert len(downloads) == 1


def test_a_file_that_is_there_is_never_written_over(home, downloads, tmp_path):
    write_npz(tmp_path / "breastmnist.npz", value=7)  # another checksum than the official one
    before = (tmp_path / "breastmnist.npz").read_bytes()
    assert load_medmnist("breastmnist", root=tmp_path).data.max() == 7
    assert downloads == []
    assert (tmp_path / "breastmnist.npz").read_bytes() == before


def test_a_broken_download_leaves_nothing_to_be_read_later(home, monkeypatch):
    def download(self):
        Path(self.root, "breastmnist.npz").write_bytes(b"half a fi")
        raise RuntimeError("File not found or corrupted.")

    monkeypatch.setattr(medmnist.dataset.MedMNIST, "download", download)
    with pytest.raises(OSError, match=r"Put breastmnist.npz into .*SKLEARN_CAE_DATA"):
        load_medmnist("breastmnist")
    assert list(home.iterdir()) == []


def test_nothing_is_downloaded_where_that_is_not_wanted(home, downloads):
    with pytest.raises(OSError, match="download_if_missing=False"):
        load_pneumoniamnist(download_if_missing=False)
    assert downloads == []


def test_a_file_that_cannot_be_read_is_named(home):
    home.mkdir(parents=True)
    (home / "breastmnist.npz").write_text("<html>404</html>")
    with pytest.raises(OSError, match=r"breastmnist.npz in .* cannot be read"):
        load_medmnist("breastmnist")


@pytest.mark.parametrize(
    "name",
    [f"{what}mnist3d" for what in ("organ", "nodule", "adrenal", "fracture", "vessel", "synapse")],
)
@pytest.mark.parametrize(("size", "flag"), [(28, ""), (64, "_64")])
def test_volumes_come_as_they_are_stored(home, name, size, flag):
    write_npz(home / f"{name}{flag}.npz", shape=(size,) * 3)
    bunch = load_medmnist(name.upper(), "val", size=size)
    assert bunch.data.shape == (3, size, size, size)
    assert bunch.data.dtype == np.uint8
    assert bunch.target.shape == (3,)
    assert f"val split, {size}x{size}x{size}." in bunch.DESCR
    assert bunch.spatial_dims == 3
    with pytest.raises(ValueError, match=r"size must be one of \(28, 64\), got 128"):
        load_medmnist(name, size=128)


def test_names_that_are_no_set():
    with pytest.raises(ValueError, match=r"'breastnist' is unknown. Choose one of: pathmnist, "):
        load_medmnist("breastnist")


def test_bad_parameters_of_the_loaders():
    with pytest.raises(TypeError, match=r"name must be a string.* got 3"):
        load_medmnist(3)
    with pytest.raises(ValueError, match=r"split must be one of .*'val'.*, got 'validation'"):
        load_pneumoniamnist("validation")
    with pytest.raises(ValueError, match=r"size must be one of \(28, 64, 128, 224\), got 32"):
        load_pneumoniamnist(size=32)
    with pytest.raises(ValueError, match=r"split must be one of \('train', 'test'\), got 'val'"):
        load_mnist("val")


@pytest.mark.parametrize(
    ("module", "load"), [("medmnist.dataset", load_pneumoniamnist), ("torchvision", load_mnist)]
)
def test_without_the_package_the_extra_is_named(module, load, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, "torchvision.datasets", None)
    with pytest.raises(ImportError, match=r"pip install 'sklearn_cae\[datasets\]'"):
        load()


# ---- MNIST ----


def test_mnist_as_stored(data_root):
    if not Path(data_root, "MNIST").is_dir():
        pytest.skip("MNIST/raw is not at hand: set SKLEARN_CAE_DATA to its folder")
    X, y = load_mnist("test", root=data_root, return_X_y=True)
    assert X.shape == (10_000, 28, 28)
    assert X.dtype == np.uint8
    assert y[:5].tolist() == [7, 2, 1, 0, 4]


def test_mnist_is_downloaded_once(home, monkeypatch):
    calls = []
    monkeypatch.setattr(
        torchvision_datasets.MNIST,
        "download",
        lambda self: (calls.append(self.root), write_mnist(self.root)),
    )
    for split in ("train", "test"):
        bunch = load_mnist(split)
        assert bunch.data.shape == (2, 28, 28)
        assert bunch.target.tolist() == [3, 5]
        assert f"{split} split" in bunch.DESCR
    assert len(calls) == 1
    assert all((home / file).is_file() for file in _loaders._MNIST_FILES)


def test_a_download_adds_only_the_files_that_are_missing(home, monkeypatch):
    monkeypatch.setattr(torchvision_datasets.MNIST, "download", lambda self: write_mnist(self.root))
    write_mnist(home)
    kept, missing = (home / file for file in _loaders._MNIST_FILES[:2])
    kept.write_bytes(own := kept.read_bytes().replace(b"\x09", b"\x08"))
    missing.unlink()
    assert load_mnist("train").data.max() == 8
    assert kept.read_bytes() == own


def test_no_network_for_mnist_names_the_way_out(home, monkeypatch):
    def download(self):
        raise RuntimeError("Error downloading train-images-idx3-ubyte.gz")

    monkeypatch.setattr(torchvision_datasets.MNIST, "download", download)
    with pytest.raises(OSError, match=r"MNIST/raw/train-images-idx3-ubyte.* into .*root="):
        load_mnist()


def test_a_cut_off_mnist_file_is_named(home):
    write_mnist(home)
    images = home / _loaders._MNIST_FILES[0]
    images.write_bytes(images.read_bytes()[:100])
    with pytest.raises(OSError, match=r"train-images-idx3-ubyte.* cannot be read"):
        load_mnist("train")


# ---- Digits and toys ----


def test_digits_fill_the_range_of_their_type():
    bunch = load_digit_images()
    original = load_digits()
    assert bunch.data.dtype == np.uint8
    assert (bunch.data.min(), bunch.data.max()) == (0, 255)
    np.testing.assert_array_equal(np.rint(bunch.data / 255 * 16), original.images)
    np.testing.assert_array_equal(bunch.target, original.target)
    assert bunch.target_names[bunch.target[3]] == "3"


@pytest.mark.parametrize("image_size", [8, 16, (20, 33)])
def test_a_few_neighbors_tell_the_toy_shapes_apart(image_size):
    X, y = make_toy_images(300, n_classes=6, image_size=image_size, random_state=0, return_X_y=True)
    X = X.reshape(300, -1).astype(float)
    assert KNeighborsClassifier(5).fit(X[:150], y[:150]).score(X[150:], y[150:]) > 0.95


@pytest.mark.parametrize(
    ("n_channels", "shape"), [(1, (12, 20)), (2, (2, 12, 20)), (4, (4, 12, 20))]
)
def test_shapes_of_the_toy(n_channels, shape):
    bunch = make_toy_images(
        7, image_size=(12, 20), n_channels=n_channels, n_classes=3, random_state=0
    )
    assert bunch.data.shape == (7, *shape)
    assert bunch.data.dtype == np.uint8
    assert sorted(np.bincount(bunch.target)) == [2, 2, 3]


def test_toys_are_seeded_and_otherwise_new_and_the_global_generator_stays():
    before = np.random.get_state()[1].tolist()
    seeded = [make_toy_images(5, random_state=3).data for _ in range(2)]
    unseeded = [make_toy_images(5).data for _ in range(2)]
    np.testing.assert_array_equal(*seeded)
    assert (unseeded[0] != unseeded[1]).any()
    assert np.random.get_state()[1].tolist() == before


def test_noise_is_what_it_says():
    dark = [
        make_toy_images(1, n_classes=1, image_size=64, noise=noise, random_state=0).data[0]
        for noise in (0, 0.02)
    ]
    corner = [image[:8, :8] / 255 for image in dark]
    assert np.ptp(corner[0]) == 0
    assert corner[1].std() == pytest.approx(0.02, rel=0.3)


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"n_classes": 7}, ValueError, "n_classes must be between 1 and 6, got 7"),
        ({"n_samples": 2}, ValueError, "n_samples must be at least 3, got 2"),
        ({"n_samples": 2.5}, TypeError, r"n_samples must be an integer, got 2\.5"),
        ({"n_channels": True}, TypeError, "n_channels must be an integer, got True"),
        ({"n_channels": 5}, ValueError, "n_channels must be between 1 and 4, got 5"),
        ({"image_size": 7}, ValueError, "image_size must be between 8 and 256, got 7"),
        ({"image_size": (16, 300)}, ValueError, "image_size must be .* 256, got 300"),
        ({"image_size": (16, 16, 3)}, ValueError, r"one side or \(height, width\)"),
        ({"image_size": None}, TypeError, "image_size must be an integer, got None"),
        ({"noise": -0.1}, ValueError, r"noise must be between 0 and 1.*got -0\.1"),
    ],
)
def test_bad_parameters_of_the_toy(parameters, error, message):
    with pytest.raises(error, match=message):
        make_toy_images(**parameters)


# ---- Toy volumes ----


@pytest.mark.parametrize(("volume_size", "n_channels"), [(16, 1), ((12, 16, 20), 2)])
def test_toy_volumes_differ_in_three_dimensions_alone(volume_size, n_channels):
    X, y = make_toy_volumes(
        300,
        n_classes=4,
        volume_size=volume_size,
        n_channels=n_channels,
        random_state=0,
        return_X_y=True,
    )
    sides = (16, 16, 16) if volume_size == 16 else volume_size
    assert X.shape == (300, *((n_channels,) if n_channels > 1 else ()), *sides)
    assert X.dtype == np.uint8
    middle = X[..., sides[0] // 2, :, :]
    scores = []
    for samples in (X, middle):
        rows = samples.reshape(300, -1)
        probe = KNeighborsClassifier(3).fit(rows[:200], y[:200])
        scores.append(probe.score(rows[200:], y[200:]))
    assert scores[0] > 0.97
    assert scores[1] < 0.5


def test_toy_volumes_are_seeded():
    seeded = [make_toy_volumes(5, random_state=3).data for _ in range(2)]
    np.testing.assert_array_equal(*seeded)
    assert not np.array_equal(seeded[0], make_toy_volumes(5, random_state=4).data)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"volume_size": 7}, "volume_size must be between 8 and 128, got 7"),
        ({"volume_size": (16, 16)}, r"one side or \(depth, height, width\), got \(16, 16\)"),
        ({"n_classes": 5}, "n_classes must be between 1 and 4, got 5"),
        ({"noise": 2}, "noise must be between 0 and 1"),
    ],
)
def test_bad_parameters_of_the_toy_volumes(parameters, message):
    with pytest.raises(ValueError, match=message):
        make_toy_volumes(**parameters)
