"""Pixels of DICOM files: decoded frame by frame, with padding, tables of values and palettes."""

import numpy as np

from .._utils.extras import import_extra
from ._dicom_tags import get, item, kind_of, number, numbers, places, put, text

PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_NO_SEGMENTS = "has a palette of segments that cannot be expanded"


def prepare(dataset):
    """Fill tags that decoding needs and that a careless writer may have left out.

    Raises
    ------
    ValueError
        If the file holds no pixels, or if the shape of the image is unknown.
    """
    if not any(get(dataset, keyword) for keyword in PIXELS):
        raise ValueError(f"holds no image: {kind_of(dataset)}")
    for keyword in ("Rows", "Columns", "BitsAllocated"):
        if not (value := number(dataset, keyword)):
            raise ValueError(f"does not say its {keyword}, without which its pixels have no shape")
        put(dataset, keyword, int(value))
    _fill_colors(dataset)
    _fill(dataset, "PixelRepresentation", 0, (0, 1))
    _fill(dataset, "PlanarConfiguration", 0, (0, 1))
    _fill(dataset, "BitsStored", dataset.BitsAllocated, range(1, dataset.BitsAllocated + 1))
    put(dataset, "NumberOfFrames", count_frames(dataset))
    _fill_transfer_syntax(dataset)


def _fill_colors(dataset):
    colors = (text(dataset, "PhotometricInterpretation") or "").upper()
    samples = number(dataset, "SamplesPerPixel")
    if not samples:
        samples = 3 if colors.startswith(("RGB", "YBR")) else 1
    if samples not in (1, 3):
        raise ValueError(f"has {samples:.0f} values per pixel; only 1 and 3 can be read")
    put(dataset, "SamplesPerPixel", int(samples))
    if samples == 1 and colors not in ("MONOCHROME1", "PALETTE COLOR"):
        colors = "MONOCHROME2"
    put(dataset, "PhotometricInterpretation", colors or "RGB")


def _fill(dataset, keyword, usual, allowed):
    value = number(dataset, keyword)
    put(dataset, keyword, int(value) if value in allowed else usual)


def _fill_transfer_syntax(dataset):
    """Name the encoding that pydicom found while it read the tags."""
    if not isinstance(get(dataset.file_meta, "TransferSyntaxUID"), str):
        uid = import_extra("pydicom.uid", "DICOM files are read with", "files")
        is_implicit, is_little_endian = dataset.original_encoding
        if is_implicit:
            syntax = uid.ImplicitVRLittleEndian
        else:
            syntax = uid.ExplicitVRLittleEndian if is_little_endian else uid.ExplicitVRBigEndian
        put(dataset.file_meta, "TransferSyntaxUID", syntax)


def count_frames(dataset):
    """Return the number of frames; if that tag is odd, as many as the pixels are enough for."""
    if get(dataset, "NumberOfFrames") is None:
        return 1
    data = next(get(dataset, keyword) for keyword in PIXELS if get(dataset, keyword))
    declared = number(dataset, "NumberOfFrames")
    if declared is not None and declared >= 1:
        if declared > 8 * len(data):
            raise ValueError(f"declares {declared:.0f} frames, but holds {len(data)} bytes")
        return int(declared)
    size = dataset.Rows * dataset.Columns * dataset.SamplesPerPixel * dataset.BitsAllocated
    return max(8 * len(data) // size, 1)


def decode(dataset, index):
    """Return the stored pixels of a frame in native byte order.

    Colours of YBR become RGB. An index of a palette remains one.

    Returns
    -------
    pixels : ndarray of shape (H, W) or (H, W, 3)

    Raises
    ------
    ValueError
        If the pixels are damaged, if no decoder for them is installed, or if their colours are of
        a kind that is not supported.
    """
    syntax = dataset.file_meta.TransferSyntaxUID
    if dataset.BitsAllocated == 1 and not syntax.is_compressed:
        return _unpack_bits(dataset, index)
    pixels, properties = _decode_with_pydicom(dataset, syntax, index)
    colour = properties["photometric_interpretation"]
    if pixels.ndim == 3 and colour != "RGB":
        raise ValueError(f"has colours of the kind {colour}, which is not supported")
    return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)


def _decode_with_pydicom(dataset, syntax, index):
    pydicom_pixels = import_extra("pydicom.pixels", "DICOM files are read with", "files")
    try:
        decoder = pydicom_pixels.get_decoder(syntax)
    except NotImplementedError as error:
        raise ValueError(f"is compressed as {syntax.name}, which is not supported") from error
    if not decoder.is_available:
        raise ValueError(
            f"is compressed as {syntax.name}, and no decoder for it is installed: "
            f"{'; '.join(decoder.missing_dependencies)}. "
            "Install one with: pip install 'sklearn_cae[files]'"
        )
    try:
        return decoder.as_array(dataset, index=index)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # decoders in Rust panic with errors that are no Exception
        reason = " ".join(str(error).split())
        raise ValueError(f"has pixels that cannot be decoded ({syntax.name}): {reason}") from error


def _unpack_bits(dataset, index):
    """Return a frame of one bit a pixel, which may start and end within a byte.

    pydicom 3.0.2 cuts such frames short if it is asked for one of them.
    """
    n = dataset.Rows * dataset.Columns
    start, end = index * n, (index + 1) * n
    data = np.frombuffer(dataset.PixelData, dtype=np.uint8)[start // 8 : -(-end // 8)]
    pixels = np.unpackbits(data, bitorder="little")[start % 8 :][:n]
    if len(pixels) < n:
        raise ValueError(f"is truncated: frame {index} has {len(pixels)} of {n} pixels")
    return pixels.reshape(dataset.Rows, dataset.Columns)


def stored_range(dataset):
    """Return the lowest and the highest value that the declared bits can hold."""
    bits = int(dataset.BitsStored)
    if dataset.PixelRepresentation and bits > 1:
        return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    return 0, 2**bits - 1


def not_padding(stored, dataset):
    """Return where stored pixels are no padding, or None if the file declares none.

    Padding that would leave no pixel counts as none.
    """
    limits = _padding_range(stored, dataset)
    if limits is None:
        return None
    valid = (stored < min(limits)) | (stored > max(limits))
    return valid if valid.any() else None


def _padding_range(stored, dataset):
    prefix = {"float32": "Float", "float64": "DoubleFloat"}.get(stored.dtype.name, "")
    value, other = (
        number(dataset, f"{prefix}PixelPadding{name}") for name in ("Value", "RangeLimit")
    )
    if value is None:
        return None
    values = (value, value if other is None else other)
    return values if prefix else tuple(_as_stored(int(each), dataset) for each in values)


def _as_stored(value, dataset):
    """Return a value with the bits and the sign of the pixels: 63536 is -2000 in 16 bits."""
    bits = int(dataset.BitsStored)
    value &= 2**bits - 1
    return value - 2**bits if dataset.PixelRepresentation and value >= 2 ** (bits - 1) else value


def rescale(stored, dataset, index):
    """Return pixels in the unit of the file, and the range that they can have.

    Parameters
    ----------
    stored : ndarray of shape (H, W)
        Pixels as they are stored.
    dataset : pydicom.Dataset
        The file.
    index : int
        Index of the frame, which may have a slope and an intercept of its own.

    Returns
    -------
    pixels : ndarray of shape (H, W)
        The same array if the file declares no change.
    limits : tuple of float
        The lowest and the highest value that the declared bits can give.
    """
    if (found := read_table(item(dataset, "ModalityLUTSequence"), "LUT", dataset)) is not None:
        table, start, bits = found
        return look_up(stored, table, start), (0.0, 2.0**bits - 1)
    slope, intercept = _slope_and_intercept(dataset, index)
    low, high = sorted(slope * value + intercept for value in stored_range(dataset))
    if (slope, intercept) == (1, 0):
        return stored, (low, high)
    real = stored.astype(np.promote_types(stored.dtype, np.float32))
    return real * real.dtype.type(slope) + real.dtype.type(intercept), (low, high)


def _slope_and_intercept(dataset, index):
    for place in places(dataset, index, "PixelValueTransformationSequence"):
        slope, intercept = number(place, "RescaleSlope"), number(place, "RescaleIntercept")
        if slope is not None or intercept is not None:
            return slope or 1.0, intercept or 0.0  # a slope of 0 would remove the image
    return 1.0, 0.0


def read_table(place, name, dataset):
    """Return a table of values, the value of its first entry, and its bits; None without one.

    The values stand in words of 16 bits, one or two to a word, in the byte order of the file.
    """
    described, values = numbers(place, f"{name}Descriptor", 3), get(place, f"{name}Data")
    if described is None or values is None:
        return None
    n, start, bits = int(described[0]) or 2**16, int(described[1]), int(described[2])
    if isinstance(values, bytes):
        is_wide = len(values) >= 2 * n
        table, bits = _words(values, dataset, is_wide)[:n], bits if is_wide else 8
    else:
        table = np.array(numbers(place, f"{name}Data", min(n, _count(values))) or (), dtype="u2")
    if not table.size:
        return None
    return table, start, min(max(bits, int(table.max()).bit_length()), 16)


def _count(values):
    return len(values) if hasattr(values, "__len__") else 1


def _words(data, dataset, is_wide):
    order = "<" if dataset.file_meta.TransferSyntaxUID.is_little_endian else ">"
    words = np.frombuffer(data[: len(data) // 2 * 2], dtype=f"{order}u2").astype("<u2")
    return words.astype("u2") if is_wide else words.view(np.uint8)


def look_up(pixels, table, start):
    """Return the entries of a table for pixels; those beyond an end take the entry there."""
    if start >= 2**15 and pixels.min() < 0:
        start -= 2**16  # written as an unsigned number
    return table[np.clip(np.rint(pixels).astype(np.int64) - start, 0, len(table) - 1)]


def apply_palette(stored, dataset):
    """Return the colours of a palette, (H, W, 3), and their bits.

    Written here because pydicom 3.0.2 takes indices above 255 modulo 256 if the colours have 8
    bits, and swaps the bytes of colours in files of big endian.
    """
    channels = [
        _read_channel(dataset, f"{color}PaletteColorLookupTable")
        for color in ("Red", "Green", "Blue")
    ]
    if any(channel is None for channel in channels):
        raise ValueError("has indices of a palette, but no whole palette")
    colors = [look_up(stored, table, start) for table, start, _ in channels]
    bits = max(bits for _, _, bits in channels)
    return np.stack(colors, axis=-1).astype(np.uint8 if bits <= 8 else np.uint16), bits


def _read_channel(dataset, name):
    segments = get(dataset, f"Segmented{name}Data")
    described = numbers(dataset, f"{name}Descriptor", 3)
    if segments is None or described is None:
        return read_table(dataset, name, dataset)
    is_wide = described[2] > 8
    table = expand_segments(_words(segments, dataset, is_wide), bytes_each=1 + is_wide)
    return table, int(described[1]), 16 if is_wide else 8


def expand_segments(data, bytes_each):
    """Return the table that discrete, linear and indirect segments describe.

    Parameters
    ----------
    data : ndarray of shape (n,)
        Segments: a kind, a length, and what the kind needs.
    bytes_each : int
        Bytes of an entry; indirect segments point to a byte.

    References
    ----------
    DICOM PS3.3, C.7.9.2 "Segmented Palette Color Lookup Table Data".
    """
    data, table, at = [int(value) for value in data], [], 0
    while at + 2 < len(data):
        if data[at] == 2:
            back = _pointer(data[at + 2 :], bytes_each) // bytes_each
            for _ in range(data[at + 1]):
                back = _expand_segment(data, back, table)
            at += 2 + 4 // bytes_each
        else:
            at = _expand_segment(data, at, table)
    return np.array(table, dtype=np.uint16)


def _expand_segment(data, at, table):
    """Add a discrete or linear segment to a table; return where the next one starts."""
    kind, n, *values = data[at : at + 3] if at + 2 < len(data) else (None, None)
    is_line = kind == 1 and table
    if not (kind == 0 or is_line) or len(table) > 2**16:
        raise ValueError(_NO_SEGMENTS)
    if is_line:
        table += np.rint(np.linspace(table[-1], values[0], n + 1)[1:]).astype(int).tolist()
        return at + 3
    table += data[at + 2 : at + 2 + n]
    return at + 2 + n


def _pointer(entries, bytes_each):
    """Return the byte that an indirect segment points to: two words, the lower one first."""
    if len(entries) * bytes_each < 4:
        raise ValueError(_NO_SEGMENTS)
    if bytes_each == 2:
        low, high = entries[:2]
    else:
        low, high = (entries[i] | entries[i + 1] << 8 for i in (0, 2))
    return low | high << 16
