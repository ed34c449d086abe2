"""
Looking at images before training
=================================

A clusterer finds what differs between images. If some images are inverted, cut or copied, they
become groups of their own. So look for such faults before training. Here some faults are planted
into toy images, so that we know what should be found.
"""

import numpy as np

from sklearn_cae.datasets import make_toy_images

X = make_toy_images(300, n_classes=1, image_size=32, random_state=0).data
rng = np.random.default_rng(0)
inverted, cut, framed, copies = rng.permutation(300)[:40].reshape(4, 10)
X[inverted] = 255 - X[inverted]
X[cut, 22:] = 128
X[framed, :5] = X[framed, -5:] = 0
X[copies[:5]] = X[copies[5:]]

# %%
# The findings
# ------------
# Each finding has numbers and advice. Repair each problem before training. Look at the images of
# each doubt. A note is only for information.

from sklearn_cae.images import check_images

check = check_images(X)
print(check)

# %%
# A page of examples
# ------------------
# Each row shows the first images of a finding. Copies stand next to each other.

from sklearn_cae.plotting import ImageCheckDisplay

_ = ImageCheckDisplay.from_check(check, X)

# %%
# Repair
# ------
# ``rows_of`` returns the rows of a finding. This page inverts inverted images again, and keeps one
# image of each set of copies.

fixed = X.copy()
rows = check.rows_of("two_polarities")
fixed[rows] = 255 - fixed[rows]
left_out = [*check.rows_of("truncated"), *check.rows_of("letterbox")]
for finding in check.findings:
    left_out += [row for rows in finding.sets for row in rows[1:]]
check_images(np.delete(fixed, left_out, axis=0))

# %%
# Metadata
# --------
# If the pixels differ between makers of scanners, groups may follow the makers. The check says how
# much of the brightness, the contrast or the content each column of the metadata explains. It also
# finds copies that are in two splits, such as training and test.
# :func:`~sklearn_cae.images.read_images` returns such a table with the images.

clean = make_toy_images(300, n_classes=1, image_size=32, random_state=1).data
maker = rng.choice(["A", "B"], 300)
clean[maker == "B"] = 0.8 * clean[maker == "B"]
clean[0] = clean[299]
split = np.repeat(["train", "test"], 150)
check_images(clean, {"manufacturer": maker, "split": split})
