"""Intensities of Pillow pictures by their mode, without an import of Pillow."""

import numpy as np

#: Modes whose pixels are intensities.
_INTENSITIES = {"L", "I", "F", "RGB"}
#: Modes with an alpha channel, and the mode without it.
_WITH_ALPHA = {"LA": "L", "La": "L", "RGBA": "RGB", "RGBa": "RGB"}


def is_picture(X):
    """Return whether X is a Pillow picture."""
    return not isinstance(X, type) and hasattr(X, "getbands") and hasattr(X, "convert")


def picture_to_array(picture, where):
    """Return the intensities of a picture.

    Conversions are lossless: a palette is looked up, an opaque alpha channel is dropped, and 16
    bits get the byte order of the machine.

    Parameters
    ----------
    picture : PIL.Image.Image
        Picture to convert.
    where : str
        Name of the picture in messages.

    Returns
    -------
    image : ndarray of shape (H, W), or (H, W, 3) for colours

    Raises
    ------
    ValueError
        If pixels are transparent, or the mode has no intensities, such as "CMYK".
    """
    mode = picture.mode
    if mode in _INTENSITIES:
        return np.asarray(picture)
    if mode == "1":
        return np.asarray(picture.convert("L")) > 0  # np.asarray(picture) holds 0 and 255 as bool
    if mode.startswith("I;16"):
        return np.asarray(picture).astype(np.uint16)
    if mode in _WITH_ALPHA:
        return np.asarray(_opaque(picture, where).convert(_WITH_ALPHA[mode]))
    if mode in ("P", "PA"):
        colors = np.asarray(_opaque(picture, where).convert("RGB"))
        return colors[..., 0] if _is_grey(picture) else colors
    raise ValueError(
        f"Pictures must be grey or RGB, got mode {mode!r} at {where}. Pass picture.convert('RGB') "
        "or picture.convert('L')."
    )


def _opaque(picture, where):
    """Return the picture with alpha if it has one; raise if pixels are transparent."""
    if picture.mode == "P" and not _has_transparency(picture):
        return picture
    if picture.mode == "La":  # which Pillow converts only to LA
        picture = picture.convert("LA")
    picture = picture.convert("RGBA")
    if picture.getchannel("A").getextrema() != (255, 255):
        raise ValueError(
            f"Pictures must be opaque, got transparent pixels at {where}. Alpha is no intensity. "
            "Paste the picture onto a background, or drop alpha with picture.convert('RGB') or "
            "picture.convert('L')."
        )
    return picture


def _has_transparency(picture):
    return "transparency" in picture.info or picture.palette.mode.endswith("A")


def _is_grey(picture):
    """Return whether all colours of a palette are grey, also those that no pixel uses."""
    palette = np.reshape(picture.getpalette("RGB"), (-1, 3))
    return bool((palette == palette[:, :1]).all())
