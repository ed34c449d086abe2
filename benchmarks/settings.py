"""The settings that are compared, frozen: each has a hash, which the log names before a result."""

import hashlib
import json

from sklearn_cae import ContrastiveAutoencoderClusterer

#: What the views may do to an image depends on what it shows; this is all that differs.
PAPER_VIEWS = {"pneumoniamnist": "paper", "mnist": "digits"}
#: Clusters where a number has to be given.
N_CLUSTERS = {"pneumoniamnist": 7, "mnist": 10}


def paper(dataset):
    """Give the paper's setting: the estimator's defaults."""
    return {"augmentation": PAPER_VIEWS[dataset]}


SETTINGS = {"paper": paper}


def parameters(setting, dataset):
    """All parameters of a setting but the seed, as the estimator has them."""
    model = ContrastiveAutoencoderClusterer(**SETTINGS[setting](dataset))
    params = model.get_params(deep=False)
    return {name: value for name, value in params.items() if name != "random_state"}


def fingerprint(params):
    """Hash of parameters."""
    return hashlib.sha256(json.dumps(params, sort_keys=True, default=repr).encode()).hexdigest()[
        :12
    ]
