"""Pictures in data URIs, which a page shows without other files."""

import base64
import io

import numpy as np

from .._input.slices import N_SLICES, are_volumes
from ..plotting._pictures import lay_out, to_pictures, with_channels

_HEAT, _OPAQUE = np.array([255.0, 60.0, 0.0]), 0.8


def to_thumbnails(images, limits, side):
    """Convert images to pictures of at most `side` x `side` pixels; small ones keep their size.

    Parameters
    ----------
    images : array-like of shape (n, H, W), (n, C, H, W) or (n, H, W, C), or of volumes
        Images. The picture of a volume is its three middle slices, each of at most this size.
    limits : tuple of float
        Intensities that become black and white.
    side : int
        Maximum number of pixels per side.

    Returns
    -------
    thumbnails : list of PIL images
        Pictures, in gray if all channels are equal in all images.
    """
    from PIL import Image

    pixels = (255 * to_pictures(images, limits)).round().astype(np.uint8)
    is_gray = (pixels == pixels[..., :1]).all()
    thumbnails = [Image.fromarray(each[..., 0] if is_gray else each) for each in pixels]
    box = (side, N_SLICES * side if are_volumes(images) else side)
    for thumbnail in thumbnails:
        thumbnail.thumbnail(box)
    return thumbnails


def to_slices(volume, limits, side, most):
    """Convert a volume to pictures of its slices across D, from the first to the last.

    Parameters
    ----------
    volume : ndarray of shape (D, H, W), (C, D, H, W) or (D, H, W, C)
        Volume.
    limits : tuple of float
        Intensities that become black and white.
    side : int
        Maximum number of pixels per side.
    most : int
        Maximum number of slices, at least 2. Of more, so many are taken at equal distances.

    Returns
    -------
    slices : list of PIL images
    """
    slices = with_channels(volume[None])[0]
    n = min(most, len(slices))
    return to_thumbnails(slices[np.arange(n) * (len(slices) - 1) // (n - 1)], limits, side)


def to_sheet(thumbnails):
    """Combine pictures of the same size in one sheet, in rows.

    Parameters
    ----------
    thumbnails : list of PIL images, at least one
        Pictures of the same size.

    Returns
    -------
    sheet : PIL image
        All pictures in one.
    n_columns : int
        Number of pictures per row.
    """
    from PIL import Image

    width, height = thumbnails[0].size
    n_columns = int(np.ceil(np.sqrt(len(thumbnails))))
    n_rows = -(-len(thumbnails) // n_columns)
    mode = "RGB" if any(each.mode == "RGB" for each in thumbnails) else "L"
    sheet = Image.new(mode, (n_columns * width, n_rows * height))
    for i, thumbnail in enumerate(thumbnails):
        sheet.paste(thumbnail, (i % n_columns * width, i // n_columns * height))
    return sheet, n_columns


def to_heat(picture, saliency, side):
    """Draw what is salient in red over a picture.

    Parameters
    ----------
    picture : PIL image
        Picture as the network saw it.
    saliency : ndarray of shape (H, W) or (D, H, W)
        Saliency in [0, 1].
    side : int
        Longest side of the result in pixels; of a volume, that of a slice.

    Returns
    -------
    heat : PIL image
        Picture in gray, with red where the saliency is high: its square, so that low saliency does
        not veil the picture.
    """
    from PIL import Image

    side *= N_SLICES if saliency.ndim == 3 else 1
    saliency = np.nan_to_num(lay_out(saliency[None])[0, ..., 0])
    scale = side / max(picture.size)
    size = tuple(max(1, round(scale * length)) for length in picture.size)
    gray = np.asarray(picture.convert("L").resize(size, Image.Resampling.BICUBIC), dtype=float)
    heat = Image.fromarray(saliency.astype(np.float32)).resize(size, Image.Resampling.BICUBIC)
    share = _OPAQUE * np.square(np.asarray(heat).clip(0, 1))[..., None]
    return Image.fromarray(((1 - share) * gray[..., None] + share * _HEAT).astype(np.uint8))


def to_data_uri(picture):
    """Encode a picture as a PNG data URI.

    Parameters
    ----------
    picture : PIL image
        Picture to encode.

    Returns
    -------
    uri : str
        Data URI.
    """
    return _encode(picture, "PNG")


def to_jpeg_uri(picture):
    """Encode a picture as a JPEG data URI, which is smaller.

    Parameters
    ----------
    picture : PIL image
        Picture to encode.

    Returns
    -------
    uri : str
        Data URI.
    """
    return _encode(picture, "JPEG", quality=85)


def _encode(picture, kind, **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"
