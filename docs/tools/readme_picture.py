"""Draw the README's picture: the groups of chest X-rays that the recommended setting finds.

Run from the repository, with PneumoniaMNIST where ``sklearn_cae.datasets`` finds it (seven minutes
on two cores that multiply bfloat16, twice as long on others):

    python docs/tools/readme_picture.py
"""

from pathlib import Path

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt

from sklearn_cae import ContrastiveAutoencoderClusterer, recommended
from sklearn_cae.datasets import load_pneumoniamnist
from sklearn_cae.plotting import PrototypeDisplay

X, _ = load_pneumoniamnist("train", return_X_y=True)
test = load_pneumoniamnist("test")
names = test.target_names[test.target]
clusterer = ContrastiveAutoencoderClusterer(**recommended(len(X)), random_state=0).fit(X)

# Pages show it 830 pixels wide: a font of 10.5 points is 14 pixels high there.
figure, ax = plt.subplots(figsize=(8.3, 5), layout="compressed")
PrototypeDisplay.from_estimator(clusterer, test.data, names, n_members=2, n_samples=2, ax=ax)
ax.tick_params(labelsize=10.5)
path = Path(__file__).parents[1] / "figures" / "readme.png"
figure.savefig(path, dpi=200, bbox_inches="tight")
