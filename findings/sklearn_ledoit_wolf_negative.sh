#!/usr/bin/env bash
# LedoitWolf can find a shrinkage below 0, which ShrunkCovariance then refuses.
#
# Versions: Python 3.11, scikit-learn 1.9.1, numpy 2.4.6, scipy 1.17.1.
# Guess: the shrinkage is the coefficient of a convex combination, so it is in [0, 1] for any samples.
# Seen: samples that are copies of two points need no shrinkage. The exact value is 0, and rounding
#   makes it about -1e-16 for a third of such samples, because only its upper end is limited.
#   ShrunkCovariance(shrinkage=LedoitWolf().fit(X).shrinkage_) then raises InvalidParameterError, and
#   the square root of the shrinkage is NaN.
# Way out: max(shrinkage, 0).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1
cd "$folder"
"$folder/venv/bin/python" - <<'PY'
from importlib.metadata import version

import numpy as np
from sklearn.covariance import LedoitWolf, ShrunkCovariance

for name in ("scikit-learn", "numpy", "scipy"):
    print(name, version(name))

found = []
for seed in range(300):
    X = np.repeat(np.random.RandomState(seed).normal(size=(2, 3)), 4, axis=0)
    found.append((LedoitWolf().fit(X).shrinkage_, X))
negative = [(shrinkage, X) for shrinkage, X in found if shrinkage < 0]
print(f"{len(negative)} of {len(found)} are negative, the lowest is {min(each for each, _ in found):.1e}")
assert negative
shrinkage, X = negative[0]
try:
    ShrunkCovariance(shrinkage=shrinkage).fit(X)
except ValueError as error:
    print(type(error).__name__, error)
else:
    raise AssertionError("ShrunkCovariance took it")
PY
echo "as stated"
