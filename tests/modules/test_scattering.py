import json

import pytest
import torch
from kymatio_values import CASES, VALUES, images, one_place_each

from sklearn_cae.modules import Scattering

KYMATIO = list(zip(CASES, json.loads(VALUES.read_text()), strict=True))


@pytest.mark.parametrize(("case", "values"), KYMATIO, ids=map(str, CASES))
def test_the_maps_are_those_of_kymatio(case, values):
    maps = Scattering(*case)(images(case[0]))[0]
    torch.testing.assert_close(one_place_each(maps), torch.tensor(values), rtol=0, atol=1e-5)
