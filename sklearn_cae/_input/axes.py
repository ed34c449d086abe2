"""Axes of an image: the position of its channels, and the allowed length of its sides."""

CHANNELS = range(1, 5)
SIDES = range(8, 257)


def has_channels_last(shape, name="X"):
    """Return whether the last of three axes, and not the first, is the channels.

    Raises
    ------
    ValueError
        If both of these axes could be the channels, or neither.
    """
    first, last = shape[0] in CHANNELS, shape[2] in CHANNELS
    if first == last:
        problem = "Both the first and the last" if first else "Neither the first nor the last"
        raise ValueError(
            f"{name} must have {CHANNELS[0]} to {CHANNELS[-1]} channels first, (n, C, H, W), or "
            f"last, (n, H, W, C). {problem} axis of an image of shape {shape} could be the "
            f"channels. Pass {name} with one axis of channels and sides of at least 8 pixels. Pass "
            "slices or projections of volumes."
        )
    return last
