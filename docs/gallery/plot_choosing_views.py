"""
Choose views before training
============================

Look at the views before you train. A view is an image after a random change, the augmentation. The
augmentation tells the method what does *not* matter, and no other parameter does.
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
# The paper's augmentation rotates by up to 30 degrees, crops to half of the area, mirrors, blurs
# and adds noise. In a mirrored chest the heart is on the wrong side, and a crop can remove a part
# of a lung.

_ = AugmentationDisplay.from_images(X, "xray", n_images=4)

# %%
# The preset (augmentation with a name) for X-rays makes smaller changes, and never mirrors. Images
# without a direction, such as cells or histology, may be rotated by any angle. You can also write
# your own function. It receives a batch, a tensor (n, C, H, W) with values in [0, 1], and returns a
# batch of the same shape.

import torch


def quarter_turns(batch):
    """Rotate each image by 0, 90, 180 or 270 degrees, and add a little noise."""
    turns = torch.randint(4, (len(batch),)).tolist()
    turned = torch.stack([image.rot90(k, (1, 2)) for image, k in zip(batch, turns, strict=True)])
    return (turned + 0.05 * torch.randn(batch.shape, device=batch.device)).clamp(0, 1)


_ = AugmentationDisplay.from_images(X, quarter_turns, n_images=4)

# %%
# Lost differences
# ----------------
# Toy images of discs, and of bars in two directions, are fitted twice: with the X-ray preset, and
# with quarter turns, which turn horizontal bars into vertical ones.

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
# With quarter turns, both kinds of bars look the same to the model. The third cluster divides
# something else. No later step restores a difference that the augmentation removed. Scores without
# labels do not show the loss, because they measure only how well the remaining groups are
# separated.
