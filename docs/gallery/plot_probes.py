"""
How many labels does an embedding save?
=======================================

A probe is a plain classifier on an embedding that was trained without labels. The fewer labels it
needs, the more the embedding has sorted out already. Here are two probes on the encoder's
embedding, on the projection in which the contrastive loss is computed, and on pixels.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import train_test_split

from sklearn_cae import ContrastiveAutoencoderClusterer, KNNProbe, LinearProbe, recommended
from sklearn_cae.datasets import load_digit_images

X, y = load_digit_images(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=600, random_state=0)

params = {**recommended(len(X_train)), "warm_up_epochs": 20, "refinement_epochs": 5}
params["conditioning_epochs"] = 0  # it trains the decoder, which no probe asks
clusterer = ContrastiveAutoencoderClusterer(**params, random_state=0).fit(X_train)

inputs = {"pixels": [images.reshape(len(images), -1) / 255 for images in (X_train, X_test)]}
for output in ("embedding", "projection"):  # may be set after the fit, which does not use it
    clusterer.set_params(output=output)
    inputs[output] = [clusterer.transform(images) for images in (X_train, X_test)]

# %%
# Both probes draw their labelled images by themselves, so many from each class. What they draw
# differs from seed to seed, and with few labels that matters: here are three draws each, their mean
# and their standard deviation.

fractions = np.array([0.01, 0.02, 0.05, 0.1, 0.2, 0.5])
probes = {
    "KNNProbe": lambda fraction, seed: KNNProbe(1, memory_fraction=fraction, random_state=seed),
    "LinearProbe": lambda fraction, seed: LinearProbe(
        fraction, epochs=60, learning_rate=0.01, random_state=seed
    ),
}

figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True, layout="constrained")
for panel, (title, make_probe) in zip(axes, probes.items(), strict=True):
    for name, (before, after) in inputs.items():
        scores = np.array(
            [
                [
                    make_probe(fraction, seed).fit(before, y_train).score(after, y_test)
                    for seed in range(3)
                ]
                for fraction in fractions
            ]
        )
        n_labels = np.round(fractions * len(X_train)).astype(int)
        look = {"marker": "o", "capsize": 3, "label": name}
        panel.errorbar(n_labels, scores.mean(axis=1), scores.std(axis=1), **look)
    panel.set(title=title, xlabel="labelled images", xscale="log")
    panel.set_xticks(n_labels, n_labels)
    panel.minorticks_off()
axes[0].set_ylabel("test accuracy")
_ = axes[1].legend(frameon=False)

# %%
# Where the line of the embedding is above that of the pixels, unlabelled images have stood in for
# labels. The two come closer as labels are added.
#
# The projection is where views of an image have to agree, and what differs between them is lost. So
# it is the embedding that is clustered. (In the recommended setting the encoder is refined after
# the warm-up, and the projection head is not: one more reason to leave the projection alone.)
#
# The embedding was trained on the training images alone. Had it seen the test images, even without
# their labels, this would be another question.
