"""Pictures of Pillow, which is not imported: their modes, and the intensities that they mean."""

import numpy as np

#: Modes whose pixels are intensities already.
_INTENSITIES = {"L", "I", "F", "RGB"}
#: Modes with an alpha channel, by what is left without it.
_WITH_ALPHA = {"LA": "L", "La": "L", "RGBA": "RGB", "RGBa": "RGB"}


def is_picture(X):
    """Whether X is a picture of Pillow."""
    return not isinstance(X, type) and hasattr(X, "getbands") and hasattr(X, "convert")


def picture_to_array(picture, where):
    """Return the intensities of a picture.

    What keeps every intensity is done: a palette is looked up, an alpha channel that is opaque
    everywhere is left out, and 16 bits get the byte order of the machine.

    Parameters
    ----------
    picture : PIL.Image.Image
    where : str
        What an error calls the picture.

    Returns
    -------
    image : ndarray of shape (H, W), or (H, W, 3) for colours

    Raises
    ------
    ValueError
        If pixels are transparent, or the mode means no intensities, as "CMYK" does.
    """
    mode = picture.mode
    if mode in _INTENSITIES:
        return np.asarray(picture)
    if mode == "1":
        return np.asarray(picture.convert("L")) > 0  # its own bytes are 0 and 255, no bools
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
    """Return a picture whose transparency, if there is any, hides nothing."""
    if picture.mode == "P" and not _has_transparency(picture):
        return picture
    if picture.mode == "La":  # whose only way on this is
        picture = picture.convert("LA")
    picture = picture.convert("RGBA")
    if picture.getchannel("A").getextrema() != (255, 255):
        raise ValueError(
            f"Pictures must be opaque, got transparent pixels at {where}: alpha is no intensity. "
            "Paste the picture onto a background, or drop alpha with picture.convert('RGB') or "
            "picture.convert('L')."
        )
    return picture


def _has_transparency(picture):
    return "transparency" in picture.info or picture.palette.mode.endswith("A")


def _is_grey(picture):
    """Whether all colours of a palette are grey, whichever of them the pixels use."""
    palette = np.reshape(picture.getpalette("RGB"), (-1, 3))
    return bool((palette == palette[:, :1]).all())
