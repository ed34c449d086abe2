"""What only a GPU can show."""

import pickle

import numpy as np
import pytest
import torch

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")


def test_a_model_trained_on_a_gpu_loads_on_the_cpu(toy_images, make_quick):
    X, _ = toy_images
    model = make_quick(device="cuda", precision="auto").fit(X)
    assert next(model.encoder_.parameters()).device.type == "cuda"
    loaded = pickle.loads(pickle.dumps(model)).set_params(device="cpu")
    assert next(loaded.encoder_.parameters()).device.type == "cpu"
    np.testing.assert_allclose(loaded.predict_proba(X), model.predict_proba(X), atol=1e-3)
    assert model.sample(3, random_state=0)[0].shape == (3, 16, 16)
    np.testing.assert_allclose(loaded.saliency(X), model.saliency(X), atol=0.05)


def test_views_are_those_of_the_cpu(toy_images):
    from sklearn_cae.augmentations import PRESETS

    images = torch.from_numpy(toy_images[0] / 255.0).float()[:, None]
    on_cpu = PRESETS["paper"](images, torch.Generator().manual_seed(0))
    on_gpu = PRESETS["paper"](images.cuda(), torch.Generator().manual_seed(0))
    torch.testing.assert_close(on_gpu.cpu(), on_cpu, atol=1e-4, rtol=0)


def test_whitening_adds_its_layer_where_the_networks_are(toy_images, make_quick):
    def own():
        return torch.nn.Sequential(
            torch.nn.Flatten(), torch.nn.Linear(256, 16, bias=False), torch.nn.Tanh()
        )

    X, _ = toy_images
    model = make_quick(device="cuda", encoder=own, whiten=True, refinement_epochs=1).fit(X)
    assert {each.device.type for each in model.encoder_.parameters()} == {"cuda"}
    assert np.array_equal(model.predict(X), model.labels_)


def test_own_views_may_come_from_the_cpu(toy_images, make_quick):
    model = make_quick(device="cuda", augmentation=lambda batch: batch.cpu() * 0.9)
    assert len(model.fit(toy_images[0]).labels_) == len(toy_images[0])


def test_views_of_a_fixed_encoder_are_drawn_where_it_is(toy_images, make_quick):
    devices = set()

    def views(batch):
        devices.add(batch.device.type)
        return batch + 0.1 * torch.rand_like(batch)

    fixed = {"encoder": torch.nn.Flatten, "train_encoder": False}
    make_quick(device="cuda", augmentation=views, **fixed).fit(toy_images[0])
    assert devices == {"cuda"}
