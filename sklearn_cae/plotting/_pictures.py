"""Images, axes and styles that the displays share."""

import numpy as np

from .._input.axes import has_channels_last
from .._input.slices import are_volumes, middle_slices, stack
from .._utils.extras import import_extra

# Okabe and Ito's colour-blind-safe palette without its yellow, which is too faint on white.
COLORS = ["#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#000000"]
MARKERS = ["o", "^", "s", "D", "v", "P", "X"]


def check_matplotlib():
    """Raise an ImportError that names the extra if matplotlib is not installed."""
    import_extra("matplotlib", "Pictures are drawn with", "plot")


# ---- Images ----


def as_images(X, estimator):
    """Reshape flat rows to images."""
    X = np.asarray(X)
    if X.ndim > 2:
        return X
    if estimator.image_shape_ is None:
        raise ValueError(
            "Only images can be drawn, but the estimator was fitted on vectors. If the rows are "
            "images, fit with image_shape=(channels, height, width)."
        )
    return X.reshape(len(X), *estimator.image_shape)


def find_range(images):
    return float(np.min(images)), float(np.max(images))  # their type may overflow in high - low


def find_contrast(images):
    """Return the range in which images of low contrast differ most, as they are drawn."""
    images = lay_out(images)
    low, high = np.nanpercentile(images, [1, 99])
    if low < high:
        return float(low), float(high)
    return float(np.nanmin(images)), float(np.nanmax(images))


def lay_out(images):
    """Return images as they are drawn: floats of shape (n, H, W, C).

    Volumes become pictures of their middle slices, with NaN where no slice is.
    """
    images = np.asarray(images)
    if are_volumes(images):
        return stack(middle_slices(with_channels(images)))
    if images.ndim not in (3, 4):
        raise ValueError(
            "Images must have shape (n, H, W), (n, C, H, W) or (n, H, W, C), and volumes (n, D, H, "
            f"W), (n, C, D, H, W) or (n, D, H, W, C), with 1 to 4 channels, got {images.shape}. "
            "Reshape flat rows first."
        )
    return (images[..., None] if images.ndim == 3 else _channels_last(images)).astype(float)


def with_channels(volumes):
    """Return volumes of shape (n, D, H, W, C)."""
    return volumes[..., None] if volumes.ndim == 4 else _channels_last(volumes)


def _channels_last(images):
    last = has_channels_last(images.shape[1:], "images")
    return images if last else np.moveaxis(images, 1, -1)


def to_pictures(images, limits):
    """Scale images to 0..1, of shape (n, H, W, 3). Gaps between slices are white."""
    low, high = limits
    images = np.nan_to_num(((lay_out(images) - low) / ((high - low) or 1)).clip(0, 1), nan=1)
    return images if images.shape[-1] == 3 else images.mean(axis=-1, keepdims=True).repeat(3, -1)


def to_differences(images):
    """Return differences as pictures from blue to red, (n, H, W, 3), and their colour scale.

    The scale ends at the 99th percentile, because a single pixel may differ far more.
    """
    from matplotlib import cm, colors

    images = lay_out(images).mean(axis=-1)
    sizes = abs(images[~np.isnan(images)])
    high = np.percentile(sizes, 99) or sizes.max() or 1
    scale = cm.ScalarMappable(colors.CenteredNorm(0, high), "RdBu_r")
    pictures = scale.cmap(scale.norm(images))[..., :3]
    pictures[np.isnan(images)] = 1
    return pictures, scale


def to_block(rows, limits):
    """Stack rows of images to shape (n_rows, n_columns, H, W, 3), with NaN behind short rows."""
    filled = {i: to_pictures(row, limits) for i, row in enumerate(rows) if len(row)}
    longest = max(filled.values(), key=len)
    block = np.full((len(rows), *longest.shape), np.nan)
    for i, pictures in filled.items():
        block[i, : len(pictures)] = pictures
    return block


# ---- Axes ----


def make_axes(ax, n_panels, *, width, height):
    """Return a new figure with at most three panels a row, or the figure of `ax`, and the axes."""
    if ax is None:
        import matplotlib.pyplot as plt

        n_rows = -(-n_panels // 3)
        shape = (n_rows, -(-n_panels // n_rows))
        size = (width * shape[1], height * n_rows)
        figure, axes = plt.subplots(*shape, figsize=size, squeeze=False, layout="compressed")
        for spare in axes.ravel()[n_panels:]:
            spare.remove()
        return figure, axes.ravel()[:n_panels]
    axes = np.ravel(np.asarray(ax, dtype=object))
    if len(axes) != n_panels:
        raise ValueError(f"ax must hold {n_panels} matplotlib Axes, got {len(axes)}.")
    return axes[0].figure, axes


def label(panel, xlabel, ylabel):
    panel.set(xlabel=xlabel, ylabel=ylabel)
    panel.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    panel.spines[["top", "right"]].set_visible(False)


def styles(label_arrays):
    """Return the colour and marker of every label, in sorted order."""
    names = dict.fromkeys(str(label) for labels in label_arrays for label in np.unique(labels))
    n_colors = len(COLORS)
    return {
        name: (COLORS[i % n_colors], MARKERS[i // n_colors % len(MARKERS)])
        for i, name in enumerate(names)
    }


def draw_mosaic(ax, blocks, row_labels):
    """Draw blocks of pictures side by side as one image, with a title above each.

    Pictures have thin outlines, because white ones would vanish on white.
    """
    n_rows, _, height, width, _ = next(iter(blocks.values())).shape
    pad, gap = max(1, width // 14), width // 2
    strips, centres, corners, right = [], [], [], 0
    for block in blocks.values():
        rows, columns = np.nonzero(~np.isnan(block[:, :, 0, 0, 0]))
        corners += [(right + columns * (width + 2 * pad) + pad, rows * (height + 2 * pad) + pad)]
        block = np.where(np.isnan(block), 1, block)
        block = np.pad(block, [(0, 0), (0, 0), (pad, pad), (pad, pad), (0, 0)], constant_values=1)
        strip = block.swapaxes(1, 2).reshape(n_rows * (height + 2 * pad), -1, 3)
        centres.append(right + strip.shape[1] / 2)
        strips += [strip, np.ones((len(strip), gap, 3))]
        right += strip.shape[1] + gap
    canvas = np.hstack(strips[:-1])
    inches = 0.62 / (width + 2 * pad)
    figure, axes = make_axes(
        ax, 1, width=canvas.shape[1] * inches + 2, height=canvas.shape[0] * inches + 0.5
    )
    axes[0].imshow(canvas, interpolation="nearest")
    _outline(axes[0], np.hstack(corners).T - 0.5, width, height)
    axes[0].set_xticks(centres, list(blocks))
    axes[0].set_yticks((np.arange(n_rows) + 0.5) * (height + 2 * pad), row_labels, fontsize=9)
    axes[0].xaxis.tick_top()
    axes[0].tick_params(length=0)
    axes[0].spines[:].set_visible(False)
    return figure, axes[0]


def _outline(panel, corners, width, height):
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    frames = [Rectangle(corner, width, height) for corner in corners]
    look = {"facecolor": "none", "edgecolor": "0.75", "linewidth": 0.5}
    panel.add_collection(PatchCollection(frames, **look), autolim=False)
