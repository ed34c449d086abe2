"""Folders of files become one array, and what cannot be read is named."""

import gzip
import os
import signal
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest
import tifffile
from dicom_files import with_pixels
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sklearn_cae.images import Reading, _chunks, _read, read_images
from sklearn_cae.images._chunks import write_chunk
from sklearn_cae.images._resize import share_of_border, to_size

FITS = ("stretch", "pad", "crop")


def write(folder, images, mode=None):
    """Write images as PNG: {name: array}."""
    for name, image in images.items():
        path = Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(image)
        (picture if mode is None else picture.convert(mode)).save(path, "PNG")


@pytest.fixture
def gradient():
    return np.linspace(0, 255, 32 * 32).reshape(32, 32).astype(np.uint8)


def test_files_are_in_the_order_in_which_people_count(tmp_path, gradient):
    write(tmp_path, {f"{name}.png": gradient for name in ("image10", "image2", "b/image1")})
    found = read_images(tmp_path, size=32)
    assert list(found.metadata.file) == ["b/image1.png", "image2.png", "image10.png"]


def test_a_list_of_files_and_folders_is_read(tmp_path, gradient):
    write(tmp_path, {"a/1.png": gradient, "b/1.png": 255 - gradient, "b/2.png": gradient})
    found = read_images([tmp_path / "a" / "1.png", tmp_path / "b"], size=32)
    assert list(found.metadata.file) == ["a/1.png", "b/1.png", "b/2.png"]
    assert (found.data[0] == gradient).all()
    assert (found.data[1] == 255 - gradient).all()


def test_the_suffix_does_not_count(tmp_path, gradient):
    write(tmp_path, {"picture.dcm": gradient, "none": gradient})
    assert len(read_images(tmp_path, size=32).data) == 2


def test_12_bits_in_16_are_not_black(tmp_path, gradient):
    wide = gradient.astype(np.uint16) * 16
    write(tmp_path, {"wide.png": wide, "dim.png": wide // 8, "narrow.png": gradient})
    found = read_images(tmp_path, size=32)
    by_name = dict(zip(found.metadata.file, found.data.astype(int), strict=True))
    assert found.reading.bits == 12
    assert np.abs(by_name["wide.png"] - by_name["narrow.png"]).max() <= 1
    # A dim image has the scale of the others, not one of its own.
    assert np.abs(by_name["dim.png"] - by_name["narrow.png"] / 8).max() <= 1


def test_later_files_have_the_scale_of_the_first(tmp_path, gradient):
    wide = gradient.astype(np.uint16) * 16
    write(tmp_path, {"first/1.png": wide, "later/1.png": wide // 8})
    reading = Reading.from_json(read_images(tmp_path / "first", size=32).reading.to_json())
    later = reading.read(tmp_path / "later")
    assert np.abs(later.data[0] - gradient / 8.0).max() <= 1
    assert later.reading == reading


def test_16_bits_in_which_low_is_white_have_the_depth_of_all(tmp_path, gradient):
    wide = gradient.astype(np.uint16) * 16
    tifffile.imwrite(tmp_path / "1.tif", 4095 - wide, photometric="miniswhite")
    tifffile.imwrite(tmp_path / "2.tif", np.full_like(wide, 50), photometric="miniswhite")
    found = read_images(tmp_path, size=32)
    assert np.abs(found.data[0] - gradient.astype(int)).max() <= 1
    assert (found.data[1] == 252).all()  # 50 of 4095, not of 255
    assert found.metadata[["black", "white"]].to_numpy().tolist() == [[4095, 0], [4095, 0]]


@pytest.mark.parametrize("colors", ["MONOCHROME2", "MONOCHROME1"])
def test_dicom_of_16_bits_that_uses_12_is_not_black(tmp_path, gradient, colors):
    """Many converters store 12 bits as 16, without a window."""
    wide = gradient.astype(np.uint16) * 16
    wide = wide if colors == "MONOCHROME2" else 4095 - wide
    for name, pixels in {"1": wide, "2": np.full_like(wide, 50)}.items():
        with_pixels(pixels, PhotometricInterpretation=colors).save_as(tmp_path / name)
    found = read_images(tmp_path, size=32)
    assert np.abs(found.data[0] - gradient.astype(int)).max() <= 1
    assert (found.data[1] == (3 if colors == "MONOCHROME2" else 252)).all()  # of 4095


@pytest.mark.parametrize(("dtype", "white"), [("uint8", 255), ("uint16", 65535), ("float32", 1)])
def test_black_and_white_of_each_type(tmp_path, gradient, dtype, white):
    write(tmp_path, {"1.png": gradient})
    data = read_images(tmp_path, size=32, dtype=dtype).data
    assert data.dtype == dtype
    np.testing.assert_allclose(data[0] / white, gradient / 255, atol=1e-4)


def test_colours_are_kept_if_most_images_have_them(tmp_path, gradient):
    red = np.stack([gradient, 0 * gradient, 0 * gradient], axis=-1)
    write(tmp_path, {"1.png": red, "2.png": red, "3.png": gradient})
    found = read_images(tmp_path, size=32)
    assert found.data.shape == (3, 32, 32, 3)
    assert (found.data[0] == red).all()
    assert (found.data[2] == gradient[..., None]).all()
    grey = read_images(tmp_path, size=32, color="grey").data
    assert np.abs(grey[0] - 0.299 * gradient).max() <= 1


def test_grey_images_stored_as_rgb_are_grey(tmp_path, gradient):
    write(tmp_path, {"1.png": gradient, "2.png": gradient}, mode="RGB")
    assert read_images(tmp_path, size=32).data.shape == (2, 32, 32)


def test_what_cannot_be_read_is_named_and_the_rest_is_read(tmp_path, gradient):
    write(tmp_path, {"good.png": gradient})
    content = (tmp_path / "good.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(content[: len(content) // 2])
    (tmp_path / "text.dcm").write_text("not an image")
    (tmp_path / "empty").touch()
    (tmp_path / "all.zip").write_bytes(b"PK\x03\x04 and more")
    (tmp_path / "1.dcm.gz").write_bytes(gzip.compress(b"no volume"))
    found = read_images(tmp_path, size=32)
    reasons = dict(found.failures.itertuples(index=False))
    assert list(found.metadata.file) == ["good.png"]
    assert set(reasons) == {"cut.png", "text.dcm", "empty", "all.zip", "1.dcm.gz"}
    assert reasons["empty"] == "the file is empty"
    assert "ZIP archive: unpack" in reasons["all.zip"]
    assert "gzip archive: unpack" in reasons["1.dcm.gz"]
    assert "no image" in reasons["text.dcm"]


@pytest.mark.skipif(os.name != "posix" or os.getuid() == 0, reason="root may read everything")
def test_a_folder_without_rights_is_named(tmp_path, gradient):
    write(tmp_path, {"good.png": gradient, "closed/1.png": gradient})
    (tmp_path / "closed").chmod(0)
    try:
        found = read_images(tmp_path, size=32)
    finally:
        (tmp_path / "closed").chmod(0o700)
    assert list(found.failures.file) == ["closed"]


def test_nothing_to_read_is_an_error_with_its_reasons(tmp_path):
    with pytest.raises(ValueError, match="paths must hold image files, got none"):
        read_images(tmp_path)
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(ValueError, match=r"No image could be read .* 1 x no image"):
        read_images(tmp_path)
    with pytest.raises(FileNotFoundError, match="does not exist"):
        read_images(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 2}, "size must be"),
        ({"size": (32, 32, 32, 32)}, "size must be"),
        ({"fit": "squash"}, "fit must be one of"),
        ({"spacing": -1}, "spacing must be"),
        ({"spacing": (1, 1, 1)}, "spacing must be"),
        ({"frames": 0}, "frames must be"),
        ({"frames": "first"}, "frames must be"),
        ({"axis": 3}, "axis must be"),
        ({"window": (400, -1000)}, "window must be"),
        ({"color": "blue"}, "color must be"),
        ({"dtype": "int64"}, "dtype must be one of"),
        ({"patient": "id"}, "patient names a column"),
    ],
)
def test_wrong_options_are_told_before_reading(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        read_images(tmp_path / "nowhere", **options)


def test_processes_read_what_one_reads(tmp_path, gradient, monkeypatch):
    monkeypatch.setattr("sklearn_cae.images._read._CHUNK", 2)
    write(tmp_path, {f"{index}.png": np.roll(gradient, index) for index in range(7)})
    one, two = (read_images(tmp_path, size=16, n_jobs=n_jobs) for n_jobs in (1, 2))
    assert (one.data == two.data).all()
    pd.testing.assert_frame_equal(one.metadata, two.metadata)


def test_a_reading_that_was_stopped_goes_on(tmp_path, gradient, monkeypatch):
    monkeypatch.setattr("sklearn_cae.images._read._CHUNK", 2)
    write(tmp_path / "files", {f"{index}.png": np.roll(gradient, index) for index in range(6)})
    read, read_file = [], _chunks.read_file

    def stopped_at_the_third_chunk(path, choices):
        if len(read) == 4:
            raise KeyboardInterrupt
        read.append(path.name)
        return read_file(path, choices)

    monkeypatch.setattr(_chunks, "read_file", stopped_at_the_third_chunk)
    with pytest.raises(KeyboardInterrupt):
        read_images(tmp_path / "files", size=32, cache=tmp_path / "cache")
    assert len(read) == 4
    read.clear()
    found = read_images(tmp_path / "files", size=32, cache=tmp_path / "cache")
    assert read == ["4.png", "5.png"]
    monkeypatch.undo()
    assert isinstance(found.data, np.memmap)
    assert (found.data == read_images(tmp_path / "files", size=32).data).all()


def test_a_file_that_changed_is_read_again(tmp_path, gradient):
    write(tmp_path / "files", {"1.png": gradient})
    options = {"size": 32, "cache": tmp_path / "cache"}
    read_images(tmp_path / "files", **options)
    write(tmp_path / "files", {"1.png": 255 - gradient[:30]})
    changed = read_images(tmp_path / "files", **options)
    assert changed.metadata.height[0] == 30


@pytest.mark.skipif(os.name != "posix", reason="processes are ended by a signal")
def test_a_file_that_ends_its_process_is_named(tmp_path, gradient, monkeypatch):
    """As a decoder written in C may do."""

    def write_or_end_the_process(path, files, reading):  # in here, workers get its code
        if "bad" in files:
            os.kill(os.getpid(), signal.SIGKILL)
        write_chunk(path, files, reading)
        return len(files)

    write(tmp_path, {"1.png": gradient, "2.png": gradient, "bad": gradient})
    monkeypatch.setattr(_read, "_write_and_count", write_or_end_the_process)
    found = read_images(tmp_path, size=32, n_jobs=2)
    assert list(found.metadata.file) == ["1.png", "2.png"]
    assert found.failures.to_dict("records") == [
        {"file": "bad", "reason": "the decoder of this file ended the process"}
    ]


# ---- To one size ----


def test_ways_to_one_size(tmp_path):
    wide = np.full((20, 40), 100, np.uint8)
    wide[:, 20:] = 200
    write(tmp_path, {"1.png": wide})
    found = {fit: read_images(tmp_path, size=20, fit=fit).data[0] for fit in FITS}
    assert (found["stretch"] > 0).all()
    assert (found["pad"][[*range(5), *range(15, 20)]] == 0).all()
    assert (found["pad"][5:15] > 0).all()
    assert set(np.unique(found["crop"])) == {100, 200}
    assert (found["crop"] == wide[:, 10:30]).all()


def test_spacing_is_kept_where_asked():
    image = np.zeros((40, 40), np.float32)
    image[18:22, 18:22] = 1  # 2 mm a side at .5 mm per pixel
    as_it_is = to_size(image, (20, 20), "pad", (0.5, 0.5), (1.0, 1.0))
    assert as_it_is.shape == (20, 20)
    assert as_it_is.sum() == pytest.approx(4, rel=0.01)
    coarse = to_size(image, (20, 20), "pad", (0.5, 0.5), (2.0, 2.0))
    assert coarse.sum() == pytest.approx(1, rel=0.01)
    assert (coarse[:5] == 0).all()


def test_a_file_without_spacing_is_named_where_it_is_needed(tmp_path, gradient):
    write(tmp_path, {"1.png": gradient})
    with pytest.raises(ValueError, match="does not tell the spacing"):
        read_images(tmp_path, size=16, spacing=1)


@given(
    st.tuples(st.integers(4, 40), st.integers(4, 40)),
    st.tuples(st.integers(4, 40), st.integers(4, 40)),
    st.sampled_from(FITS),
    st.sampled_from([(), (3,)]),
)
@settings(deadline=None, max_examples=60)
def test_every_size_is_reached(sides, size, fit, channels):
    image = np.full((*sides, *channels), 0.5, np.float32)
    result = to_size(image, size, fit)
    assert result.shape == (*size, *channels)
    if fit != "pad":
        np.testing.assert_allclose(result, 0.5, atol=1e-6)
    else:
        assert set(np.unique(result.round(5))) <= {0.0, 0.5}


def test_volumes_are_brought_to_a_size():
    volume = np.broadcast_to(np.linspace(0, 1, 12, dtype=np.float32)[:, None, None], (12, 10, 8))
    small = to_size(volume, (6, 5, 4), "stretch")
    assert small.shape == (6, 5, 4)
    np.testing.assert_allclose(
        small[1:-1, 0, 0], volume.reshape(6, 2, -1).mean((1, 2))[1:-1], atol=0.02
    )
    assert np.ptp(small, axis=(1, 2)).max() < 1e-6


def test_a_reduction_has_no_aliases():
    stripes = np.zeros((64, 64), np.float32)
    stripes[::2] = 1
    assert np.ptp(to_size(stripes, (16, 16), "stretch")) < 0.1


def test_share_of_border():
    image = np.zeros((10, 10), np.float32)
    assert share_of_border(image) == 1
    image[2:8, 1:9] = np.arange(1, 9) / 10
    assert share_of_border(image) == pytest.approx(1 - 0.6 * 0.8)


# ---- Tables ----


def table_of(found):
    return found.metadata.set_index("file")


def test_tables_join_by_file_name(tmp_path, gradient):
    write(tmp_path, {"a/1.png": gradient, "b/2.png": gradient})
    table = pd.DataFrame({"file": ["2.png", "a/1.png"], "age": [70, 50]})
    found = read_images(tmp_path, size=32, metadata=table)
    assert table_of(found)["age"].to_dict() == {"a/1.png": 50, "b/2.png": 70}
    assert len(found.unmatched) == 0


@pytest.mark.parametrize("value", ["1.png", "1", "a/1", "./a/1.png", "old\\disk\\a\\1.png"])
def test_ends_of_paths_match_with_and_without_suffix(tmp_path, gradient, value):
    write(tmp_path, {"a/1.png": gradient})
    table = pd.DataFrame({"image": [value], "age": [50]})
    found = read_images(tmp_path, size=32, metadata=table)
    assert list(found.metadata.age) == [50]


def test_what_does_not_match_is_named_both_ways(tmp_path, gradient):
    write(tmp_path, {"1.png": gradient, "2.png": gradient})
    table = pd.DataFrame({"file": ["1.png", "3.png"], "age": [50, 70]})
    with pytest.warns(UserWarning, match=r"1 of 2 images have no row .* and 1 of 2 rows no image"):
        found = read_images(tmp_path, size=32, metadata=table)
    assert found.unmatched.to_dict("records") == [
        {"where": "images", "what": "2.png", "reason": "no row of the table"},
        {"where": "table", "what": "3.png", "reason": "no image"},
    ]
    assert table_of(found)["age"].isna().to_dict() == {"1.png": False, "2.png": True}


def test_a_blank_patient_is_none(tmp_path, gradient):
    write(tmp_path, {"1.png": gradient, "2.png": gradient, "3.png": gradient})
    table = pd.DataFrame({"file": ["1.png", "2.png", "3.png"], "patient": ["", " ", "P1"]})
    found = read_images(tmp_path, size=32, metadata=table, patient="patient")
    assert found.groups.tolist() == ["1.png", "2.png", "P1"]


@pytest.mark.parametrize("value", ["1.2.840.1", "1.2.840.1.png", "a/1.2.840.1"])
def test_dots_of_an_identifier_start_no_suffix(tmp_path, gradient, value):
    write(tmp_path, {"a/1.2.840.1.png": gradient, "a/1.2.840.2.png": gradient})
    table = pd.DataFrame({"uid": [value], "age": [50]})
    with pytest.warns(UserWarning, match="1 of 2 images have no row"):
        found = read_images(tmp_path, size=32, metadata=table)
    assert found.metadata["age"][0] == 50


def test_one_name_of_two_files_is_joined_to_neither(tmp_path, gradient):
    write(tmp_path, {"a/1.png": gradient, "b/1.png": gradient, "b/2.png": gradient})
    table = pd.DataFrame({"file": ["1.png", "2.png"], "age": [50, 70]})
    with pytest.warns(UserWarning, match="2 of 3 images"):
        found = read_images(tmp_path, size=32, metadata=table)
    assert "matches 2 files: a/1.png, b/1.png" in set(found.unmatched.reason)
    assert table_of(found)["age"].dropna().to_dict() == {"b/2.png": 70}


def test_a_table_without_matches_is_told(tmp_path, gradient):
    write(tmp_path, {"1.png": gradient})
    table = pd.DataFrame({"id": ["x"], "age": [50]})
    with pytest.warns(UserWarning, match="No row of the table matches"):
        found = read_images(tmp_path, size=32, metadata=table)
    assert len(found.unmatched) == 2
    assert "age" not in found.metadata


def test_the_patient_of_the_table(tmp_path, gradient):
    write(tmp_path, {"1.png": gradient})
    table = tmp_path / "table.csv"
    table.write_text("file;patient_id;height\n1.png;P7;180\n")
    found = read_images(tmp_path, size=32, metadata=table, patient="patient_id")
    assert list(found.metadata.patient) == ["P7"]
    assert list(found.metadata.height_table) == [180]
    assert list(found.metadata.height) == [32]
    assert len(found.failures) == 0  # the table is in the folder, and is no image


def test_groups_are_patients_of_the_table_then_of_files_then_files(tmp_path, gradient):
    write(tmp_path, {f"{number}.png": gradient for number in range(4)})
    numbers = np.arange(12, dtype=np.int16).reshape(2, 3, 2)
    for name in ("sub-7/head.nii", "unnamed.nii"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        nibabel.save(nibabel.Nifti1Image(numbers, np.eye(4)), tmp_path / name)
    table = pd.DataFrame({"file": ["0.png", "1.png", "2.png"], "id": [12.0, 12.0, np.nan]})
    with pytest.warns(UserWarning, match="5 of 8 images have no row"):
        found = read_images(tmp_path, size=16, frames="all", metadata=table, patient="id")
    assert found.groups.dtype.kind == "U"
    assert dict(zip(found.metadata.file, found.groups, strict=True)) == {
        **{"0.png": "12", "1.png": "12", "2.png": "2.png", "3.png": "3.png"},
        **{"sub-7/head.nii": "sub-7", "unnamed.nii": "unnamed.nii"},
    }
    # Slices of a volume count as one patient.
    assert np.unique(found.groups, return_counts=True)[1].tolist() == [2, 1, 1, 2, 2]


@pytest.mark.parametrize(
    ("table", "options", "error", "message"),
    [
        (pd.DataFrame({"file": []}), {}, ValueError, "must have rows"),
        (pd.DataFrame({"file": ["1"]}), {"patient": "id"}, ValueError, "must name a column"),
        ([["1.png"]], {}, TypeError, "must be a DataFrame or the path"),
        ("nowhere.csv", {}, FileNotFoundError, "which is no file"),
    ],
)
def test_wrong_tables_are_told_before_reading(tmp_path, table, options, error, message):
    with pytest.raises(error, match=message):
        read_images(tmp_path / "nowhere", metadata=table, **options)


def test_a_picture_is_no_table(tmp_path, gradient):
    write(tmp_path, {"1.png": gradient})
    (tmp_path / "table.csv").write_bytes((tmp_path / "1.png").read_bytes())
    with pytest.raises(ValueError, match="metadata must be a table"):
        read_images(tmp_path, metadata=tmp_path / "table.csv")
