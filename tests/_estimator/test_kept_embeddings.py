"""The embedding of a fixed encoder, which `checkpoint_dir` keeps: for which fits it is used."""

import numpy as np
import pytest
from torch import nn


class Power(nn.Module):
    """Features that depend on an attribute, which is neither a weight nor in the repr."""

    def __init__(self, power):
        super().__init__()
        self.power = power

    def forward(self, images):
        return images**self.power


@pytest.mark.parametrize(
    "changes", [{"intensity_range": (0, 1000)}, {"encoder": lambda: Power(3)}], ids=", ".join
)
def test_a_kept_embedding_is_not_used_for_another_one(make_quick, toy_images, tmp_path, changes):
    X, _ = toy_images
    params = {"encoder": lambda: Power(1), "train_encoder": False}
    make_quick(**params, checkpoint_dir=tmp_path).fit(X)
    params |= changes
    other = make_quick(**params, checkpoint_dir=tmp_path).fit(X)
    np.testing.assert_array_equal(other.embed(X), make_quick(**params).fit(X).embed(X))
    assert len(list(tmp_path.glob("embedding_*"))) == 2
