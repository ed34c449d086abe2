"""Small pictures as text: PNG in data URIs, which a page shows without another file."""

import base64
import io

import numpy as np

from ..plotting._pictures import to_pictures


def to_thumbnails(images, limits, side):
    """Turn images into pictures of at most `side` x `side` pixels; small ones stay as they are.

    Parameters
    ----------
    images : array-like of shape (n, H, W), (n, C, H, W) or (n, H, W, C)
    limits : tuple of float
        What is black and what is white.
    side : int

    Returns
    -------
    thumbnails : list of PIL images
        Gray where all channels are equal.
    """
    from PIL import Image

    pixels = (255 * to_pictures(images, limits)).round().astype(np.uint8)
    is_gray = (pixels == pixels[..., :1]).all()
    thumbnails = [Image.fromarray(each[..., 0] if is_gray else each) for each in pixels]
    for thumbnail in thumbnails:
        thumbnail.thumbnail((side, side))
    return thumbnails


def to_sheet(thumbnails):
    """Put pictures of one size on one sheet, in rows.

    Parameters
    ----------
    thumbnails : list of PIL images, at least one

    Returns
    -------
    sheet : PIL image
    n_columns : int
        Pictures a row.
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


def to_data_uri(picture):
    """Write a picture as PNG into a data URI.

    Parameters
    ----------
    picture : PIL image

    Returns
    -------
    uri : str
    """
    file = io.BytesIO()
    picture.save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
