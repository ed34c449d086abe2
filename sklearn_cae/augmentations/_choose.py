"""Presets of `augmentation=`, and views by a user's own callable."""

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Generator, Tensor

from ._images import ImageViews
from ._vectors import VectorViews
from ._volumes import VolumeViews

#: Views of images and of volumes in which left and right, and intensities, stay as they are.
_GENTLE = ImageViews(degrees=10.0, min_crop=0.8, flip=False, noise=0.05)
_GENTLE_OF_VOLUMES = VolumeViews(degrees=10.0, min_crop=0.8, flip_axes=(), noise=0.05)
#: Presets of `augmentation=`, by name.
PRESETS: dict[str, Callable] = {
    "paper": ImageViews(),
    "xray": _GENTLE,
    "digits": ImageViews(flip=False),
    "vector": VectorViews(),
    # The guide, docs/guide/choosing.md, tells what each of these must not change, and why.
    "slices": _GENTLE,
    "microscopy": ImageViews(
        degrees=180.0,
        min_crop=0.8,
        blur=0.5,
        noise=0.05,
        vertical_flip=True,
        intensity=0.1,
        color=0.1,
        fill="reflection",
    ),
    "fundus": ImageViews(
        degrees=180.0, min_crop=0.8, blur=0.25, noise=0.02, intensity=0.15, color=0.1
    ),
    "skin": ImageViews(
        degrees=180.0,
        min_crop=0.7,
        blur=0.5,
        noise=0.05,
        vertical_flip=True,
        intensity=0.15,
        color=0.1,
        fill="reflection",
    ),
    "ultrasound": ImageViews(degrees=10.0, min_crop=0.8, blur=0.5, noise=0.05, intensity=0.25),
}
#: Presets for volumes. Their names mean for volumes what they mean for images.
_PRESETS_OF_VOLUMES: dict[str, Callable] = {
    "paper": VolumeViews(),
    "slices": _GENTLE_OF_VOLUMES,
    "xray": _GENTLE_OF_VOLUMES,
}
#: Views that fit a kind of samples, and the way out for others.
_FITTING = {
    "images": (ImageViews, "'paper', 'xray' or 'digits'"),
    "volumes": (VolumeViews, "'paper', 'slices', 'xray' or VolumeViews()"),
    "vectors": (VectorViews, "'vector', or set image_shape"),
}


def choose_views(augmentation: str | Callable, kind: str) -> Callable:
    """Return the preset of a name, or wrap a user's own callable with the signature of a preset.

    The kind of the samples is "images", "volumes" or "vectors". A user's own callable is called
    once for the first views and once for the second ones. If it has a method `set_random_state`, a
    copy of it is seeded for each batch.
    """
    name = augmentation
    if isinstance(name, type):
        raise TypeError(
            f"augmentation must be a preset or a callable on a batch, got the class "
            f"{name.__name__}. Pass {name.__name__}()."
        )
    if name == "paper" and kind == "vectors":
        name = "vector"  # the default for vectors
    if not callable(name) and name not in list(PRESETS):  # a list, because name may be unhashable
        raise ValueError(
            f"augmentation must be one of {sorted(PRESETS)}, or a callable, got {name!r}."
        )
    presets = {**PRESETS, **_PRESETS_OF_VOLUMES} if kind == "volumes" else PRESETS
    views = presets[name] if isinstance(name, str) else name
    if not are_own_views(views):
        fitting, way_out = _FITTING[kind]
        if not isinstance(views, fitting):
            raise ValueError(f"augmentation must fit {kind}, got {name!r}. Pass {way_out}.")
        return views
    if hasattr(views, "set_random_state"):
        return partial(_seed_and_apply_own, copy.deepcopy(views))
    return partial(_apply_own, views)


def are_own_views(augmentation: str | Callable) -> bool:
    """Return whether views are a user's own callable, which may draw from global generators."""
    return not isinstance(augmentation, (str, ImageViews, VectorViews, VolumeViews))


def _seed_and_apply_own(augmentation: Any, samples: Tensor, generator: Generator) -> Tensor:
    # Seed each batch, so that a fit that resumes from a checkpoint draws the same views.
    seed = int(torch.randint(2**31, (), generator=generator))
    augmentation.set_random_state(seed=seed)
    return _apply_own(augmentation, samples, generator)


def _apply_own(augmentation: Callable, samples: Tensor, generator: Generator) -> Tensor:
    views = [augmentation(half) for half in samples.chunk(2)]
    wanted = (len(samples) // 2, *samples.shape[1:])
    for view in views:
        got = tuple(view.shape) if isinstance(view, torch.Tensor) else type(view).__name__
        if got != wanted:
            raise ValueError(
                f"augmentation must return a tensor of the shape of its batch, {wanted}, got "
                f"{got}. Change the callable."
            )
        if not view.is_floating_point():
            raise ValueError(
                f"augmentation must return floats, like its batch, got {view.dtype}. Change the "
                "callable."
            )
    return torch.cat(views).to(samples.device, samples.dtype)
