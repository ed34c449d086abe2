import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_cae.modules import (
    DeepDecoder,
    Encoder,
    ProjectionHead,
    UnpooledEncoder,
    VectorEncoder,
    image_decoder,
    vector_decoder,
)


def n_parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_encoder_is_the_papers():
    encoder = Encoder((1, 28, 28))
    sides, x = [], torch.zeros(1, 1, 28, 28)
    for layer in encoder:
        x = layer(x)
        if isinstance(layer, (torch.nn.Conv2d, torch.nn.AvgPool2d)):
            sides.append(tuple(x.shape[1:]))
    assert sides == [(32, 14, 14), (64, 7, 7), (128, 3, 3), (128, 1, 1)]
    assert x.shape == (1, 128)
    convolutions = (16 + 1) * 32 + (32 * 16 + 1) * 64 + (64 * 16 + 1) * 128
    assert n_parameters(encoder) == convolutions + (128 + 1) * 128
    assert sum(isinstance(layer, torch.nn.GELU) for layer in encoder) == 3


@pytest.mark.parametrize("encoder", [Encoder, UnpooledEncoder])
def test_only_the_unpooled_encoder_sees_the_lower_right_corner(encoder):
    torch.manual_seed(0)
    image = torch.zeros(1, 1, 28, 28, requires_grad=True)
    encoder((1, 28, 28))(image).sum().backward()
    assert (image.grad[..., 23:27, 23:27] != 0).all() == (encoder is UnpooledEncoder)


def test_the_head_has_three_layers():
    head = ProjectionHead(64)
    assert [type(layer).__name__ for layer in head] == [
        *["Linear", "BatchNorm1d", "ReLU"] * 2,
        "Linear",
    ]
    assert head(torch.zeros(3, 64)).shape == (3, 128)


@settings(max_examples=40, deadline=None)
@given(
    channels=st.integers(1, 4),
    height=st.integers(8, 70),
    width=st.integers(8, 70),
    embedding_dim=st.integers(1, 40),
)
def test_decoding_gives_back_the_shape(channels, height, width, embedding_dim):
    shape = (channels, height, width)
    embedding = Encoder(shape, embedding_dim)(torch.zeros(2, *shape))
    assert embedding.shape == (2, embedding_dim)
    assert image_decoder(shape, embedding_dim)(embedding).shape == (2, *shape)


def test_the_largest_images_fit():
    shape = (1, 512, 512)
    embedding = Encoder(shape)(torch.zeros(1, *shape))
    assert image_decoder(shape)(embedding).shape == (1, *shape)


@settings(max_examples=30, deadline=None)
@given(
    channels=st.integers(1, 4),
    sides=st.lists(st.integers(8, 520), min_size=2, max_size=2),
    embedding_dim=st.integers(1, 40),
)
def test_a_deep_decoder_begins_with_few_pixels_and_gives_back_the_shape(
    channels, sides, embedding_dim
):
    if min(sides) * max(sides) > 2**16:
        sides = [min(sides) // 4 + 6, max(sides)]  # other proportions, so that it stays fast
    shape = (channels, *sides)
    decoder = DeepDecoder(shape, embedding_dim)
    decoder.add_condition(3)
    embedding = torch.zeros(2, embedding_dim)
    first = decoder.stem(embedding)
    assert first.shape[1] == 128
    assert max(first.shape[2:]) <= 8
    assert max(first.shape[2:]) >= 4 or max(sides) < 25  # 8 times 3 pixels
    assert decoder(embedding, torch.eye(3)[:2]).shape == (2, *shape)


def test_a_deep_decoder_of_volumes():
    decoder = DeepDecoder((2, 9, 80, 33), 6)
    assert decoder.stem(torch.zeros(2, 6)).shape[2:] == (1, 5, 3)
    assert decoder(torch.zeros(2, 6)).shape == (2, 2, 9, 80, 33)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 28, 28), (1, 64, 40), (1, 16, 16, 30)])
def test_up_to_64_pixels_a_deep_decoder_is_the_papers(shape):
    torch.manual_seed(0)
    papers = image_decoder(shape, 5)
    torch.manual_seed(0)
    deep = DeepDecoder(shape, 5)
    embedding = torch.randn(3, 5)
    assert torch.equal(deep(embedding), papers(embedding))
    assert deep.state_dict().keys() == papers.state_dict().keys()


def test_vector_twins():
    embedding = VectorEncoder(7, 5)(torch.zeros(2, 7))
    assert embedding.shape == (2, 5)
    assert vector_decoder(7, 5)(embedding).shape == (2, 7)


@pytest.mark.parametrize(
    "decoder",
    [image_decoder((1, 12, 20), 6), vector_decoder(9, 6), DeepDecoder((1, 80, 9), 6)],
    ids=["images", "vectors", "deep"],
)
def test_the_condition_starts_at_zero_and_then_matters(decoder):
    generator = torch.Generator().manual_seed(0)
    embedding = torch.randn(4, 6, generator=generator)
    assignment = torch.eye(4)[:, :3]
    warm = decoder(embedding)
    state = torch.get_rng_state()
    decoder.add_condition(3)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(decoder(embedding, assignment), warm)
    torch.nn.init.normal_(decoder.condition.weight, generator=generator)
    conditioned = decoder(embedding, assignment)
    assert not torch.allclose(conditioned[:3], warm[:3])
    assert torch.equal(conditioned[3], warm[3])  # the last row belongs to no cluster
