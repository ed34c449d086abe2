#!/usr/bin/env bash
# ComBat of combatlearn gives other results if features have another unit, by far with CovBat.
#
# Versions: Python 3.11, combatlearn 2.3.0, pandas 3.1.1, scikit-learn 1.9.1, numpy 2.4.6, scipy 1.17.1.
# Guess: ComBat is a change of location and scale per site, so millimetres or metres make no difference
#   beside the factor, and features keep about their standard deviation.
# Seen: with method="chen" (CovBat) leading principal components are divided by their standard
#   deviation, and not multiplied by it again. They come back with a deviation of 1 in any unit, so
#   features of 112 have 26 afterwards, those of 0.011 have 0.92, and correlations change. With
#   method="johnson", eps=1e-8 is added to variances. If these are of that size, such as
#   those of diffusivities in mm2/s, the deviation doubles, without a warning.
# Way out: method="johnson" or "fortin", of features that are scaled to variances of about 1 before.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pandas==3.1.1 scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1
"$folder/venv/bin/pip" install --quiet --no-deps combatlearn==2.3.0  # the others are for its plots
cd "$folder"
"$folder/venv/bin/python" - <<'PY'
from importlib.metadata import version

import numpy as np
from combatlearn import ComBat

for name in ("combatlearn", "pandas", "scikit-learn", "numpy", "scipy"):
    print(name, version(name))

rng = np.random.default_rng(0)
site = np.repeat([0, 1], 100)
X = rng.normal(size=(200, 20)) + site[:, None]


def in_unit(method, unit):
    """Return the standard deviation of the features before and after, in units of X."""
    corrected = np.asarray(ComBat(site, method=method).fit_transform(X * unit)) / unit
    return X.std(axis=0).mean(), corrected.std(axis=0).mean()


deviations = {}
for method in ("johnson", "fortin", "chen"):
    for unit in (100, 1, 0.01, 5e-5):
        before, after = in_unit(method, unit)
        deviations[method, unit] = after
        print(f"{method:<8} unit {unit:<6} standard deviation {before:.3f}, corrected {after:.3f}")
for method in ("johnson", "fortin"):
    assert np.isclose(deviations[method, 100], deviations[method, 0.01], rtol=1e-2)
    assert deviations[method, 5e-5] > 1.8 * deviations[method, 1]
assert deviations["chen", 100] < 0.3 < 50 < deviations["chen", 0.01]
PY
echo "as stated"
