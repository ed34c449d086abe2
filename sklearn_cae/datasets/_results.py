"""Results and parameter checks that all loaders share."""

from numbers import Integral
from typing import TypeAlias

import numpy as np
from sklearn.utils import Bunch

#: Result of a loader: a Bunch, or data and target.
Result: TypeAlias = Bunch | tuple[np.ndarray, np.ndarray]


def as_result(data, target, target_names, descr, return_X_y, **more) -> Result:
    if return_X_y:
        return data, target
    names = np.array(target_names)
    return Bunch(data=data, target=target, target_names=names, DESCR=descr, **more)


def check_option(parameter, value, options):
    if value not in options:
        raise ValueError(f"{parameter} must be one of {options}, got {value!r}.")


def check_integer(parameter, value, low, high=None):
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise TypeError(f"{parameter} must be an integer, got {value!r}.")
    if value < low or (high is not None and value > high):
        rule = f"at least {low}" if high is None else f"between {low} and {high}"
        raise ValueError(f"{parameter} must be {rule}, got {value!r}.")
