"""Each file that pydicom ships is read rightly, or refused by name."""

import gzip
import re
import warnings
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_windowing, pixel_array

from sklearn_cae.images._dicom import dicom_frames, is_dicom
from sklearn_cae.images._frames import Choices

DATA = Path(pydicom.__file__).parent / "data"
FILES = sorted(
    str(path.relative_to(DATA))
    for path in DATA.rglob("*")
    if path.is_file() and path.suffix not in {".py", ".pyc", ".json"}
)
#: Part of the path: why it is refused.
REFUSED = {
    # Kinds that hold no pixels
    r"DICOMDIR": "holds no image: Media Storage Directory Storage",
    r"palettes/.*\.dcm": "holds no image: Color Palette Storage",
    r"rtplan(_truncated)?\.dcm": "holds no image: RT Plan Storage",
    r"ExplVR_(Big|Lit)EndNoMeta\.dcm": "holds no image: RT Ion Plan Storage",
    r"rtstruct\.dcm": "holds no image: RT Structure Set Storage",
    r"reportsi.*\.dcm": "holds no image: Basic Text SR Storage",
    r"test-SR\.dcm": "holds no image: Comprehensive SR Storage",
    r"waveform_ecg\.dcm": "holds no image: 12-lead ECG Waveform Storage",
    # Kinds that should hold pixels: here they were taken out
    r"TINY_ALPHA/PT000000": "holds no image: CT Image Storage",
    r"UN_sequence\.dcm": "holds no image: CT Image Storage",
    r"chrJapMulti.*\.dcm|chrKoreanMulti\.dcm": "holds no image: Computed Radiography",
    r"chrSQEncoding1?\.dcm|/priv_SQ\.dcm": "holds no image: MR Image Storage",
    r"no_meta_group_length\.dcm": "holds no image: RT Image Storage",
    r"empty_charset_LEI\.dcm": "holds no image: a file of no named kind",
    r"nested_priv_SQ\.dcm|meta_missing_tsyntax\.dcm": "does not say its Rows",
    # Damaged pixels
    r"MR_truncated\.dcm": r"number of bytes of pixel data is less than expected \(8130 vs 8192",
    r"JPEG-lossy\.dcm": r"cannot be decoded \(JPEG Extended .* misplaced marker",
    r"JPEG2000-embedded-sequence-delimiter\.dcm": r"cannot be decoded \(JPEG 2000",
}
#: Part of the path: why it is no DICOM file.
OTHERS = {
    r"README|FileInfo\.txt": "text",
    r"\.dump": "text",
    r"\.icc": "a profile of colours",
    r"zipMR\.gz": "a compressed archive",
    r"no_meta\.dcm": "no tag: a stray byte stands before the first one",
}
#: A file, others of the same image, and how far lossy ones may be from it.
TWINS = [
    (
        "MR_small.dcm",
        "MR_small_RLE.dcm MR_small_bigendian.dcm MR_small_expb.dcm MR_small_implicit.dcm "
        "MR_small_jp2klossless.dcm MR_small_jpeg_ls_lossless.dcm MR_small_padded.dcm",
        0,
    ),
    ("rtdose.dcm", "rtdose_expb.dcm rtdose_rle.dcm", 0),
    ("rtdose_1frame.dcm", "rtdose_expb_1frame.dcm rtdose_rle_1frame.dcm", 0),
    ("liver_1frame.dcm", "liver_expb_1frame.dcm", 0),
    ("SC_rgb_small_odd.dcm", "SC_rgb_small_odd_big_endian.dcm", 0),
    ("SC_rgb_small_odd.dcm", "SC_rgb_small_odd_jpeg.dcm", 4),
    ("SC_rgb_jpeg_dcmd.dcm", "SC_rgb_jpeg.dcm SC_jpeg_no_color_transform.dcm", 1),
    ("SC_rgb_jpeg_app14_dcmd.dcm", "SC_jpeg_no_color_transform_2.dcm", 0),
]
#: Files of ten bars of colour, and how far the middle of a bar may be from its colour.
BARS = {
    "SC_rgb_rle.dcm": 0,
    "SC_rgb_rle_2frame.dcm": 0,
    "SC_rgb_jpeg_gdcm.dcm": 0,
    "SC_rgb_gdcm_KY.dcm": 0,
    "SC_rgb_jls_lossy_line.dcm": 2,
    "SC_rgb_jls_lossy_sample.dcm": 2,
    "SC_rgb_dcmtk_+eb+cr.dcm": 1,
    "SC_rgb_jpeg_lossy_gdcm.dcm": 1,
    "SC_ybr_full_422_uncompressed.dcm": 5,
    "SC_rgb_jpeg_dcmtk.dcm": 5,
    **{f"SC_rgb_dcmtk_+eb+cy+{way}.dcm": 5 for way in ("n1", "n2", "np", "s2", "s4")},
}
COLORS = [
    *([255, 0, 0], [255, 128, 128], [0, 255, 0], [128, 255, 128], [0, 0, 255]),
    *([128, 128, 255], [0, 0, 0], [64, 64, 64], [192, 192, 192], [255, 255, 255]),
]


def read(path, **choices):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return list(dicom_frames(DATA / path, Choices(**choices)))


def reason(table, path):
    return next((why for part, why in table.items() if re.search(part, path)), None)


@pytest.mark.parametrize("path", FILES)
def test_each_file_is_read_rightly_or_refused(path):
    if reason(OTHERS, path):
        assert not is_dicom(DATA / path)
        return
    assert is_dicom(DATA / path)
    if why := reason(REFUSED, path):
        with pytest.raises(ValueError, match=why):
            read(path)
        return
    frames = read(path, frames="all")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = pydicom.dcmread(DATA / path)
        expected = [frame_of(dataset, index) for index in range(len(frames))]
    for index, frame in enumerate(frames):
        assert frame.about["frame"] == index
        assert frame.pixels.dtype.isnative
        assert frame.pixels.shape[:2] == (dataset.Rows, dataset.Columns)
        check = check_gray if frame.pixels.ndim == 2 else check_color
        check(frame, dataset, expected[index])


def frame_of(dataset, index):
    if dataset.get("NumberOfFrames") == "1A":  # in badVR.dcm, which has 15
        dataset.NumberOfFrames = 15
    return pixel_array(dataset, index=index)


def check_color(frame, dataset, pixels):
    """Compare with pydicom's colours; pydicom leaves palettes to its user."""
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        pixels = apply_color_lut(pixels, dataset)
    np.testing.assert_array_equal(frame.pixels, pixels)
    assert frame.limits == (0, np.iinfo(frame.pixels.dtype).max)


def check_gray(frame, dataset, pixels):
    """Compare with pydicom's values and window; pydicom has no inversion."""
    values = apply_modality_lut(pixels, dataset)
    np.testing.assert_allclose(frame.pixels, values, rtol=1e-6)
    low, high = frame.limits
    shown = np.clip((frame.pixels - low) / (high - low), 0, 1)
    if "WindowCenter" in dataset:
        black, white = apply_windowing(np.array([-1e9, 1e9]), dataset)
        expected = (apply_windowing(values, dataset) - black) / (white - black)
        if np.ptp(expected) == 0:  # two slices of dense bone, under a window for the brain
            assert (frame.about["scaling"], np.ptp(shown)) == ("percentiles", 1)
            return
        if dataset.PhotometricInterpretation == "MONOCHROME1":
            expected = 1 - expected
        assert frame.about["scaling"] == "window"
        np.testing.assert_allclose(shown, expected, atol=1e-5)
    else:
        assert frame.about["scaling"] in ("bits", "percentiles")
        assert np.ptp(shown) > 0


@pytest.mark.parametrize(("path", "others", "tolerance"), TWINS)
def test_all_encodings_of_an_image_are_one_image(path, others, tolerance):
    expected = [frame.pixels for frame in read(f"test_files/{path}", frames="all")]
    for other in others.split():
        found = [frame.pixels for frame in read(f"test_files/{other}", frames="all")]
        difference = np.abs(np.subtract(found, expected, dtype=np.float64))
        assert difference.max() <= tolerance, other


@pytest.mark.parametrize(("path", "tolerance"), BARS.items())
def test_bars_of_colour(path, tolerance):
    """Lossy files may smear the rows where two bars meet."""
    found = read(f"test_files/{path}", frames="all")[0].pixels[5::10]
    expected = np.broadcast_to(np.array(COLORS)[:, None], (10, 100, 3))
    assert np.abs(found - expected.astype(np.float64)).max() <= tolerance


def test_an_enhanced_file_of_a_scanner(tmp_path):
    """176 sagittal slices of a phantom, packed in nibabel; each has its own slope and window."""
    packed = Path(nibabel.__file__).parent / "nicom/tests/data/philips_mprage.dcm.gz"
    path = tmp_path / "philips"
    path.write_bytes(gzip.decompress(packed.read_bytes()))
    frames = list(dicom_frames(path, Choices(frames=4)))
    dataset = pydicom.dcmread(path)
    for frame in frames:
        index = frame.about["frame"]
        groups = dataset.PerFrameFunctionalGroupsSequence[index]
        stored = pixel_array(dataset, index=index)
        values = apply_modality_lut(stored, groups.PixelValueTransformationSequence[0])
        np.testing.assert_allclose(frame.pixels, values, rtol=1e-6)
        voi = groups.FrameVOILUTSequence[0]
        low, high = frame.limits
        assert high - low == voi.WindowWidth - 1
        assert (low + high) / 2 == voi.WindowCenter - 0.5
    assert len({frame.limits for frame in frames}) == 4
    assert np.diff([frame.about["position"] for frame in frames]).min() > 0
    (volume,) = dicom_frames(path, Choices(is_volume=True))
    assert volume.pixels.shape == (176, 256, 256)
    np.testing.assert_allclose(volume.spacing, 1, rtol=1e-4)
