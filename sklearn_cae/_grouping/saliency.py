"""Pixels or voxels that pull a sample to the prototype of its cluster."""

import numpy as np
import torch
from scipy import ndimage

_SMOOTH = 1 / 32  # of a side: strided convolutions leave a pattern of single pixels


class Pull(torch.nn.Module):
    """Gradient of the cosine of each image to the prototype of its own cluster.

    Parameters
    ----------
    encoder : Module
        Network from images to embeddings.
    find_labels, compare : callable
        Functions from embeddings on the CPU to clusters, and to cosines to the prototypes.
    """

    def __init__(self, encoder, find_labels, compare):
        super().__init__()
        self.encoder, self.find_labels, self.compare = encoder, find_labels, compare

    def forward(self, images):
        """Return the size of the gradient at each pixel (n, H, W) of images (n, C, H, W).

        Volumes have an axis D before H.
        """
        with torch.enable_grad():
            images = images.detach().requires_grad_()
            embedding = self.encoder(images).cpu()
            if not embedding.requires_grad:
                raise ValueError(
                    "saliency needs the gradient of the encoder, but its forward computes none. "
                    "Remove torch.no_grad from it; to keep weights fixed, use requires_grad_(False)"
                    "."
                )
            labels = self.find_labels(embedding.detach())
            own = self.compare(embedding).gather(1, labels[:, None])
            (gradient,) = torch.autograd.grad(own.sum(), images)
        return gradient.abs().sum(dim=1)


def to_maps(gradients):
    """Smooth gradients (n, ..., H, W), scale each map to a maximum of 1; zeros stay zeros."""
    sigma = [0, *(side * _SMOOTH for side in gradients.shape[1:])]
    maps = ndimage.gaussian_filter(gradients, sigma)
    highest = maps.max(axis=tuple(range(1, maps.ndim)), keepdims=True)
    return np.divide(maps, highest, out=np.zeros_like(maps), where=highest > 0)
