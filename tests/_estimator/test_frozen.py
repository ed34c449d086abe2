"""Encoders that are not trained: embedded once, and everything downstream still works."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from torch import nn

from sklearn_cae import ContrastiveAutoencoderClusterer, load, recommended, save
from sklearn_cae._grouping import fixed
from sklearn_cae.augmentations import ImageViews
from sklearn_cae.backbones import Backbone
from sklearn_cae.modules import Encoder, LogScattering, UnpooledEncoder


class Maps(nn.Module):
    """Feature maps (n, 6, 8, 8) after BatchNorm, and a record of the samples that it was given."""

    seen: list = []

    def __init__(self, image_shape):
        super().__init__()
        self.convolution = nn.Conv2d(image_shape[0], 6, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(6)

    def forward(self, images):
        self.seen.append(len(images))
        return self.norm(self.convolution(images)).abs()


@pytest.fixture(autouse=True)
def _nothing_seen():
    Maps.seen.clear()


@pytest.fixture
def frozen(make_quick):
    """Factory of quick clusterers with a fixed encoder."""
    return lambda **params: make_quick(**{"encoder": Maps, "train_encoder": False, **params})


def n_seen():
    return sum(Maps.seen)


def interrupt(*args):
    raise KeyboardInterrupt


def same_maps():
    """Return a factory that gives all fits the same weights."""
    module = Maps((1, 16, 16))
    return lambda: module


def n_of_fit(n_samples):
    """Return the numbers of samples that a fit embeds: one for each, and its views."""
    return n_samples + 4 * min(n_samples, 500) + 2  # and two of zeros, to count the features


@pytest.mark.parametrize("whiten", [False, True])
def test_each_sample_is_embedded_once(frozen, toy_images, whiten):
    estimator = frozen(whiten=whiten, refinement_epochs=2).fit(toy_images[0])
    assert n_seen() == n_of_fit(len(toy_images[0]))
    np.testing.assert_array_equal(estimator.predict(toy_images[0]), estimator.labels_)


@pytest.mark.parametrize("n_drawn", [2000, 60])
def test_verbose_shows_how_many_samples_are_embedded(
    frozen, toy_images, capsys, monkeypatch, n_drawn
):
    X, _ = toy_images
    monkeypatch.setattr(fixed, "_N_SAMPLES", n_drawn)
    estimator = frozen(verbose=1, warm_start=True).fit(X)
    total = n_seen() - 2  # without two of zeros
    assert f"{total}/{total}" in capsys.readouterr().err.split("warm_up")[0]
    estimator.fit(X)
    assert f"embedding: 100%|{'█' * 10}| {len(X)}/{len(X)}" in capsys.readouterr().err
    frozen().fit(X)
    assert capsys.readouterr().err == ""


def test_without_views_the_embedding_is_the_scaled_principal_components(frozen, toy_images):
    X, _ = toy_images
    estimator = frozen(augmentation=ImageViews(probability=0)).fit(X)
    embedding = estimator.embed(X)
    with torch.no_grad():
        images = torch.from_numpy(X[:, None] / np.float32(255))
        features = estimator.encoder_.features(images).double().numpy()
    expected = PCA(16, svd_solver="full").fit_transform(features)
    expected /= np.sqrt(expected.var(axis=0, ddof=1).mean())
    signs = np.sign((embedding * expected).sum(axis=0))
    np.testing.assert_allclose(embedding * signs, expected, atol=0.01)


def turned(batch):
    """Turn each image by a random number of quarters."""
    quarters = torch.randint(4, (len(batch),)).tolist()
    return torch.stack(
        [torch.rot90(one, k, (1, 2)) for one, k in zip(batch, quarters, strict=True)]
    )


def test_what_views_differ_in_counts_less(frozen, toy_images):
    """In images that the fit has not seen, too."""
    X, _ = toy_images
    encoder = same_maps()

    def share(augmentation):
        estimator = frozen(encoder=encoder, augmentation=augmentation).fit(X[:60])
        one, other = (estimator.embed(part) for part in (X[60:], np.rot90(X[60:], axes=(1, 2))))
        return np.square(one - other).sum() / np.square(one - one.mean(axis=0)).sum()

    assert share(turned) < 0.8 * share(ImageViews(probability=0))


def test_the_embedding_does_not_depend_on_the_seed(frozen, toy_images):
    X, _ = toy_images
    encoder = same_maps()
    one, other = (frozen(encoder=encoder, random_state=seed).fit(X) for seed in (0, 1))
    np.testing.assert_array_equal(one.embed(X), other.embed(X))
    assert not np.array_equal(one.reconstruct(X), other.reconstruct(X))


class Noisy:
    """Views of a user, with a generator of their own."""

    def set_random_state(self, seed):
        self.generator = torch.Generator().manual_seed(seed)

    def __call__(self, batch):
        return batch + 0.1 * torch.randn(batch.shape, generator=self.generator)


def noisy(batch):
    """Views of a user, from the global generator."""
    return batch + 0.1 * torch.randn_like(batch)


@pytest.mark.parametrize("augmentation", [Noisy(), noisy])
def test_own_views_are_seeded_and_global_generators_stay(frozen, toy_images, augmentation):
    X, _ = toy_images
    before = vars(augmentation).copy()
    params = {"encoder": same_maps(), "augmentation": augmentation, "refinement_epochs": 1}
    states = torch.get_rng_state(), np.random.get_state()[1].copy()
    models = [frozen(**params, random_state=seed).fit(X) for seed in (0, 0, 1)]
    assert torch.equal(torch.get_rng_state(), states[0])
    np.testing.assert_array_equal(np.random.get_state()[1], states[1])
    assert vars(augmentation) == before
    fixed_parts = [model.encoder_[0].components.weight for model in models]
    assert all(torch.equal(fixed_parts[0], weight) for weight in fixed_parts[1:])
    np.testing.assert_array_equal(models[0].embed(X), models[1].embed(X))


def test_other_views_are_other_embeddings(frozen, toy_images, tmp_path):
    X, _ = toy_images
    params = {"encoder": same_maps(), "checkpoint_dir": tmp_path}
    models = [frozen(**params, augmentation=name).fit(X) for name in ("paper", "xray")]
    assert not np.allclose(*(model.embed(X) for model in models), atol=0.01)
    assert len(list(tmp_path.glob("embedding_*"))) == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"intensity_range": (0, 255)}, {"intensity_range": (0, 510)}),
        ({"image_shape": (16, 16)}, {"image_shape": (8, 32)}),
        ({"image_shape": (4, 8, 8)}, {"image_shape": (8, 8, 4)}),
    ],
)
def test_other_images_of_equal_values_are_other_embeddings(
    frozen, toy_images, tmp_path, one, other
):
    X = toy_images[0].reshape(len(toy_images[0]), -1) if "image_shape" in one else toy_images[0]
    for params in (one, other):
        params = {"encoder": nn.Flatten, "augmentation": "xray", **params}
        model = frozen(checkpoint_dir=tmp_path, **params).fit(X)
        np.testing.assert_array_equal(model.predict(X), model.labels_)
        np.testing.assert_array_equal(model.embed(X), frozen(**params).fit(X).embed(X))
    assert len(list(tmp_path.glob("embedding_*"))) == 2


def test_views_that_are_no_numbers_are_told(frozen, toy_images):
    estimator = frozen(augmentation=lambda batch: (batch - 2).log())
    with pytest.raises(ValueError, match="augmentation must return views whose features are fin"):
        estimator.fit(toy_images[0])


def test_fewer_components_than_dimensions(frozen, toy_images):
    X = toy_images[0][:40]
    estimator = frozen(embedding_dim=50, whiten=True).fit(X)
    embedding = estimator.embed(X)
    assert np.linalg.matrix_rank(embedding, tol=1e-3) == 13  # one for three samples
    assert np.isfinite(estimator.decode_prototypes()).all()
    np.testing.assert_array_equal(estimator.predict(X), estimator.labels_)


def test_components_of_a_part_of_the_samples(frozen, toy_images, monkeypatch):
    X, _ = toy_images
    monkeypatch.setattr(fixed, "_N_SAMPLES", 60)
    estimator = frozen(random_state=1).fit(X)
    assert n_seen() == n_of_fit(60) + len(X)
    np.testing.assert_array_equal(estimator.predict(X), estimator.labels_)


def test_the_fixed_encoder_is_equal_to_the_bit_and_the_decoder_learns(frozen, toy_images):
    X, _ = toy_images
    module = Maps((1, 16, 16))
    before = {name: value.clone() for name, value in module.state_dict().items()}
    params = {"encoder": lambda: module, "conditioning_epochs": 30}
    estimator = frozen(warm_up_epochs=60, learning_rate=1e-2, **params).fit(X)
    state = estimator.encoder_.features[0].state_dict()
    estimator.encoder_.train()(torch.rand(5, 1, 16, 16))  # it stays in eval mode
    assert all(torch.equal(state[name], value) for name, value in before.items())
    error = ((estimator.reconstruct(X) - X.astype(float)) ** 2).mean()
    assert error < 0.2 * X.var()
    prototypes = estimator.decode_prototypes()
    assert prototypes.shape == (3, 16, 16)
    assert (estimator.sample(5, cluster=1, random_state=0)[1] == 1).all()
    assert {row["phase"] for row in estimator.history_} == {"warm_up", "conditioning"}
    assert "contrastive_loss" not in estimator.history_[0]


def test_it_repeats_and_does_not_depend_on_what_was_kept(frozen, toy_images, tmp_path):
    X, _ = toy_images
    encoder = same_maps()
    whole = frozen(encoder=encoder).fit(X)
    first = frozen(encoder=encoder, checkpoint_dir=tmp_path).fit(X)
    Maps.seen.clear()
    params = {"encoder": encoder, "checkpoint_dir": tmp_path, "random_state": 7}
    second = frozen(**params, whiten=True).fit(X)
    assert n_seen() == 2
    np.testing.assert_array_equal(first.embed(X), whole.embed(X))
    for one, other in zip(
        whole.decoder_.state_dict().values(), first.decoder_.state_dict().values(), strict=True
    ):
        assert torch.equal(one, other)
    np.testing.assert_array_equal(second.predict(X), second.labels_)
    Maps.seen.clear()
    frozen(**params).fit(X[1:])  # other samples
    assert n_seen() == n_of_fit(len(X) - 1)


def test_a_damaged_embedding_is_told_and_computed(frozen, toy_images, tmp_path):
    X, _ = toy_images
    params = {"encoder": same_maps(), "checkpoint_dir": tmp_path}
    first = frozen(**params).fit(X)
    (path,) = tmp_path.glob("embedding_*.safetensors")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.warns(UserWarning, match="The embedding in .* cannot be used"):
        again = frozen(**params, random_state=1).fit(X)
    np.testing.assert_array_equal(again.embed(X), first.embed(X))


@pytest.mark.parametrize("whiten", [False, True])
def test_it_is_saved(frozen, toy_images, tmp_path, whiten):
    X, _ = toy_images
    estimator = frozen(whiten=whiten).fit(X)
    save(estimator, tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors", encoder=Maps)
    np.testing.assert_array_equal(again.embed(X), estimator.embed(X))
    np.testing.assert_array_equal(again.decode_prototypes(), estimator.decode_prototypes())


def test_a_warm_start_keeps_the_components(frozen, toy_images):
    X, _ = toy_images
    estimator = frozen(whiten=True, warm_start=True).fit(X)
    components = estimator.encoder_[0].components.weight.clone()
    estimator.fit(X[:50])
    assert torch.equal(estimator.encoder_[0].components.weight, components)
    estimator.set_params(train_encoder=True)
    with pytest.raises(ValueError, match="warm_start needs the train_encoder of the previous fit"):
        estimator.fit(X)


def test_a_fit_that_never_got_its_components_gets_them(frozen, toy_images, monkeypatch):
    X, _ = toy_images
    estimator = frozen(warm_start=True)
    with monkeypatch.context() as patch:
        patch.setattr(fixed.FixedEncoder, "fit", interrupt)
        with pytest.raises(KeyboardInterrupt):
            estimator.fit(X)
    np.testing.assert_array_equal(estimator.fit(X).embed(X), frozen().fit(X).embed(X))


def test_vectors(frozen):
    X = np.random.RandomState(0).normal(size=(60, 5)) + 9 * np.repeat(np.eye(3, 5), 20, axis=0)
    estimator = frozen(encoder=lambda: nn.Linear(5, 40), embedding_dim=4).fit(X)
    assert estimator.n_clusters_ == 3
    assert np.bincount(estimator.labels_).tolist() == [20, 20, 20]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"encoder": None}, "got encoder=None, whose weights are random"),
        ({"encoder": UnpooledEncoder}, "UnpooledEncoder.*, whose weights are random"),
        ({"variational": True}, "variational must be False with train_encoder=False"),
        ({"encoder": Encoder}, "Encoder.*, whose weights are random"),
        (
            {"encoder": Backbone("resnet18", weights=False)},
            "Backbone.name='resnet18', weights=False.*, whose weights are random",
        ),
        (
            {"encoder": LogScattering, "train_encoder": True},
            "encoder=LogScattering has nothing to train. Pass train_encoder=False",
        ),
        ({"output": "projection"}, "output must not be 'projection'"),
        ({"encoder": lambda: nn.Flatten(0)}, r"but two samples became \(512,\)"),
        ({"encoder": lambda: nn.Linear(3, 3)}, "encoder must take samples of shape"),
        ({"train_encoder": -0.1}, "train_encoder"),
        ({"train_encoder": 1.5}, "train_encoder"),
    ],
)
def test_what_is_refused_before_training(frozen, toy_images, params, message):
    estimator = frozen(**params)
    with pytest.raises(ValueError, match=message):
        estimator.fit(toy_images[0])
    assert not hasattr(estimator, "history_")


@pytest.mark.parametrize(
    ("factor", "message"), [(np.nan, "must return finite features"), (0.0, "that differ between")]
)
def test_features_that_cannot_be_used(frozen, toy_images, factor, message):
    class Scaled(nn.Module):
        def forward(self, images):
            return images * factor

    with pytest.raises(ValueError, match=message):
        frozen(encoder=Scaled).fit(toy_images[0])


def test_there_is_no_projection(frozen, toy_images):
    estimator = frozen().fit(toy_images[0]).set_params(output="projection")
    with pytest.raises(ValueError, match="the projection head is not trained"):
        estimator.transform(toy_images[0])


@pytest.mark.filterwarnings("ignore:No number of communities is stable")
def test_a_prototype_looks_like_the_mean_of_its_members(pneumonia):
    """It is decoded from a mean of embeddings, which no sample has."""
    X = pneumonia["train"][0][:150]
    epochs = {"warm_up_epochs": 50, "refinement_epochs": 2, "conditioning_epochs": 10}
    params = recommended(len(X), n_clusters=3, device="cpu", precision="float32", **epochs)
    model = ContrastiveAutoencoderClusterer(**params, random_state=0).fit(X)
    means = np.stack([X[model.labels_ == group].mean(axis=0) for group in range(3)])
    error = np.square(model.decode_prototypes() - means).mean()
    assert error < 0.1 * X.var(axis=0).mean()
