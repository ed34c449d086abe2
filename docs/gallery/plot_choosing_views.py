"""
Choose views before training
============================

A view is a random change of an image after which it should still be the same image. The choice of
views is the one place where this method is told what does *not* matter. So look at them first.
"""

from sklearn_cae.datasets import load_pneumoniamnist, make_toy_images
from sklearn_cae.plotting import AugmentationDisplay

try:  # leave download_if_missing out to have the file downloaded
    X = load_pneumoniamnist(download_if_missing=False).data[:6]
except (ImportError, OSError):
    print("PneumoniaMNIST is not at hand: toy shapes stand in for the X-rays.")
    X = make_toy_images(6, n_classes=6, image_size=28, random_state=0).data

_ = AugmentationDisplay.from_images(X, "paper", n_images=4)

# %%
# The paper's views rotate by up to 30 degrees, crop to half of the area, mirror, blur and add
# noise. In a mirrored chest the heart is on the other side, and a crop can lose a part of a lung.

_ = AugmentationDisplay.from_images(X, "xray", n_images=4)

# %%
# The preset for X-rays is gentler, and never mirrors. For images in which no direction is special,
# such as cells or histology, a view may turn them by any angle. That is a function of your own: it
# takes a batch, a tensor (n, C, H, W) in [0, 1], and returns one of the same shape.

import torch


def quarter_turns(batch):
    """Turn each image by 0, 90, 180 or 270 degrees, and add a little noise."""
    turns = torch.randint(4, (len(batch),)).tolist()
    turned = torch.stack([image.rot90(k, (1, 2)) for image, k in zip(batch, turns, strict=True)])
    return (turned + 0.05 * torch.randn(batch.shape, device=batch.device)).clamp(0, 1)


_ = AugmentationDisplay.from_images(X, quarter_turns, n_images=4)

# %%
# What views take away
# --------------------
# Toy images of discs, and of bars in two directions, fitted twice: with gentle views, and with
# quarter turns, after which horizontal bars are vertical ones.

import pandas as pd

from sklearn_cae import ContrastiveAutoencoderClusterer

toy = make_toy_images(400, n_classes=4, image_size=28, random_state=0)
without_crosses = toy.target != 1
names = toy.target_names[toy.target[without_crosses]]
tables = {}
for name, views in {"xray": "xray", "quarter_turns": quarter_turns}.items():
    clusterer = ContrastiveAutoencoderClusterer(
        n_clusters=3,
        augmentation=views,
        warm_up_epochs=15,
        conditioning_epochs=0,
        batch_size=64,
        optimizer="adamw",
        random_state=0,
    ).fit(toy.data[without_crosses])
    tables[name] = pd.crosstab(names, clusterer.labels_)
pd.concat(tables, axis=1)

# %%
# Under quarter turns the two kinds of bars are one thing, and whatever the third cluster divides,
# it is not them. No later step brings back what the views took away. Nor do scores without labels
# tell: they measure how well the groups are separated that the views have left.
