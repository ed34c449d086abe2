"""Folders of images become one file, whole or not at all."""

import time
from collections import namedtuple
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset, TensorDataset

from sklearn_cae.datasets import to_memmap


class Breaks(Dataset):
    """Ends before its end."""

    def __len__(self):
        return 8

    def __getitem__(self, index):
        if index == 5:
            raise KeyboardInterrupt
        return np.zeros((9, 9), dtype=np.uint8), 0


def make_folder(folder, X, y, size=lambda i: (16, 16)):
    """Write PNG files into a folder for each class, as ImageFolder reads them."""
    Image = pytest.importorskip("PIL.Image", reason="PNG files are written with Pillow")
    for i, (image, label) in enumerate(zip(X, y, strict=True)):
        (folder / f"class{label}").mkdir(exist_ok=True, parents=True)
        picture = Image.fromarray(image).resize(size(i))
        picture.save(folder / f"class{label}" / f"{i:04}.png")


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_a_folder_of_images(toy_images, make_quick, tmp_path, n_jobs):
    datasets = pytest.importorskip("torchvision.datasets", reason="it reads folders of images")
    X, y = toy_images
    make_folder(tmp_path / "images", X, y)
    folder = datasets.ImageFolder(tmp_path / "images")
    mapped, labels = to_memmap(folder, tmp_path / "images.npy", n_jobs=n_jobs)
    assert isinstance(mapped, np.memmap)
    assert mapped.dtype == np.uint8
    assert not mapped.flags.writeable
    order = np.argsort(y, kind="stable")  # ImageFolder reads class by class
    np.testing.assert_array_equal(mapped, np.stack([X[order]] * 3, axis=-1))
    np.testing.assert_array_equal(labels, y[order])
    fits = [make_quick().fit(images) for images in (mapped, np.array(mapped))]
    np.testing.assert_array_equal(fits[0].labels_, fits[1].labels_)


def test_tensors_floats_and_columns_of_labels(toy_images, tmp_path):
    X, y = toy_images
    images = torch.tensor(X / 255, dtype=torch.float32)[:, None]
    mapped, labels = to_memmap(TensorDataset(images, torch.tensor(y)[:, None]), tmp_path / "x.npy")
    assert mapped.dtype == np.float32
    np.testing.assert_array_equal(mapped, images)
    np.testing.assert_array_equal(labels, y)


def test_images_without_labels(toy_images, tmp_path):
    X, labels = to_memmap(toy_images[0], str(tmp_path / "x.npy"))
    assert labels is None
    np.testing.assert_array_equal(X, toy_images[0])
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy", mmap_mode="r"), X)


def test_tuples_of_an_image_alone(toy_images, tmp_path):
    X, labels = to_memmap(TensorDataset(torch.tensor(toy_images[0])), tmp_path / "x.npy")
    assert labels is None
    np.testing.assert_array_equal(X, toy_images[0])


def test_a_folder_is_no_file_to_write_to(tmp_path):
    class NeverRead(Breaks):
        def __getitem__(self, index):
            pytest.fail("was read already")

    with pytest.raises(IsADirectoryError, match="path must be a file"):
        to_memmap(NeverRead(), tmp_path)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_images_do_not_wait_for_a_slow_disk_in_memory(tmp_path, monkeypatch, n_jobs):
    read, ahead = [], []
    open_memmap = np.lib.format.open_memmap

    class SlowDisk(np.memmap):
        def __setitem__(self, index, image):
            time.sleep(0.002)
            ahead.append(len(read) - len(ahead))
            super().__setitem__(index, image)

    class Counts(Breaks):
        def __len__(self):
            return 300

        def __getitem__(self, index):
            read.append(index)
            return np.full((9, 9), index)

    monkeypatch.setattr(
        "numpy.lib.format.open_memmap", lambda *a, **k: open_memmap(*a, **k).view(SlowDisk)
    )
    X, _ = to_memmap(Counts(), tmp_path / "x.npy", n_jobs=n_jobs)
    np.testing.assert_array_equal(X[:, 0, 0], range(300))
    assert max(ahead) <= 4


def test_a_full_disk_is_told_before_more_than_one_image_is_read(tmp_path, monkeypatch):
    read = []

    class Counts(Breaks):
        def __getitem__(self, index):
            read.append(index)
            return np.zeros((9, 9), dtype=np.uint8)

    usage = namedtuple("usage", "total used free")(10**6, 10**6 - 700, 700)
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    with pytest.raises(OSError, match="776 bytes are needed, and 700 free"):
        to_memmap(Counts(), tmp_path / "x.npy")
    assert list(tmp_path.iterdir()) == []
    assert read == [0]


def test_labels_of_any_whole_kind_are_alike(toy_images, tmp_path):
    images = toy_images[0][:3]
    _, y = to_memmap(list(zip(images, [np.uint8(7), 1, True], strict=True)), tmp_path / "x.npy")
    assert y.tolist() == [7, 1, 1]


def test_what_is_interrupted_leaves_what_was_there(toy_images, tmp_path):
    path = tmp_path / "x.npy"
    before, _ = to_memmap(toy_images[0], path)
    with pytest.raises(KeyboardInterrupt):
        to_memmap(Breaks(), path)
    assert list(tmp_path.iterdir()) == [path]
    np.testing.assert_array_equal(np.load(path), before)


def test_what_is_written_is_not_there_before_it_is_whole(tmp_path):
    path = tmp_path / "x.npy"

    class Looks(Breaks):
        def __getitem__(self, index):
            assert not path.exists()
            return np.zeros((9, 9))

    to_memmap(Looks(), path)
    assert path.exists()


@pytest.mark.parametrize("n_jobs", [None, 2])
@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([np.zeros((9, 9)), np.zeros((9, 9)), np.zeros((9, 8))], r"index 2 is \(9, 8\).*transform"),
        ([np.zeros((9, 9)), np.zeros((9, 9), dtype=np.uint8)], "index 1 .* uint8"),
        ([(np.zeros((9, 9)), ["a"]), (np.zeros((9, 9)), ["a", "b"])], "labels .* index 1 is"),
        ([np.zeros((9, 9)), (np.zeros((9, 9)), 1)], "labels .* index 1 is .*leave labels out"),
        ([(np.zeros((9, 9)), 0), (np.zeros((9, 9)), "b")], "labels .* index 1 is"),
        ([(np.zeros((9, 9)), 0), (np.zeros((9, 9)), np.nan)], "labels .* index 1 is"),
        ([np.zeros(9)], r"shape \(9,\).*transform"),
        (["a.png"], "index 0 the text 'a.png'. Read the files"),
        ([], "got none"),
    ],
)
def test_images_that_are_not_alike(tmp_path, images, message, n_jobs):
    with pytest.raises(ValueError, match=message):
        to_memmap(images, tmp_path / "x.npy", n_jobs=n_jobs)
    assert not list(tmp_path.iterdir())


def test_progress(toy_images, tmp_path, capsys):
    to_memmap(toy_images[0], tmp_path / "x.npy", verbose=1)
    assert "96/96" in capsys.readouterr().err


class Stream(IterableDataset):
    def __iter__(self):
        pytest.fail("was read already")


@pytest.mark.parametrize(
    ("dataset", "words"),
    [
        (DataLoader(Breaks()), "got DataLoader. Pass dataset.dataset"),
        (Stream(), r"got Stream. Pass list\(dataset\)"),
        ((image for image in np.zeros((3, 9, 9))), r"got generator. Pass list\(dataset\)"),
        ("images/", r"text 'images/'. Pass torchvision.datasets.ImageFolder\(dataset\)"),
        (Path("images"), r"text 'images'. Pass torchvision.datasets.ImageFolder\(dataset\)"),
        ({"images": np.zeros((3, 9, 9))}, r"got dict. Pass list\(zip\(images, labels\)\)"),
        (pd.DataFrame({"a": [1]}), r"got DataFrame. Pass list\(zip\(images, labels\)\)"),
        (7, "got int. Pass a torch Dataset, or a list"),
        ([{"image": np.zeros((9, 9)), "label": 0}], "a dict with the keys 'image', 'label'"),
    ],
)
def test_what_gives_no_image_for_an_index(tmp_path, dataset, words):
    with pytest.raises(TypeError, match=words):
        to_memmap(dataset, tmp_path / "x.npy")
    assert not list(tmp_path.iterdir())


def test_parts_of_a_data_set(toy_images, tmp_path):
    part = Subset(TensorDataset(*map(torch.tensor, toy_images)), range(3, 9))
    X, y = to_memmap(part, tmp_path / "x.npy")
    np.testing.assert_array_equal(X, toy_images[0][3:9])
    np.testing.assert_array_equal(y, toy_images[1][3:9])
