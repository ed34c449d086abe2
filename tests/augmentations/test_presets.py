"""The presets, and what each of them must not change."""

import pytest
import torch
from views import seeded

from sklearn_cae.augmentations import PRESETS


@pytest.mark.parametrize("name", sorted(set(PRESETS) - {"vector"}))
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 64, 64), (4, 30, 70)])
def test_each_preset_leaves_the_images_recognisable(name, shape):
    """A view that is not moved is closer to its own image than to another one."""
    batch = torch.rand(128, *shape, generator=seeded(1))
    batch = (batch - batch.mean(dim=(2, 3), keepdim=True)) * 0.5 + 0.5
    views = PRESETS[name]
    drawn = views.draw(batch.shape, seeded())
    still = (drawn.angle == 0) & (drawn.side == 1) & ~drawn.mirrored & ~drawn.upside_down
    seen = views.apply(batch, drawn)[still].flatten(1)
    assert 0 <= seen.min() <= seen.max() <= 1
    assert still.any()
    likeness = torch.corrcoef(torch.cat([seen, batch[still].flatten(1)]))
    n = len(seen)
    assert (likeness[:n, n:].argmax(dim=1) == torch.arange(n)).all()


@pytest.mark.parametrize("name", ["xray", "slices", "digits"])
def test_left_and_right_are_kept_where_they_differ(name):
    assert not PRESETS[name].flip


@pytest.mark.parametrize("name", ["xray", "slices", "ultrasound"])
def test_top_stays_top_where_images_have_a_direction(name):
    assert not PRESETS[name].vertical_flip
    assert PRESETS[name].degrees <= 10


def test_the_scale_of_ct_is_kept():
    assert PRESETS["slices"].intensity == 0
