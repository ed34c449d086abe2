"""Originals at the size of a screen: the file and the frame of each row, with the same window."""

import nibabel
import numpy as np
import pandas as pd
import pytest
import tifffile
from dicom_files import with_pixels
from PIL import Image

from sklearn_cae.images import Originals, Reading, read_images
from sklearn_cae.images._resize import to_size


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Files of all kinds, of which some have several frames, and one is no image."""
    folder, rng = tmp_path_factory.mktemp("originals"), np.random.RandomState(0)
    smooth = np.kron(rng.randint(0, 4096, size=(5, 5)), np.ones((20, 12), dtype=int))
    Image.fromarray((smooth // 16).astype(np.uint8)).save(folder / "8.png")
    Image.fromarray(smooth.astype(np.uint16)).save(folder / "12.png")
    Image.fromarray(np.stack([smooth // 16] * 3, -1).astype(np.uint8)).save(folder / "gray.jpg")
    frames = np.stack([smooth // 16, 255 - smooth // 16, smooth // 32]).astype(np.uint8)
    tifffile.imwrite(folder / "frames.tif", frames, photometric="minisblack")
    inverted = with_pixels(
        smooth.astype(np.uint16),
        bits=12,
        PhotometricInterpretation="MONOCHROME1",
        WindowCenter=2048,
        WindowWidth=1000,
    )
    inverted.save_as(folder / "inverted.dcm", enforce_file_format=True)
    volume = np.stack([smooth, 4095 - smooth], axis=-1).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(volume, np.diag([1, 2, 5, 1])), folder / "volume.nii")
    (folder / "text.png").write_text("no image")
    return folder


def test_each_row_has_its_own_original(folder):
    found = read_images(folder, size=24, frames="all")
    originals = Originals(found.metadata, folder, found.reading)
    assert len(originals) == len(found.data) == 9
    for seen, original in zip(found.data, originals, strict=True):
        assert original.dtype == np.uint8
        small = to_size(np.float32(original), (24, 24), "stretch")
        assert np.abs(small - seen).mean() < 3


def test_a_part_of_the_rows(folder):
    found = read_images(folder, size=24, frames="all")
    one = np.flatnonzero(found.metadata.file == "frames.tif")[1:2]
    (original,) = Originals(found.metadata.iloc[one], folder, found.reading)
    np.testing.assert_array_equal(original, 255 - np.asarray(Image.open(folder / "8.png")))


def test_proportions_are_those_of_the_patient(folder):
    found = read_images(folder / "volume.nii", size=24)
    (original,) = Originals(found.metadata, folder, found.reading)
    height, width = original.shape  # the second axis of the volume, of 60 pixels, has 2 mm each
    assert height / width == pytest.approx(120 / 100, abs=0.05)


def test_the_long_side_is_limited(folder, tmp_path):
    Image.new("L", (1000, 250), 200).save(tmp_path / "wide.png")
    table = pd.DataFrame({"file": ["wide.png"]})
    assert Originals(table, tmp_path)[0].shape == (96, 384)
    assert Originals(table, tmp_path, side=40)[0].shape == (10, 40)


def test_volumes_show_their_middle_slices(folder, tmp_path):
    volume = np.zeros((30, 20, 10), dtype=np.uint8)  # x to the right, y to the front, z upwards
    volume[3:6, :, :], volume[:, 16:18, :], volume[:, :, 8:] = 255, 170, 85
    nibabel.save(nibabel.Nifti1Image(volume, np.diag([1, 1, 2, 1])), tmp_path / "volume.nii")
    found = read_images(tmp_path, size=(10, 20, 30))
    (original,) = Originals(found.metadata, tmp_path, found.reading)
    assert original.shape == (20 + 20 + 20 + 2, 30)  # a slice is as high as two pixels
    axial, coronal, sagittal = original[:20], original[21:41], original[42:]
    assert (original[[20, 41]] == 255).all()  # gaps
    assert (sagittal[:, :5] == 255).all()  # the narrow one is in the middle
    np.testing.assert_allclose(axial[2:4, 10], 170, atol=2)  # the front is at the top
    np.testing.assert_allclose(axial[10, 24:27], 255, atol=2)  # the right of the patient: left
    assert axial[10, 10] == 0
    for upright in (coronal, sagittal):
        np.testing.assert_allclose(upright[:3, 15], 85, atol=2)  # the head is at the top
        assert upright[10, 15] == 0


def test_colours_stay(tmp_path):
    pixels = np.zeros((20, 30, 3), dtype=np.uint8)
    pixels[..., 0] = 200
    Image.fromarray(pixels).save(tmp_path / "red.png")
    table = pd.DataFrame({"file": ["red.png"]})
    np.testing.assert_array_equal(Originals(table, tmp_path, Reading(color="grey"))[0], pixels)


def test_what_is_refused(folder):
    table = pd.DataFrame({"file": ["text.png", "gone.png"], "frame": [np.nan, 0]})
    originals = Originals(table, folder)
    with pytest.raises(ValueError, match="no image: the content is neither"):
        originals[0]
    with pytest.raises(FileNotFoundError):
        originals[1]
    with pytest.raises(IndexError):
        originals[2]
    with pytest.raises(ValueError, match=r"has no frame 7 among"):
        Originals(pd.DataFrame({"file": ["8.png"], "frame": [7]}), folder)[0]
    with pytest.raises(ValueError, match="metadata must be the table of read_images"):
        Originals(table[["frame"]], folder)
    with pytest.raises(ValueError, match="folder must be the folder of the files"):
        Originals(table, folder / "none")
    with pytest.raises(ValueError, match="side == 8, must be >= 16"):
        Originals(table, folder, side=8)
