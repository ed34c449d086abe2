"""scikit-learn's own checks, over every public estimator."""

import pytest
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks

from sklearn_cae import (
    ClusterLabelMapper,
    ContrastiveAutoencoderClusterer,
    KNNProbe,
    LinearProbe,
)

ESTIMATORS = [
    # Small and quick: the checks hold dozens of samples with two to ten features.
    ContrastiveAutoencoderClusterer(
        n_clusters=3,
        warm_up_epochs=5,
        conditioning_epochs=2,
        embedding_dim=8,
        batch_size=32,
        optimizer="adamw",
        learning_rate=3e-3,
        device="cpu",
        precision="float32",
    ),
    ContrastiveAutoencoderClusterer(
        n_clusters=2,
        warm_up_epochs=2,
        conditioning_epochs=1,
        embedding_dim=8,
        variational=True,
        output="embedding",
        device="cpu",
        precision="float32",
    ),
    ClusterLabelMapper(),
    ClusterLabelMapper(input="distance"),
    KNNProbe(),
    LinearProbe(epochs=20, learning_rate=0.05),
]


# What the checks feed in is no soft assignment, and few samples: both warn, as they should.
@pytest.mark.filterwarnings("ignore:Rows of a soft assignment", "ignore:A batch of")
@parametrize_with_checks(ESTIMATORS)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda estimator: type(estimator).__name__)
def test_the_checks_are_not_vacuous(estimator):
    assert len(list(estimator_checks_generator(estimator))) > 40
