"""The recommended setting, whose groups are better than with the paper's setting."""

from difflib import get_close_matches
from numbers import Integral
from typing import Any

from sklearn.utils import check_scalar

from ._input.axes import CHANNELS, SIDES, VOLUME_SIDES, has_channels_last
from .clusterers import CommunityClusterer
from .modules import DeepDecoder, LogScattering, UnpooledEncoder

#: Kinds of images, each with a preset of views of the same name.
MODALITIES = ("fundus", "microscopy", "skin", "slices", "ultrasound", "xray")
#: Those of them that volumes have.
_OF_VOLUMES = ("slices", "xray")
#: Other words for them, among them DICOM's, and what they are here.
_OTHER_WORDS = {
    **dict.fromkeys(("ct", "mr", "mri", "pt", "pet", "oct", "tomography"), "slices"),
    **dict.fromkeys(("cr", "dx", "mg", "radiograph", "mammography"), "xray"),
    **dict.fromkeys(("sm", "histology", "pathology", "cytology", "cells"), "microscopy"),
    **dict.fromkeys(("op", "retina", "ophthalmology"), "fundus"),
    **dict.fromkeys(("xc", "dermoscopy", "dermatology"), "skin"),
    **dict.fromkeys(("us", "sonography", "echocardiography"), "ultrasound"),
}
_BATCHES = 50  # per epoch; with more than these, the batch size is doubled
#: Samples that the warm-up sees, and its most epochs, if an encoder is trained on images.
_LONG = 320_000, 200
#: The same for volumes, whose epochs take far longer.
_SHORT = 80_000, 100
#: Samples that the conditioning sees with a fixed encoder, its most and its least epochs.
_CONDITIONING = 16_000, 100, 6
_EPOCHS_OF_CORRECTION = 20
#: With more images than this, training is worth its time, if the images are small.
_FEW = 2000
_SMALL = 32


def recommended(
    n_samples, *, image_shape=None, modality=None, nuisance=False, **changes
) -> dict[str, Any]:
    """Return the recommended parameters for a number, and a kind, of images.

    The default parameters of the estimator are the paper's setting. The recommended setting leads
    to better groups in the project's benchmarks. It whitens the embedding, finds communities and
    their number, refines them so that neighbours agree, and uses gentle augmentations.

    Up to 2000 images, or if `image_shape` has a side of more than 32 pixels, the encoder is not
    trained: it is a wavelet scattering, `LogScattering`, and only the decoder is trained, which is
    faster. Otherwise, and for volumes, an encoder without pooling is trained. A larger
    `reconstruction_weight`, with AdamW, then makes decoded images sharper.

    The number of images determines the batch size and the epochs. The warm-up has 320 000 /
    `n_samples` epochs, at least 20 and at most 200; for volumes 80 000 / `n_samples`, at least 20
    and at most 100. The conditioning has a third of that. With an encoder that is not trained, the
    conditioning has 16 000 / `n_samples` epochs, at least 6 and at most 100, and the warm-up a
    quarter of that.

    Parameters
    ----------
    n_samples : int
        Number of training images, at least 2.
    image_shape : tuple of int, default=None
        Shape of one image in `X`, such as ``X.shape[1:]``: (H, W), (C, H, W) or (H, W, C) in
        pixels. It chooses the encoder, and is passed to the estimator. Volumes have (C, D, H, W),
        or (D, H, W) and `spatial_dims=3` among the changes.
    modality : {"fundus", "microscopy", "skin", "slices", "ultrasound", "xray"}, default=None
        Kind of the images. It chooses the augmentation of the same name. None is the same as
        "xray", the gentlest one. "slices" are those of CT and MRI, and "microscopy" is histology
        and cells. Volumes have only "slices" and "xray".
    nuisance : bool, default=False
        Whether a `nuisance` is passed to `fit`. Then the encoder is not trained, for any number of
        images, because it ignores more of the nuisance. For volumes, or with `train_encoder`, it is
        trained.
    **changes
        Parameters of `ContrastiveAutoencoderClusterer` to replace or to add. Set `train_encoder` to
        choose between the two encoders, or `encoder` to pass your own. `variational` and
        ``output="projection"`` need an encoder that is trained, and choose it. Set `augmentation`,
        and not `modality`, if no preset fits your images. Set `n_clusters` if the number of groups
        is known; if there are too many communities, those with the strongest links are then merged.
        There are fewer groups if the refinement empties some.

    Returns
    -------
    params : dict
        Parameters of `ContrastiveAutoencoderClusterer`.

    Raises
    ------
    TypeError
        If `n_samples` or a side is not a whole number.
    ValueError
        If `n_samples`, `image_shape` or `modality` is none of the above, if volumes have no such
        `modality`, if both `modality` and `augmentation` are given, or if `nuisance` is combined
        with `variational`.

    Examples
    --------
    >>> from sklearn_cae import ContrastiveAutoencoderClusterer, recommended
    >>> clusterer = ContrastiveAutoencoderClusterer(**recommended(500), random_state=0)
    >>> clusterer.n_clusters, clusterer.batch_size, clusterer.warm_up_epochs
    ('auto', 64, 8)
    >>> recommended(500, n_clusters=4)["n_clusters"]
    4
    >>> recommended(500, modality="microscopy")["augmentation"]
    'microscopy'
    """
    if hasattr(n_samples, "__len__"):
        raise TypeError(
            "n_samples must be the number of images, got the images themselves, a "
            f"{type(n_samples).__name__}. Pass their len()."
        )
    check_scalar(n_samples, "n_samples", Integral, min_val=2)
    if image_shape is not None:
        changes = {**_check_shape(image_shape, changes), **changes}
    are_volumes = changes.get("spatial_dims") == 3
    if modality is not None:
        changes["augmentation"] = _choose_augmentation(modality, changes, are_volumes)
    if nuisance:
        _check_for_nuisance(changes)
        if not (are_volumes or _needs_training(changes)):
            changes = {"train_encoder": False, **changes}
    networks = {**_choose_networks(n_samples, changes), **changes}
    is_trained = networks.get("train_encoder", True)
    return {
        "n_clusters": "auto",
        "clusterer": CommunityClusterer(),
        "temperature": 0.2,
        "reconstruction_weight": 10.0,
        **_choose_epochs(n_samples, is_trained, are_volumes),
        "batch_size": _choose_batch_size(n_samples),
        "optimizer": "adamw",
        "learning_rate": 2e-3 if is_trained else 4e-3,
        "augmentation": "xray",
        "whiten": True,
        **networks,
    }


def _choose_networks(n_samples, changes):
    """Return the networks for a number of images, and for their shape, if it is known.

    The user may choose the encoder, or whether it is trained.
    """
    if "encoder" in changes:
        return {}
    sides = [side for side in changes.get("image_shape") or () if side not in CHANNELS]
    is_large = any(side > _SMALL for side in sides)
    is_for_fixed = is_large or n_samples <= _FEW
    is_trained = changes.get("train_encoder", not is_for_fixed or _needs_training(changes))
    if changes.get("spatial_dims") == 3 or is_trained:
        return {"encoder": UnpooledEncoder}
    return {"encoder": LogScattering, "train_encoder": False, "decoder": DeepDecoder}


def _needs_training(changes):
    """Return whether parameters need an encoder that is trained."""
    return bool(changes.get("variational") or changes.get("output") == "projection")


def _check_for_nuisance(changes):
    """Raise if parameters need the basis of the embedding that was trained."""
    if changes.get("variational"):
        raise ValueError(
            "nuisance=True needs variational=False, because a nuisance is removed from the "
            f"basis of the embedding, got {changes['variational']!r}. Leave one of them out."
        )


def _choose_epochs(n_samples, is_trained, are_volumes):
    """Return the epochs of the phases.

    With a fixed encoder, the refinement changes the embedding that the decoder has learned to read.
    So most of the decoder's epochs come after it.
    """
    if not is_trained:
        seen, most, least = _CONDITIONING
        conditioning = min(max(round(seen / n_samples), least), most)
        warm_up, refinement = conditioning // 4, _EPOCHS_OF_CORRECTION
    else:
        seen, most = _SHORT if are_volumes else _LONG
        warm_up = min(max(round(seen / n_samples), 20), most)
        refinement, conditioning = warm_up // 2, warm_up // 3
    return {
        "warm_up_epochs": warm_up,
        "refinement_epochs": refinement,
        "conditioning_epochs": conditioning,
    }


def _choose_batch_size(n_samples):
    """Return the number of images in a batch."""
    batch_size = 64
    while batch_size < 256 and batch_size * _BATCHES < n_samples:
        batch_size *= 2
    return batch_size


def _choose_augmentation(modality, changes, are_volumes):
    """Return the preset of a kind of images or volumes."""
    if "augmentation" in changes:
        raise ValueError(
            "modality chooses the augmentation, so only one of them can be given, got modality="
            f"{modality!r} and augmentation={changes['augmentation']!r}. Leave one out."
        )
    if modality not in MODALITIES:
        words = {**dict(zip(MODALITIES, MODALITIES, strict=True)), **_OTHER_WORDS}
        word = str(modality).lower()
        close = [word] if word in words else get_close_matches(word, words)
        names = list(dict.fromkeys(repr(words[word]) for word in close))
        way_out = f"Did you mean {' or '.join(names)}?" if names else "Or pass an augmentation."
        raise ValueError(
            f"modality must be one of {list(MODALITIES)} or None, got {modality!r}. {way_out}"
        )
    if are_volumes and modality not in _OF_VOLUMES:
        raise ValueError(
            f"modality must be one of {list(_OF_VOLUMES)} or None for volumes, got {modality!r}. "
            "Pass one of these, or an augmentation of volumes, such as VolumeViews()."
        )
    return modality


def _check_shape(image_shape, changes):
    """Return the parameters of a shape; raise if no image has it."""
    try:
        shape = tuple(image_shape)
    except TypeError:
        raise TypeError(
            f"image_shape must be a tuple, such as X.shape[1:], got {image_shape!r}."
        ) from None
    if not all(isinstance(side, Integral) for side in shape):
        raise TypeError(f"image_shape must be integers, got {shape}. Pass the sides in pixels.")
    n_axes = 3 if len(shape) == 4 else changes.get("spatial_dims", 2)
    if n_axes == 3:
        kind, axes, allowed, unit = "volume", "D, H, W", VOLUME_SIDES, "voxels"
    else:
        kind, axes, allowed, unit = "image", "H, W", SIDES, "pixels"
    if len(shape) not in (n_axes, n_axes + 1):
        raise ValueError(
            f"image_shape must be the shape of one {kind}, ({axes}), (C, {axes}) or ({axes}, C), "
            f"got {shape}. Pass X.shape[1:]."
        )
    sides = shape
    if len(shape) > n_axes:
        sides = shape[:-1] if has_channels_last(shape, "image_shape") else shape[1:]
    if not all(side in allowed for side in sides):
        raise ValueError(
            f"image_shape must have sides of {allowed[0]} to {allowed[-1]} {unit}, got {shape}. "
            "Resize or crop them."
        )
    return {"image_shape": image_shape} | ({"spatial_dims": 3} if n_axes == 3 else {})
