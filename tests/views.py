"""What tests of views share."""

import torch

from sklearn_cae.augmentations import ImageViews

NOTHING = {"degrees": 0.0, "min_crop": 1.0, "flip": False, "blur": 0.0, "noise": 0.0}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def only(**options):
    """Views of one transform alone, always applied."""
    return ImageViews(**{**NOTHING, **options}, probability=1.0)


def images(n=16, channels=1, height=28, width=28):
    return torch.rand(n, channels, height, width, generator=seeded(1))
