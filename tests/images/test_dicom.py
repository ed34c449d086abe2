"""DICOM frames: limits, order, volumes, what is told of them, and files that are refused."""

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from dicom_files import (
    RAMP,
    SYNTAXES,
    UPRIGHT,
    dataset,
    enhanced,
    read,
    read_one,
    save,
    sequence_item,
    shown,
    table,
    with_pixels,
    write,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import FileMetaDataset
from pydicom.pixels import apply_windowing, pixel_array
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
    RTPlanStorage,
)

from sklearn_cae.images._dicom import dicom_frames, is_dicom
from sklearn_cae.images._frames import Choices

# ---- Limits ----


@pytest.mark.parametrize("window", [None, {"WindowCenter": 7, "WindowWidth": 10}])
def test_low_values_of_monochrome1_are_white(tmp_path, window):
    black, white = (
        shown(
            read_one(write(tmp_path / name, RAMP, PhotometricInterpretation=name, **window or {}))
        )
        for name in ("MONOCHROME2", "MONOCHROME1")
    )
    assert black[0, 0] < black[-1, -1]
    np.testing.assert_allclose(white, 1 - black)


def test_a_window_is_in_the_unit_after_the_rescale(tmp_path):
    stored = np.array([[0, 864, 1064, 1264, 4095]], dtype=np.uint16)
    path = write(
        tmp_path / "x",
        stored,
        Modality="CT",
        RescaleSlope=1,
        RescaleIntercept=-1024,
        WindowCenter=40,
        WindowWidth=400,
    )
    np.testing.assert_allclose(shown(read_one(path)), [[0, 0, 0.5, 1, 1]], atol=0.002)


@settings(max_examples=60, deadline=None)
@given(
    shape=st.sampled_from(["LINEAR", "LINEAR_EXACT", "SIGMOID"]),
    center=st.integers(-50, 300),
    width=st.integers(1, 400),
)
def test_windows_show_what_pydicom_shows(tmp_path_factory, shape, center, width):
    stored = np.arange(256, dtype=np.uint8).reshape(16, 16)
    found = with_pixels(stored, WindowCenter=center, WindowWidth=width, VOILUTFunction=shape)
    frame = read_one(save(found, tmp_path_factory.getbasetemp() / "window.dcm"))
    if frame.about["scaling"] == "percentiles":  # all black or all white
        assert np.ptp(apply_windowing(stored, found)) == 0
    else:
        np.testing.assert_allclose(shown(frame), apply_windowing(stored, found) / 255, atol=1e-5)


def test_a_narrow_window_of_floats(tmp_path):
    """A width below 1 cannot be of whole numbers."""
    stored = np.array([[0, 0.2, 0.4, 1]], dtype=np.float32)
    path = write(tmp_path / "x", stored, WindowCenter=0.2, WindowWidth=0.4)
    np.testing.assert_allclose(shown(read_one(path)), [[0, 0.5, 1, 1]], atol=1e-6)


def test_the_first_window_counts(tmp_path):
    path = write(tmp_path / "x", RAMP, WindowCenter=[8, 5, 1], WindowWidth=[9, 1, 1])
    assert read_one(path).limits == (3.5, 11.5)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_window_of_an_unknown_shape_is_linear(tmp_path):
    path = write(tmp_path / "x", RAMP, WindowCenter=8, WindowWidth=9, VOILUTFunction="ROUND")
    assert read_one(path).limits == (3.5, 11.5)


def test_the_users_window_comes_first(tmp_path):
    path = write(tmp_path / "x", RAMP, WindowCenter=8, WindowWidth=9, RescaleIntercept=100)
    frame = read_one(path, window=(100, 110))
    assert frame.limits == (100, 110)
    assert frame.about["scaling"] == "window"
    assert read_one(path, window=(1000, 2000)).limits == (1000, 2000)  # though all is black


@pytest.mark.parametrize("center", [-500, 500])
def test_a_window_that_shows_nothing_is_left_out(tmp_path, center):
    frame = read_one(write(tmp_path / "x", RAMP, WindowCenter=center, WindowWidth=100))
    assert frame.about["scaling"] == "percentiles"
    assert np.ptp(shown(frame)) == 1


@pytest.mark.parametrize("value", [0, 255])
def test_a_blank_image_keeps_its_window(tmp_path, value):
    blank = np.full((3, 3), value, dtype=np.uint8)
    frame = read_one(write(tmp_path / "x", blank, WindowCenter=128, WindowWidth=256))
    assert (shown(frame) == value / 255).all()


@pytest.mark.parametrize(
    "window",
    [
        {"WindowCenter": 10},
        {"WindowCenter": 10, "WindowWidth": 0},
        {"WindowCenter": 10, "WindowWidth": -5},
        {"WindowCenter": None, "WindowWidth": None},
        {"WindowCenter": "1e30", "WindowWidth": 1},
    ],
)
def test_half_a_window_is_none(tmp_path, window):
    frame = read_one(write(tmp_path / "x", RAMP, bits=12, **window))
    assert (frame.limits, frame.about["scaling"]) == ((0, 4095), "bits")


def test_a_voi_table_is_applied_after_the_rescale(tmp_path):
    values = np.round(1000 * np.sqrt(np.arange(40))).astype(int)
    found = with_pixels(
        RAMP, RescaleSlope=2, RescaleIntercept=5, VOILUTSequence=[table(values, start=5, bits=14)]
    )
    frame = read_one(save(found, tmp_path / "x"))
    np.testing.assert_array_equal(frame.pixels, values[2 * RAMP])
    assert (frame.limits, frame.about["scaling"]) == ((0, 2**14 - 1), "window")
    assert read_one(save(found, tmp_path / "x"), window=(0, 9)).pixels.max() == 43


@pytest.mark.parametrize("modality", ["CT", "MR", "PT", "NM"])
def test_values_of_unknown_range_are_shown_by_percentiles(tmp_path, modality):
    stored = np.append(np.arange(999), 60_000).astype(np.uint16).reshape(10, 100)
    frame = read_one(write(tmp_path / "x", stored, Modality=modality))
    assert frame.about["scaling"] == "percentiles"
    assert frame.limits[1] < 1000


def test_numbers_of_32_bits_are_shown_by_percentiles(tmp_path):
    frame = read_one(write(tmp_path / "x", RAMP.astype(np.uint32), Modality="OT"))
    assert frame.about["scaling"] == "percentiles"
    assert frame.limits[1] < 20


@pytest.mark.parametrize("modality", ["CR", "DX", "MG", "RF", "XA", "IO", "PX", "US", "OT"])
def test_projections_are_shown_by_their_bits(tmp_path, modality):
    frame = read_one(write(tmp_path / "x", RAMP, bits=10, Modality=modality))
    assert (frame.limits, frame.about["scaling"]) == ((0, 1023), "bits")


# ---- Frames ----


def axial(z):
    return {
        "PlanePosition": {"ImagePositionPatient": [0, 0, z]},
        "PlaneOrientation": {"ImageOrientationPatient": UPRIGHT},
    }


def rescaled(slope, intercept):
    return {"PixelValueTransformation": {"RescaleSlope": slope, "RescaleIntercept": intercept}}


def test_each_frame_has_its_own_slope_and_intercept(tmp_path):
    stored = np.stack([RAMP, RAMP, RAMP])
    changes = [(1, 0), (0.5, -10), (3, 100)]
    found = enhanced(stored, [rescaled(*change) for change in changes])
    for frame, (slope, intercept) in zip(
        read(save(found, tmp_path / "x"), frames="all"), changes, strict=True
    ):
        np.testing.assert_allclose(frame.pixels, RAMP * slope + intercept)


def test_a_slope_may_be_shared_by_all_frames(tmp_path):
    found = enhanced(np.stack([RAMP, RAMP]), [{}, {}], shared=rescaled(2, -1024))
    for frame in read(save(found, tmp_path / "x"), frames="all"):
        np.testing.assert_allclose(frame.pixels, 2.0 * RAMP - 1024)


def test_a_window_of_each_frame(tmp_path):
    windows = [{"FrameVOILUT": {"WindowCenter": c, "WindowWidth": 5}} for c in (5, 9)]
    shared = {"FrameVOILUT": {"WindowCenter": 12, "WindowWidth": 4}}
    found = enhanced(np.stack([RAMP, RAMP]), windows, shared, WindowCenter=1, WindowWidth=3)
    frames = read(save(found, tmp_path / "x"), frames="all")
    assert [frame.limits for frame in frames] == [(2.5, 6.5), (6.5, 10.5)]


@settings(max_examples=25, deadline=None)
@given(
    heights=st.lists(st.integers(-50, 50), min_size=2, max_size=6, unique=True),
    is_compressed=st.booleans(),
)
def test_frames_come_in_the_order_of_their_positions(tmp_path_factory, heights, is_compressed):
    stored = np.stack([RAMP + 100 * i for i in range(len(heights))]).astype(np.uint16)
    found = enhanced(stored, [axial(z) for z in heights])
    if is_compressed:
        found.compress(RLELossless)
    frames = read(save(found, tmp_path_factory.getbasetemp() / "order.dcm"), frames="all")
    order = np.argsort(heights)
    assert [frame.about["position"] for frame in frames] == sorted(heights)
    assert [frame.about["frame"] for frame in frames] == order.tolist()
    for frame, index in zip(frames, order, strict=True):
        np.testing.assert_array_equal(frame.pixels, stored[index])
        assert frame.about["n_frames"] == len(heights)


def test_the_middle_frame_is_the_middle_of_the_positions(tmp_path):
    found = enhanced(np.stack([RAMP, RAMP + 1, RAMP + 2]), [axial(z) for z in (0, 2, 1)])
    assert read_one(save(found, tmp_path / "x")).about["position"] == 1


def test_the_normal_decides_not_the_z_axis(tmp_path):
    """Sagittal slices: rows along y, columns down z, so that the normal is x."""
    places = [
        {
            "PlanePosition": {"ImagePositionPatient": [x, -x, 5]},
            "PlaneOrientation": {"ImageOrientationPatient": [0, 1, 0, 0, 0, 1]},
        }
        for x in (30, 10, 20)
    ]
    found = enhanced(np.stack([RAMP] * 3), places)
    frames = read(save(found, tmp_path / "x"), frames="all")
    assert [frame.about["position"] for frame in frames] == [10, 20, 30]


def test_single_frames_tell_their_position(tmp_path):
    """The instance numbers run against the positions, which decide."""
    frames = [
        read_one(
            write(
                tmp_path / f"{number}",
                RAMP,
                InstanceNumber=number,
                ImagePositionPatient=[0, 0, 10 - number],
                ImageOrientationPatient=UPRIGHT,
            )
        )
        for number in (1, 2, 3)
    ]
    assert [frame.about["position"] for frame in frames] == [9, 8, 7]
    assert [frame.about["instance"] for frame in frames] == [1, 2, 3]


def test_one_position_is_not_that_of_each_frame(tmp_path):
    path = write(
        tmp_path / "x",
        np.stack([RAMP, RAMP]),
        ImagePositionPatient=[0, 0, 1],
        ImageOrientationPatient=UPRIGHT,
    )
    assert all("position" not in frame.about for frame in read(path, frames="all"))


@pytest.mark.parametrize(("frames", "expected"), [("middle", [3]), (2, [1, 4]), ("all", range(6))])
def test_which_frames(tmp_path, frames, expected):
    path = write(tmp_path / "x", np.stack([RAMP] * 6))
    assert [frame.about["frame"] for frame in read(path, frames=frames)] == list(expected)


# ---- Volumes ----


def test_a_volume_is_stacked_by_position(tmp_path):
    stored = np.stack([RAMP, RAMP + 1, RAMP + 2])
    places = [{**axial(z), **rescaled(z + 1, 0)} for z in (0, 10, 5)]
    measures = {"PixelMeasures": {"PixelSpacing": [0.5, 0.7], "SliceThickness": 2}}
    found = enhanced(stored, places, shared=measures, PixelPaddingValue=0)
    frame = read_one(save(found, tmp_path / "x"), is_volume=True)
    expected = [RAMP * 1.0, (RAMP + 2) * 6.0, (RAMP + 1) * 11.0]
    np.testing.assert_array_equal(frame.pixels, expected)
    assert frame.spacing == (5, 0.5, 0.7)
    assert frame.valid.sum() == 59
    assert "frame" not in frame.about
    assert frame.about["n_frames"] == 3


def test_a_slice_of_padding_alone_counts_as_valid(tmp_path):
    stored = np.stack([RAMP, np.zeros_like(RAMP)])
    path = write(tmp_path / "x", stored, PixelPaddingValue=0)
    valid = read_one(path, is_volume=True).valid
    np.testing.assert_array_equal(valid, np.stack([RAMP > 0, np.ones(RAMP.shape, dtype=bool)]))


def test_a_volume_holds_the_first_frame_of_each_position(tmp_path):
    stored = np.stack([RAMP + i for i in range(4)]).astype(np.uint16)
    found = enhanced(stored, [axial(z) for z in (1, 0, 1, 0)])
    frame = read_one(save(found, tmp_path / "x"), is_volume=True)
    np.testing.assert_array_equal(frame.pixels, stored[[1, 0]])
    assert frame.spacing is None


def test_a_volume_without_positions_has_the_declared_spacing(tmp_path):
    path = write(
        tmp_path / "x", np.stack([RAMP, RAMP]), PixelSpacing=[1, 2], SpacingBetweenSlices=3
    )
    frame = read_one(path, is_volume=True)
    assert frame.spacing == (3, 1, 2)
    assert frame.limits == (0, 65535)


def test_a_single_slice_is_no_volume(tmp_path):
    with pytest.raises(ValueError, match="holds one slice, not a volume"):
        read(write(tmp_path / "x", RAMP), is_volume=True)


def test_times_of_one_slice_are_no_volume(tmp_path):
    found = enhanced(np.stack([RAMP, RAMP]), [axial(3), axial(3)])
    with pytest.raises(ValueError, match="holds one slice, not a volume"):
        read(save(found, tmp_path / "x"), is_volume=True)


def test_frames_in_colour_are_no_volume(tmp_path):
    path = write(tmp_path / "x", np.zeros((2, 3, 4, 3), dtype=np.uint8), color=True)
    with pytest.raises(ValueError, match="frames in colour"):
        read(path, is_volume=True)


# ---- What a file says ----


def test_what_is_told_of_a_frame(tmp_path):
    found = with_pixels(
        RAMP,
        bits=10,
        Modality="MG",
        StudyInstanceUID="1.2",
        SeriesInstanceUID="1.2.3",
        Manufacturer="ACME ",
        ManufacturerModelName="M1",
        StationName="S1",
        BodyPartExamined="BREAST",
        ViewPosition="CC",
        InstanceNumber=4,
        PatientSex="F",
        ReferringPhysicianName="Roe",
        OperatorsName="Poe",
    )
    about = read_one(save(found, tmp_path / "x")).about
    assert about == {
        "patient": "P1",
        "study": "1.2",
        "series": "1.2.3",
        "photometric": "MONOCHROME2",
        "modality": "MG",
        "manufacturer": "ACME",
        "model": "M1",
        "station": "S1",
        "body_part": "BREAST",
        "view_position": "CC",
        "instance": 4,
        "frame": 0,
        "n_frames": 1,
        "bits": 10,
        "scaling": "bits",
    }


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"PixelSpacing": [0.1, 0.3], "ImagerPixelSpacing": [0.2, 0.2]}, (0.1, 0.3)),
        ({"ImagerPixelSpacing": [0.2, 0.4]}, (0.2, 0.4)),
        ({"NominalScannedPixelSpacing": [0.5, 0.5]}, (0.5, 0.5)),
        ({"PixelSpacing": None, "ImagerPixelSpacing": [0.2, 0.4]}, (0.2, 0.4)),
        ({"PixelSpacing": [0, 0]}, None),
        ({}, None),
    ],
)
def test_the_calibrated_spacing_comes_first(tmp_path, tags, expected):
    assert read_one(write(tmp_path / "x", RAMP, **tags)).spacing == expected


def test_the_spacing_of_enhanced_files(tmp_path):
    measures = {"PixelMeasures": {"PixelSpacing": [0.5, 0.7]}}
    found = enhanced(np.stack([RAMP, RAMP]), [{}, {}], shared=measures)
    assert read_one(save(found, tmp_path / "x")).spacing == (0.5, 0.7)


#: Tags of a kind, and values that do not fit it.
ODD = {
    "IS": ["NumberOfFrames", "InstanceNumber"],
    "DS": [
        "WindowCenter",
        "WindowWidth",
        "RescaleSlope",
        "RescaleIntercept",
        "PixelSpacing",
        "ImagePositionPatient",
        "ImageOrientationPatient",
    ],
    "US": ["PixelRepresentation", "PixelPaddingValue", "PlanarConfiguration", "SamplesPerPixel"],
    "CS": ["Modality", "VOILUTFunction", "PhotometricInterpretation"],
    "LO": ["PatientID", "Manufacturer", "StationName"],
    "SQ": [
        "VOILUTSequence",
        "ModalityLUTSequence",
        "PerFrameFunctionalGroupsSequence",
        "SharedFunctionalGroupsSequence",
    ],
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("odd", ["", "text", "1\\2\\3", "nan", "0"])
@pytest.mark.parametrize("kind", ODD)
def test_odd_tags_never_raise(tmp_path, kind, odd):
    """A tag holds nothing, text for a number, several values, or no finite number."""
    for keyword in ODD[kind]:
        found = with_pixels(RAMP, WindowCenter=10, WindowWidth=10, PhotometricInterpretation=None)
        if keyword in found:
            del found[keyword]
        found.add_new(keyword, "LO", odd)
        frame = read_one(save(found, tmp_path / "x"))
        assert (np.diff(frame.pixels.ravel()) > 0).all()


@pytest.mark.parametrize("element", [b"\x02\x00", b"\x00\x01", b"\x01\x01", b"\x03\x01"])
def test_tags_of_a_kind_that_does_not_exist(tmp_path, element):
    """pydicom fails in words of its own, also when such a tag is given another value."""
    path = write(tmp_path / "x", RAMP)
    tag = b"\x28\x00" + element
    whole = path.read_bytes()
    assert whole.count(tag + b"US") == 1
    path.write_bytes(whole.replace(tag + b"US", tag + b"ZZ"))
    if element == b"\x00\x01":
        with pytest.raises(ValueError, match="does not say its BitsAllocated"):
            read(path)
    else:
        np.testing.assert_array_equal(read_one(path).pixels, RAMP)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_an_odd_number_of_frames_is_counted(tmp_path):
    stored = np.stack([RAMP, RAMP + 1, RAMP + 2])
    found = with_pixels(stored)
    del found.NumberOfFrames
    found.add_new("NumberOfFrames", "LO", "1A")
    frames = read(save(found, tmp_path / "x"), frames="all")
    np.testing.assert_array_equal([frame.pixels for frame in frames], stored)


@pytest.mark.parametrize("bits", [0, 17, "text", None])
def test_odd_bits_are_those_allocated(tmp_path, bits):
    found = with_pixels(RAMP)
    del found.BitsStored
    found.add_new("BitsStored", "LO" if bits == "text" else "US", bits)
    frame = read_one(save(found, tmp_path / "x"))
    np.testing.assert_array_equal(frame.pixels, RAMP)
    assert frame.about["bits"] == 16


def test_absent_tags_never_raise(tmp_path):
    found = with_pixels(RAMP)
    for keyword in (
        *("PhotometricInterpretation", "SamplesPerPixel", "BitsStored", "HighBit"),
        *("PixelRepresentation", "Modality", "PatientID", "PatientName"),
    ):
        del found[keyword]
    np.testing.assert_array_equal(read_one(save(found, tmp_path / "x")).pixels, RAMP)


@pytest.mark.parametrize("kind", ["RGB", "YBR_FULL"])
def test_colours_with_absent_tags(tmp_path, kind):
    """The gray of both kinds: 128 in each channel."""
    gray = np.full((2, 2, 3), 128, dtype=np.uint8)
    found = with_pixels(gray, color=True, PhotometricInterpretation=kind)
    for keyword in ("SamplesPerPixel", "PlanarConfiguration", "BitsStored", "PixelRepresentation"):
        del found[keyword]
    np.testing.assert_array_equal(read_one(save(found, tmp_path / "x")).pixels, gray)


@pytest.mark.parametrize("data", [None, ("OW", b""), ("US", []), ("LO", "text")])
def test_tables_without_entries_count_as_none(tmp_path, data):
    empty = sequence_item(LUTDescriptor=[4, 0, 16])
    if data:
        empty.add_new("LUTData", *data)
    found = with_pixels(RAMP, VOILUTSequence=[empty], ModalityLUTSequence=[empty])
    np.testing.assert_array_equal(read_one(save(found, tmp_path / "x")).pixels, RAMP)


# ---- Files that are refused ----


def test_a_file_without_pixels_names_its_kind(tmp_path):
    path = save(dataset(kind=RTPlanStorage), tmp_path / "x")
    with pytest.raises(ValueError, match="holds no image: RT Plan Storage"):
        read(path)


@pytest.mark.parametrize("keyword", ["Rows", "Columns", "BitsAllocated"])
def test_pixels_without_a_shape(tmp_path, keyword):
    found = with_pixels(RAMP)
    del found[keyword]
    with pytest.raises(ValueError, match=f"does not say its {keyword}"):
        read(save(found, tmp_path / "x"))


def test_more_frames_than_bytes(tmp_path):
    path = write(tmp_path / "x", RAMP)
    found = with_pixels(RAMP)
    found.NumberOfFrames = 10**9
    with pytest.raises(ValueError, match="declares 1000000000 frames, but holds 40 bytes"):
        read(save(found, path), frames="all")


def test_four_values_a_pixel(tmp_path):
    path = write(tmp_path / "x", np.zeros((2, 2, 3), dtype=np.uint8), color=True, SamplesPerPixel=4)
    with pytest.raises(ValueError, match="has 4 values per pixel"):
        read(path)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.5, 0.8, 0.99])
@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
def test_truncated_files_are_refused(tmp_path, syntax, share):
    path = write(tmp_path / "x", np.zeros((40, 40), np.uint16), syntax=syntax)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    if is_dicom(path):
        with pytest.raises(ValueError, match=r"holds no image|cannot be decoded|damaged"):
            read(path)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_damaged_files_give_frames_or_errors_of_words(tmp_path_factory, data):
    whole = bytearray(Path(_enhanced_file(tmp_path_factory)).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(132, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.dcm"
    path.write_bytes(whole)
    with suppress(ValueError):
        for frame in dicom_frames(path, Choices(frames="all")):
            assert np.isfinite(frame.limits).all()


def _enhanced_file(tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "enhanced.dcm"
    if not path.exists():
        places = [{**axial(z), **rescaled(2, z)} for z in (0, 2, 1)]
        save(enhanced(np.stack([RAMP] * 3), places, WindowCenter=5, WindowWidth=4), path)
    return path


# ---- Detection ----


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_dicom_is_found_by_content(tmp_path, syntax):
    found = with_pixels(RAMP, syntax=syntax)
    assert is_dicom(save(found, tmp_path / "report.txt"))
    for name in ("with group 2", "without"):
        found.save_as(
            tmp_path / name,
            implicit_vr=syntax == ImplicitVRLittleEndian,
            little_endian=syntax != ExplicitVRBigEndian,
            enforce_file_format=False,
        )
        assert is_dicom(tmp_path / name)
        np.testing.assert_array_equal(read_one(tmp_path / name).pixels, RAMP)
        found.file_meta = FileMetaDataset()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"DICM",
        b"file,patient\nx.dcm,P1\n" * 30,
        b"\x08\x00",
        b"\x02\x00\x00\x00" + b"\xff" * 200,
        b"\x08\x00 some text that goes on for long enough to be a header" * 10,
        b"\x89PNG\r\n\x1a\n" + b"\0" * 200,
        b"II*\x00\x08\x00\x00\x00" + b"\0" * 200,
        b"\x00\x00\x01\x00" + b"\0" * 200,
        bytes(1000),
    ],
)
def test_other_files_are_not_dicom(tmp_path, content):
    (tmp_path / "scan.dcm").write_bytes(content)
    assert not is_dicom(tmp_path / "scan.dcm")


def test_the_helper_writes_what_pydicom_reads(tmp_path):
    np.testing.assert_array_equal(pixel_array(write(tmp_path / "x", RAMP)), RAMP)
