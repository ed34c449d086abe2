"""The recommended setting of few images, whose encoder is fixed: any images, any parameters."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from skorch.callbacks import EarlyStopping

from sklearn_cae import ContrastiveAutoencoderClusterer, recommended
from sklearn_cae._grouping.fixed import FixedEncoder, fixed_part
from sklearn_cae.clusterers import MixtureClusterer

pytestmark = [
    pytest.mark.filterwarnings("ignore:No number of communities is stable"),
    pytest.mark.filterwarnings("ignore:.*clusters? (was|were) empty"),
    pytest.mark.filterwarnings("ignore:.* of the samples"),
    pytest.mark.filterwarnings("ignore:A batch of"),
    pytest.mark.filterwarnings("ignore:.*images are"),
    pytest.mark.filterwarnings("ignore:.*No elbow"),
]


def quick(n_samples, **changes):
    """Return a clusterer with the recommended setting and few epochs."""
    epochs = {"warm_up_epochs": 1, "refinement_epochs": 2, "conditioning_epochs": 1}
    params = recommended(n_samples, **{**epochs, "device": "cpu", **changes})
    return ContrastiveAutoencoderClusterer(**params, random_state=0)


def check_answers(model, X):
    """Check that everything that a fitted model computes is there, and fits together."""
    assert isinstance(fixed_part(model.encoder_), FixedEncoder)
    np.testing.assert_array_equal(model.predict(X), model.labels_)
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1, rtol=1e-5)
    embedding, shape = model.embed(X), np.shape(X)[1:]
    assert embedding.shape == (len(X), model.embedding_dim)
    drawn, clusters = model.sample(3, random_state=0)
    prototypes = model.decode_prototypes()
    assert prototypes.shape == (model.n_clusters_, *shape)
    assert drawn.shape == (3, *shape)
    assert np.isin(clusters, range(model.n_clusters_)).all()
    decoded = [model.decode(embedding[:2]), model.reconstruct(X[:2])]
    for values in (embedding, drawn, prototypes, *decoded):
        assert np.isfinite(values).all()
    if len(shape) > 1:
        assert np.isfinite(model.saliency(X[:2])).all()
    if len(X) >= 40:
        novelty = model.novelty(X)
        assert ((novelty >= 0) & (novelty <= 1)).all()


RNG = np.random.RandomState(0)
KINDS = {
    "uint16": lambda X: X.astype(np.uint16) * 200,
    "bool": lambda X: X > 100,
    "signed": lambda X: X.astype(np.int32) * 30 - 1000,
    "tiny floats": lambda X: X * 1e-30,
    "large floats": lambda X: X * 1e30,
    "gray and a channel": lambda X: X[:, None],
    "RGB": lambda X: np.stack([X, X // 2, 255 - X], axis=-1),
    "RGBA, channels first": lambda X: np.stack([X, X // 2, 255 - X, X], axis=1),
    "inverted": lambda X: 255 - X,
    "nearly constant": lambda X: (100 + X // 250).astype(np.uint8),
    "one that differs": lambda X: np.where(np.arange(len(X))[:, None, None], 7, X[:1]),
    "constant ones": lambda X: (
        np.full_like(X, 0) + np.arange(len(X), dtype=np.uint8)[:, None, None]
    ),
    "copies": lambda X: X[np.arange(len(X)) // 8],
    "two images": lambda X: X[np.arange(len(X)) % 2],
    "8 pixels": lambda X: X[:, ::2, ::2],
    "9 x 300 pixels": lambda X: np.kron(X[:, :9], np.ones((1, 1, 19), np.uint8))[:, :, :300],
    "300 x 9 pixels": lambda X: np.kron(X[..., :9], np.ones((1, 19, 1), np.uint8))[:, :300],
}


@pytest.mark.parametrize("kind", KINDS)
def test_images_of_any_kind(toy_images, kind):
    X = KINDS[kind](toy_images[0][:60])
    check_answers(quick(len(X), image_shape=X.shape[1:]).fit(X), X)


def test_the_largest_images():
    X = RNG.randint(0, 256, (6, 512, 512), dtype=np.uint8)
    check_answers(quick(len(X), image_shape=X.shape[1:], n_clusters=2).fit(X), X)


def test_flat_rows(toy_images):
    X = toy_images[0].reshape(len(toy_images[0]), -1)
    check_answers(quick(len(X), image_shape=(16, 16)).fit(X), X)


@pytest.mark.parametrize("n_samples", [2, 3, 4, 5, 9])
def test_hardly_any_images(toy_images, n_samples):
    X = toy_images[0][:n_samples]
    check_answers(quick(n_samples).fit(X), X)


def test_equal_images_are_told(toy_images):
    X = np.repeat(toy_images[0][:1], 20, axis=0)
    with pytest.raises(ValueError, match=r"X must|differ between samples"):
        quick(20).fit(X)


@pytest.mark.parametrize(
    "changes",
    [
        {"embedding_dim": 1},
        {"embedding_dim": 700},
        {"batch_size": 2},
        {"batch_size": 1000},
        {"n_clusters": 1},
        {"n_clusters": 5},
        {"n_clusters": "elbow", "clusterer": None},
        {"n_clusters": 3, "clusterer": KMeans(n_init=1)},
        {
            "n_clusters": 3,
            "clusterer": MixtureClusterer(n_dims=3),
            "assignment": "clusterer",
            "refinement_epochs": 0,
        },
        {"assignment": "clusterer", "refinement_epochs": 0},
        {"whiten": False},
        {"whiten": False, "refinement_epochs": 0},
        {"conditioning_epochs": 0},
        {"decoder": None},
        {"optimizer": "lars", "learning_rate": None},
        {"precision": "bfloat16"},
        {"augmentation": "paper"},
        {"augmentation": lambda batch: batch.flip(-1)},
        {"callbacks": [EarlyStopping(monitor="train_loss", patience=1)]},
        {"intensity_range": (50, 200)},
    ],
    ids=", ".join,
)
def test_any_parameters(toy_images, changes):
    X = toy_images[0]
    if "intensity_range" in changes:
        X = X.clip(50, 200)
    check_answers(quick(len(X), **changes).fit(X), X)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"variational": True, "whiten": False, "refinement_epochs": 0}, "variational must be F"),
        ({"output": "projection"}, "output must not be 'projection'"),
        ({"callbacks": [EarlyStopping(monitor="contrastive_loss")]}, "contrastive_loss"),
        ({"augmentation": "vector"}, "augmentation must fit images"),
    ],
)
def test_what_needs_a_trained_encoder_is_told(toy_images, changes, message):
    model = quick(96).set_params(**changes)
    with pytest.raises(ValueError, match=message):
        model.fit(toy_images[0])
    assert not hasattr(model, "history_")


def test_vectors_are_told():
    with pytest.raises(ValueError, match=r"samples of shape \(5,\).*encoder=None for vectors"):
        quick(60).fit(np.random.RandomState(0).normal(size=(60, 5)))


def test_volumes_are_told(toy_volumes):
    with pytest.raises(ValueError, match="spatial_dims=3"):
        quick(60).set_params(spatial_dims=3).fit(toy_volumes[0])


def test_it_is_cloned_and_searched(toy_images):
    X, _ = toy_images
    model = quick(len(X), clusterer=KMeans(n_init=1), n_clusters=3).fit(X)
    again = clone(model).fit(X)
    np.testing.assert_array_equal(again.embed(X), model.embed(X))
    np.testing.assert_array_equal(again.labels_, model.labels_)
    search = GridSearchCV(clone(model), {"n_clusters": [2, 3]}, cv=2).fit(X)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_x_rays_have_closer_neighbours_than_in_pixels(pneumonia):
    """The embedding of the recommended setting, for a classifier by neighbours."""
    X, y = (part[:300] for part in pneumonia["train"])
    embedding = quick(len(X)).fit(X).embed(X)
    ours, pixels = (
        cross_val_score(KNeighborsClassifier(10, metric="cosine"), each, y, cv=5).mean()
        for each in (embedding, X.reshape(len(X), -1) / 255)
    )
    assert ours > pixels + 0.02
