"""NIfTI and its relatives: orientation, scaling, slices and the way back to the volume."""

import gzip
import zlib
from itertools import permutations, product
from pathlib import Path

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_cae.images._frames import Choices, limits_of_most
from sklearn_cae.images._nifti import has_header_beside, is_nifti, nifti_frames, unread_format

DATA = Path(nibabel.__file__).parent / "tests" / "data"
VOLUME = np.random.RandomState(0).randint(-1000, 1000, (3, 4, 5)).astype(np.int16)
#: More than the buffers of gzip hold.
NOISE = np.random.RandomState(1).randint(0, 30000, (20, 20, 20)).astype(np.int16)
#: The view of a radiologist of a canonical volume, (X to the right, Y to anterior, Z to superior).
VIEWS = {
    0: lambda volume, x: np.array(
        [[volume[x, y, z] for y in (3, 2, 1, 0)] for z in (4, 3, 2, 1, 0)]
    ),
    1: lambda volume, y: np.array([[volume[x, y, z] for x in (2, 1, 0)] for z in (4, 3, 2, 1, 0)]),
    2: lambda volume, z: np.array([[volume[x, y, z] for x in (2, 1, 0)] for y in (3, 2, 1, 0)]),
}


def read(path, **choices):
    return list(nifti_frames(path, Choices(**{"frames": "all", **choices})))


def save(path, volume, affine=None, kind=nibabel.Nifti1Image):
    image = kind(volume, np.eye(4) if affine is None else affine)
    image.header.set_data_dtype(volume.dtype)
    nibabel.save(image, path)
    return path


def change(path, at, values):
    """Change bytes of a file: what a header holds is not what nibabel lets one write."""
    content = bytearray(path.read_bytes())
    content[at : at + values.nbytes] = values.tobytes()
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("axis", [0, 1, 2])
@settings(deadline=None, max_examples=20)
@given(
    order=st.sampled_from(list(permutations(range(3)))),
    signs=st.sampled_from(list(product((1, -1), repeat=3))),
    sides=st.tuples(*[st.floats(0.2, 5)] * 3),
    origin=st.tuples(*[st.floats(-100, 100)] * 3),
)
def test_every_orientation_gives_the_same_slices(
    tmp_path_factory, axis, order, signs, sides, origin
):
    """Whatever the order and the directions of the stored axes are."""
    stored = VOLUME.transpose(order)[tuple(slice(None, None, sign) for sign in signs)]
    to_canonical = np.eye(4)
    to_canonical[:3, :3] = 0
    for own, (canonical, sign) in enumerate(zip(order, signs, strict=True)):
        to_canonical[canonical, own] = sign
        to_canonical[canonical, 3] += 0 if sign == 1 else VOLUME.shape[canonical] - 1
    affine = np.diag([*sides, 1.0])
    affine[:3, 3] = origin
    path = tmp_path_factory.mktemp("nifti") / "volume.nii"
    frames = read(save(path, stored, affine @ to_canonical), axis=axis)
    assert len(frames) == VOLUME.shape[axis]
    columns, rows = (other for other in range(3) if other != axis)
    for index, frame in enumerate(frames):
        np.testing.assert_array_equal(frame.pixels, VIEWS[axis](VOLUME, index))
        assert frame.spacing == pytest.approx((sides[rows], sides[columns]), rel=1e-4)
        about = frame.about
        assert (about["frame"], about["n_frames"], about["axis"]) == (index, len(frames), axis)
        assert about["position"] == pytest.approx(origin[axis] + index * sides[axis], abs=1e-3)
        own = np.take(stored, about["stored_slice"], axis=about["stored_axis"])
        assert sorted(own.ravel()) == sorted(frame.pixels.ravel())
        assert about["orientation"][about["stored_axis"]] in ("RL", "AP", "SI")[axis]


def test_a_radiologist_sees_the_usual_view(tmp_path):
    """A point that is left, anterior and superior."""
    volume = np.zeros((3, 4, 5), np.uint8)
    volume[0, 3, 4] = 1  # in an array that grows to the right, to anterior and to superior
    path = save(tmp_path / "volume.nii", volume)
    for axis, index, row, column in ((2, 4, 0, -1), (1, 3, 0, -1), (0, 0, 0, 0)):
        pixels = read(path, axis=axis)[index].pixels
        assert pixels.sum() == pixels[row, column] == 1


def test_which_slices(tmp_path):
    path = save(tmp_path / "volume.nii", VOLUME)
    assert [frame.about["frame"] for frame in read(path, frames="middle")] == [2]
    assert [frame.about["frame"] for frame in read(path, frames=2, axis=1)] == [1, 3]


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_volume_is_its_slices(tmp_path, axis):
    path = save(tmp_path / "volume.nii", VOLUME, np.diag([1.0, 2.0, 3.0, 1.0]))
    (volume,) = read(path, is_volume=True, axis=axis)
    slices = read(path, axis=axis)
    np.testing.assert_array_equal(volume.pixels, [frame.pixels for frame in slices])
    assert volume.spacing[1:] == slices[0].spacing
    assert volume.spacing[0] == (1, 2, 3)[axis]
    assert "frame" not in volume.about


@pytest.mark.parametrize(
    ("slope", "intercept", "first"), [(2, -1024, -1022), (0, -1024, 1), (np.nan, -1024, 1)]
)
def test_a_slope_that_does_not_apply_brings_no_intercept(tmp_path, slope, intercept, first):
    path = save(tmp_path / "volume.nii", np.ones((2, 2, 2), np.int16))
    change(path, 112, np.array([slope, intercept], "<f4"))
    assert read(path)[0].pixels[0, 0] == first


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
@pytest.mark.parametrize("order", "<>")
def test_numbers_of_all_types_are_native(tmp_path, dtype, order):
    header = nibabel.Nifti1Header(endianness=order)
    header.set_data_dtype(dtype)
    stored = np.arange(60).reshape(3, 4, 5).astype(order + dtype)
    nibabel.save(nibabel.Nifti1Image(stored, np.eye(4), header), tmp_path / "volume.nii")
    frame = read(tmp_path / "volume.nii")[1]
    assert frame.pixels.dtype == np.dtype(dtype)
    assert frame.pixels.dtype.isnative
    assert frame.pixels.flags.c_contiguous  # torch refuses negative strides
    np.testing.assert_array_equal(frame.pixels, VIEWS[2](stored, 1))
    assert frame.about["bits"] == 8 * np.dtype(dtype).itemsize


def rgb(shape, alpha=None):
    names = "RGB" if alpha is None else "RGBA"
    volume = np.zeros(shape, [(name, "u1") for name in names])
    for index, name in enumerate("RGB"):
        volume[name] = index + np.arange(volume.size).reshape(shape)
    if alpha is not None:
        volume["A"] = alpha
    return volume


@pytest.mark.parametrize("alpha", [None, 0, 255])
def test_colours_have_three_channels(tmp_path, alpha):
    volume = rgb((3, 4, 5), alpha)
    path = save(tmp_path / "volume.nii", volume)
    frame = read(path)[1]
    assert frame.pixels.shape == (4, 3, 3)
    for index, name in enumerate("RGB"):
        np.testing.assert_array_equal(frame.pixels[..., index], VIEWS[2](volume[name], 1))
    assert frame.limits == (0, 255)
    assert frame.about["bits"] == 8
    with pytest.raises(ValueError, match="has colours"):
        read(path, is_volume=True)


def test_transparent_voxels_are_refused(tmp_path):
    path = save(tmp_path / "volume.nii", rgb((2, 2, 2), np.arange(8).reshape(2, 2, 2)))
    with pytest.raises(ValueError, match="transparent"):
        read(path)


@pytest.mark.parametrize("n_volumes", [2, 3])
def test_the_first_volume_of_a_series_is_read(tmp_path, n_volumes):
    series = np.stack([VOLUME + 10 * index for index in range(n_volumes)], axis=-1)
    frame = read(save(tmp_path / "series.nii.gz", series))[3]
    np.testing.assert_array_equal(frame.pixels, VIEWS[2](VOLUME, 3))
    assert frame.about["n_volumes"] == n_volumes
    assert frame.limits == limits_of_most(VOLUME)


def test_a_plane_is_one_slice(tmp_path):
    frames = read(save(tmp_path / "plane.nii", VOLUME[:, :, 0]))
    assert len(frames) == 1
    np.testing.assert_array_equal(frames[0].pixels, VIEWS[2](VOLUME, 0))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_plane_is_no_volume(tmp_path, axis):
    path = save(tmp_path / "plane.nii", VOLUME[:, :, :1])
    with pytest.raises(ValueError, match="holds one slice, not a volume"):
        read(path, is_volume=True, axis=axis)


@pytest.mark.parametrize(("code", "spacing"), [(1, 3.0), (0, 1.0)])
def test_sform_counts_if_its_code_is_positive(tmp_path, code, spacing):
    image = nibabel.Nifti1Image(VOLUME, None)
    image.set_qform(np.eye(4), 1)
    image.set_sform(np.diag([3.0, 3.0, 3.0, 1.0]), code)
    nibabel.save(image, tmp_path / "volume.nii")
    assert read(tmp_path / "volume.nii")[0].spacing == (spacing, spacing)


def test_units_become_millimetres(tmp_path):
    image = nibabel.Nifti1Image(VOLUME, np.diag([500.0, 500.0, 2000.0, 1.0]))
    image.header.set_xyzt_units("micron")
    nibabel.save(image, tmp_path / "volume.nii")
    last = read(tmp_path / "volume.nii")[-1]
    assert last.spacing == pytest.approx((0.5, 0.5))
    assert last.about["position"] == pytest.approx(8.0)


def test_limits_are_those_of_the_whole_volume(tmp_path):
    path = save(tmp_path / "volume.nii", VOLUME)
    assert {frame.limits for frame in read(path)} == {limits_of_most(VOLUME)}
    assert read(path)[0].about["scaling"] == "percentiles"
    frame = read(path, window=(-100, 300))[0]
    assert frame.limits == (-100, 300)
    assert frame.about["scaling"] == "window"


def test_voxels_without_a_value_are_not_valid(tmp_path):
    volume = VOLUME.astype(np.float32)
    volume[0, 0, 0], volume[1, 1, 0] = np.nan, np.inf
    first, second, *_ = read(save(tmp_path / "volume.nii", volume))
    assert second.valid is None
    np.testing.assert_array_equal(first.valid, np.isfinite(first.pixels))
    assert (~first.valid).sum() == 2
    assert first.limits == limits_of_most(volume[np.isfinite(volume)])
    with pytest.raises(ValueError, match="no pixel has a finite value"):
        read(save(tmp_path / "empty.nii", np.full((2, 2, 2), np.nan, np.float32)))


@pytest.mark.parametrize(
    ("name", "patient"),
    [
        ("study/sub-07/anat/T1w.nii", "sub-07"),
        ("sub-1/sub-02_ses-1_T1w.nii", "sub-02"),
        ("a/b.nii", None),
        ("a/mysub-3.nii", None),
    ],
)
def test_bids_names_the_patient(tmp_path, name, patient):
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    about = read(save(path, VOLUME))[0].about
    assert about.get("patient") == patient
    assert about["series"] == path.stem


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image, nibabel.MGHImage])
@pytest.mark.parametrize("packed", [False, True])
def test_the_content_counts_not_the_suffix(tmp_path, kind, packed):
    path = save(tmp_path / f"volume{kind.files_types[0][1]}", VOLUME, kind=kind)
    other = tmp_path / "IM0001"
    other.write_bytes(gzip.compress(path.read_bytes()) if packed else path.read_bytes())
    assert is_nifti(other)
    np.testing.assert_array_equal(read(other)[2].pixels, VIEWS[2](VOLUME, 2))


PAIRS = [nibabel.Nifti1Pair, nibabel.Nifti2Pair, nibabel.Spm2AnalyzeImage]


@pytest.mark.parametrize("kind", PAIRS)
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_pair_is_read_by_its_header(tmp_path, kind, suffix):
    affine = np.diag([-1.0, 1.0, 1.0, 1.0])  # the only one that Analyze has
    save(tmp_path / f"volume.img{suffix}", VOLUME, affine, kind=kind)
    header, image = tmp_path / f"volume.hdr{suffix}", tmp_path / f"volume.img{suffix}"
    assert is_nifti(header)
    assert not is_nifti(image)
    assert has_header_beside(image)
    assert not has_header_beside(header)
    np.testing.assert_array_equal(read(header)[1].pixels, VIEWS[2](VOLUME[::-1], 1))
    image.unlink()
    with pytest.raises(ValueError, match=r"no image: volume\.img is not beside it"):
        read(header)


def test_an_image_without_header_has_none_beside(tmp_path):
    (tmp_path / "a.img").write_bytes(b"\1\2")
    assert not has_header_beside(tmp_path / "a.img")


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".mgz"])
@settings(deadline=None, max_examples=30)
@given(share=st.floats(0, 0.98))
def test_a_file_that_was_cut_off_is_told(tmp_path_factory, suffix, share):
    folder = tmp_path_factory.mktemp("cut")
    kind = nibabel.MGHImage if suffix == ".mgz" else nibabel.Nifti1Image
    path = save(folder / f"volume{suffix}", VOLUME, kind=kind)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    if is_nifti(path):
        with pytest.raises(ValueError, match="damaged"):
            read(path)


@pytest.mark.parametrize(
    "header", [(2, 3, 4, 5, 1, 4, 0), (1, 3, 4, 5, 1, 7, 0), (1, 0, 4, 5, 1, 4, 0), (1, 3)]
)
def test_numbers_that_are_no_header_of_mgh(tmp_path, header):
    (tmp_path / "numbers").write_bytes(np.array(header, ">i4").tobytes())
    assert not is_nifti(tmp_path / "numbers")


def test_gzip_of_something_else_is_no_volume(tmp_path):
    for content in (b"\x1f\x8bgarbage", gzip.compress(b"a text" * 1000), b"", b"\x1f\x8b"):
        (tmp_path / "volume.nii.gz").write_bytes(content)
        assert not is_nifti(tmp_path / "volume.nii.gz")


@settings(deadline=None, max_examples=30)
@given(share=st.floats(0.1, 1, exclude_max=True), bit=st.integers(0, 7))
def test_one_wrong_bit_in_gzip_never_changes_voxels(tmp_path_factory, share, bit):
    """nibabel alone reads most such files, with wrong voxels. Some bits have no effect."""
    path = save(tmp_path_factory.mktemp("bit") / "volume.nii.gz", NOISE)
    content = bytearray(path.read_bytes())
    content[int(share * len(content))] ^= 1 << bit
    path.write_bytes(content)
    try:
        frames = read(path)
    except ValueError:
        assert gzip_is_damaged(content)
    else:
        np.testing.assert_array_equal(frames[2].pixels, NOISE[::-1, ::-1, 2].T)


def gzip_is_damaged(content):
    try:
        gzip.decompress(content)
    except (EOFError, OSError, zlib.error):
        return True
    return False


@pytest.mark.parametrize(
    ("volume", "reason"),
    [
        (np.ones((2, 2, 2), np.complex64), "not real numbers"),
        (np.ones((2, 2, 2, 1, 3), np.float32), "no volume of intensities"),
    ],
)
def test_what_is_no_volume_of_intensities_is_refused(tmp_path, volume, reason):
    with pytest.raises(ValueError, match=reason):
        read(save(tmp_path / "volume.nii", volume))


def test_an_affine_that_is_not_invertible_is_refused(tmp_path):
    path = save(tmp_path / "volume.nii", VOLUME)
    change(path, 280, np.zeros(12, "<f4"))  # the rows of sform
    with pytest.raises(ValueError, match="affine is not invertible"):
        read(path)


#: All images in the tests of nibabel: the shape of the middle slice, or the reason or the name of
#: the format why there is none. The tracks, texts and scripts beside them are no images.
SHAPES = {
    "anatomical.nii": (41, 33),
    "example4d.nii.gz": (96, 128),
    "example_nifti2.nii.gz": (20, 32),
    "functional.nii": (21, 17),
    "reoriented_anat_moved.nii": (26, 21),
    "resampled_anat_moved.nii": (21, 17),
    "standard.nii.gz": (5, 4),
    "test.mgz": (4, 5),
}
REASONS = {
    "analyze.hdr": "no image: analyze.img",
    "nifti1.hdr": "no image: nifti1.img",
    "nifti2.hdr": "no image: nifti2.img",
    "row_major.dconn.nii": "no volume of intensities",  # CIFTI: a matrix
}
FORMATS = {".PAR": "Philips PAR", ".HEAD": "AFNI HEAD", ".v": "ECAT", ".trk": "TrackVis"}
#: Voxels without a header, DICOM, and what is no image.
NOT_OURS = {"", ".REC", ".BRIK", ".BRIK.gz", ".dcm", ".tck", ".py", ".m", ".rst"}


@pytest.mark.parametrize("path", sorted(filter(Path.is_file, DATA.iterdir())), ids=lambda p: p.name)
def test_files_of_nibabel(path):
    if path.name in SHAPES:
        (frame,) = read(path, frames="middle")
        assert frame.pixels.shape == SHAPES[path.name]
        image = nibabel.as_closest_canonical(nibabel.load(path))
        whole = image.get_fdata().reshape(*image.shape[:3], -1)[..., 0]
        expected = whole[::-1, ::-1, image.shape[2] // 2].T
        np.testing.assert_allclose(frame.pixels, expected, rtol=1e-6)
        zooms = image.header.get_zooms()
        assert frame.spacing == pytest.approx((zooms[1], zooms[0]), rel=1e-5)
    elif path.name in REASONS:
        assert is_nifti(path)
        with pytest.raises(ValueError, match=REASONS[path.name]):
            read(path)
    else:
        assert not is_nifti(path)
        suffix = "".join(path.suffixes[-2:]) if path.suffix == ".gz" else path.suffix
        if suffix == ".mnc":
            assert "MINC" in unread_format(path)
        elif suffix not in NOT_OURS:
            assert unread_format(path) == FORMATS[suffix]
