"""The axes of an image: where its channels are, and how long its sides may be."""

CHANNELS = range(1, 5)
SIDES = range(8, 257)


def has_channels_last(shape, name="X"):
    """Return whether the last of an image's three axes, not the first, holds its channels.

    Raises
    ------
    ValueError
        If both could hold them, or neither.
    """
    first, last = shape[0] in CHANNELS, shape[2] in CHANNELS
    if first == last:
        problem = "Both the first and the last" if first else "Neither the first nor the last"
        raise ValueError(
            f"{name} must have {CHANNELS[0]} to {CHANNELS[-1]} channels first, (n, C, H, W), or "
            f"last, (n, H, W, C). {problem} axis of an image of shape {shape} could be the "
            f"channels. Pass {name} with one axis of channels, and sides of at least 8 pixels; of "
            "volumes, slices or projections."
        )
    return last
