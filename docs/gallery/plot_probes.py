"""
How many labels does an embedding save?
=======================================

A probe is a simple classifier on an embedding that was trained without labels. If it needs few
labels, the embedding already separates the classes. This page trains two probes on the embedding,
on the projection (which the contrastive loss uses), and on pixels. If patients have several images,
split and draw by patient (:doc:`/guide/patients`).
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import train_test_split

from sklearn_cae import ContrastiveAutoencoderClusterer, KNNProbe, LinearProbe, recommended
from sklearn_cae.datasets import load_digit_images

X, y = load_digit_images(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=600, random_state=0)

few = {"warm_up_epochs": 20, "refinement_epochs": 5}
params = recommended(len(X_train), **few, train_encoder=True)  # for the projection
params["conditioning_epochs"] = 0  # it trains only the decoder, which probes do not use
clusterer = ContrastiveAutoencoderClusterer(**params, random_state=0).fit(X_train)

inputs = {"pixels": [images.reshape(len(images), -1) / 255 for images in (X_train, X_test)]}
for output in ("embedding", "projection"):  # may be set after the fit, which does not use it
    clusterer.set_params(output=output)
    inputs[output] = [clusterer.transform(images) for images in (X_train, X_test)]

# %%
# Both probes draw the labelled images themselves, from each class. With few labels the result
# depends on the draw. The figure shows mean and standard deviation over three draws.

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
# If the line of the embedding is above the line of pixels, training on images without labels has
# saved labels. With more labels, the difference becomes smaller.
#
# Two views of an image must have similar projections, so the projection loses their differences.
# This is why the embedding is clustered. (In the recommended setting the refinement trains the
# encoder, but not the projection head. This is another reason not to use the projection.)
#
# The embedding was trained on training images only. If it had seen the test images, even without
# labels, the results would answer another question.
