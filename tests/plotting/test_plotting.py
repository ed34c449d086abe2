"""Displays: what they draw, from arrays and from a small stand-in for the clusterer."""

import itertools
import sys

import matplotlib

matplotlib.use("Agg")

import types

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.colors import to_rgb
from nets import default_device
from sklearn.base import BaseEstimator
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.utils import Bunch, check_random_state

from sklearn_cae import ClusterLabelMapper, ContrastiveAutoencoderClusterer
from sklearn_cae.datasets import load_pneumoniamnist, make_toy_images
from sklearn_cae.plotting import (
    AugmentationDisplay,
    ContingencyDisplay,
    ElbowDisplay,
    EmbeddingDisplay,
    HistoryDisplay,
    PrototypeDisplay,
    ReconstructionDisplay,
    _clusters,
    _pictures,
)


class ToyClusterer(BaseEstimator):
    """What the displays use of the clusterer, on PCA and KMeans."""

    def __init__(self, n_clusters=3, output="soft_assignment", image_shape=None):
        self.n_clusters = n_clusters
        self.output = output
        self.image_shape = image_shape

    def fit(self, X):
        X = np.asarray(X)
        self.shape_ = X.shape[1:]
        self.image_shape_ = self.image_shape if X.ndim == 2 else np.atleast_3d(X[0]).shape
        self.intensity_range_ = None if self.image_shape_ is None else (0.0, 255.0)
        self.pca_ = PCA(8, random_state=0).fit(self._flat(X))
        embedding = self.embed(X)
        self.kmeans_ = KMeans(self.n_clusters, n_init=1, random_state=0).fit(embedding)
        self.labels_ = self.kmeans_.labels_
        self.embedding_means_ = self.kmeans_.cluster_centers_
        numbers = np.arange(2, 9)
        self.search_ = {
            "n_clusters": numbers,
            "inertia": 90.0 / numbers**1.5,
            "silhouette": np.array([0.3, 0.5, 0.4, 0.35, 0.3, 0.3, 0.2]),
            "knee": 4,
            "found": True,
            "best": 4,
        }
        self.history_ = make_history(50, 50)
        return self

    def _flat(self, X):
        return np.asarray(X, dtype=np.float32).reshape(len(X), -1)

    def embed(self, X):
        return self.pca_.transform(self._flat(X))

    def predict(self, X):
        return self.kmeans_.predict(self.embed(X))

    def transform(self, X):
        embedding = self.embed(X)
        return embedding if self.output == "embedding" else self.kmeans_.transform(embedding)

    def decode(self, embedding):
        X = self.pca_.inverse_transform(embedding).clip(0, 255)
        return X.astype(np.float32).reshape(len(X), *self.shape_)

    def reconstruct(self, X):
        return self.decode(self.embed(X))

    def decode_prototypes(self):
        return self.decode(self.embedding_means_)

    def assign(self, X):
        embedding, labels = self.embed(X), self.predict(X)
        distance = np.linalg.norm(embedding - self.embedding_means_[labels], axis=1)
        margin = self.margin(X)
        return Bunch(embedding=embedding, labels=labels, similarity=-distance, margin=margin)

    def margin(self, X):
        distance = np.sort(self.kmeans_.transform(self.embed(X)), axis=1)
        return distance[:, 1] - distance[:, 0]

    def sample(self, n_samples=1, cluster=None, random_state=None):
        rng = check_random_state(random_state)
        noise = rng.normal(scale=200, size=(n_samples, self.embedding_means_.shape[1]))
        return self.decode(self.embedding_means_[cluster] + noise), np.full(n_samples, cluster)


def make_history(n_warm_up, n_conditioning):
    rows = []
    for epoch in range(1, n_warm_up + n_conditioning + 1):
        row = {
            "phase": "warm_up" if epoch <= n_warm_up else "conditioning",
            "epoch": epoch,
            "reconstruction_loss": 0.02 + 0.1 / epoch,
            "learning_rate": min(epoch / 10, 1.0) * 0.25,
            "dur": 1.0,
        }
        if epoch <= n_warm_up:
            row["contrastive_loss"] = 4 + 1 / epoch
        row["train_loss"] = row.get("contrastive_loss", 0) + 0.1 * row["reconstruction_loss"]
        rows.append(row)
    return rows


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def toy():
    return make_toy_images(60, random_state=0)


@pytest.fixture(scope="module")
def clusterer(toy):
    return ToyClusterer().fit(toy.data)


def legend_of(panel):
    return [text.get_text() for text in panel.get_legend().get_texts()]


def thumbnails_of(panel):
    return [artist for artist in panel.artists if hasattr(artist, "offsetbox")]


def _text_of(labels):
    return [label.get_text() for label in labels]


def color_of(panel, name):
    (points,) = [each for each in panel.collections if each.get_label() == name]
    return points.get_facecolor()[0, :3].tolist()


# ---- EmbeddingDisplay ----


def test_panels_are_those_with_labels_in_the_order_of_the_paper(clusterer, toy):
    names = toy.target_names[toy.target]
    display = EmbeddingDisplay.from_estimator(clusterer, toy.data, names, mapped_labels=names)
    titles = [panel.get_title(loc="left") for panel in display.axes_]
    assert titles == ["(A) true label", "(B) cluster", "(C) mapped label"]
    assert legend_of(display.axes_[0]) == sorted(toy.target_names)
    assert legend_of(display.axes_[1]) == ["0", "1", "2"]


def test_one_panel_has_no_letter_and_each_cluster_its_thumbnail(clusterer, toy):
    display = EmbeddingDisplay.from_estimator(clusterer, toy.data)
    (panel,) = display.axes_
    assert panel.get_title(loc="left") == "cluster"
    assert len(thumbnails_of(panel)) == clusterer.n_clusters
    places = [thumbnail.xy for thumbnail in thumbnails_of(panel)]
    np.testing.assert_array_equal(places, display.prototype_coordinates)


def test_a_prototype_lies_closest_to_its_own_cluster(clusterer, toy):
    display = EmbeddingDisplay.from_estimator(clusterer, toy.data)
    clusters = display.panels["cluster"]
    centres = np.array([display.coordinates[clusters == c].mean(axis=0) for c in range(3)])
    distance = np.linalg.norm(display.prototype_coordinates[:, None] - centres, axis=2)
    np.testing.assert_array_equal(distance.argmin(axis=1), [0, 1, 2])


def test_the_legend_lies_outside_the_points(clusterer, toy):
    display = EmbeddingDisplay.from_estimator(clusterer, toy.data, toy.target)
    display.figure_.canvas.draw()
    for panel in display.axes_:
        assert panel.get_legend().get_window_extent().y1 < panel.get_window_extent().y0


def test_true_and_mapped_labels_share_their_colors():
    # Alone, "b" would be the first of the mapped labels and get the first colour.
    panels = {"true label": ["a", "b", "c"], "mapped label": ["b", "b", "c"]}
    true, mapped = EmbeddingDisplay(np.eye(3)[:, :2], panels).plot().axes_
    assert color_of(true, "b") == color_of(mapped, "b") != color_of(true, "a")


def test_frames_have_the_colors_of_their_clusters(clusterer, toy):
    true, cluster = EmbeddingDisplay.from_estimator(clusterer, toy.data, toy.target).axes_
    frames = [each.patch.get_edgecolor()[:3] for each in thumbnails_of(cluster)]
    assert [list(frame) for frame in frames] == [color_of(cluster, name) for name in "012"]
    assert {each.patch.get_edgecolor() for each in thumbnails_of(true)} == {(0, 0, 0, 1)}


def test_more_labels_than_colors_stay_apart():
    styles = _pictures.styles([np.arange(30)])
    assert len(set(styles.values())) == 30


def test_max_samples_bounds_what_is_embedded(clusterer, toy):
    display = EmbeddingDisplay.from_estimator(clusterer, toy.data, toy.target, max_samples=25)
    assert display.coordinates.shape == (25, 2)
    again = EmbeddingDisplay.from_estimator(clusterer, toy.data, toy.target, max_samples=25)
    np.testing.assert_array_equal(display.coordinates, again.coordinates)


def test_subsampled_labels_stay_with_their_points():
    embedding = np.repeat(np.eye(3), 40, axis=0)
    embedding = embedding + np.random.RandomState(0).normal(scale=0.01, size=embedding.shape)
    labels = np.repeat([0, 1, 2], 40)
    display = EmbeddingDisplay.from_predictions(
        embedding, {"cluster": labels}, max_samples=60, perplexity=10
    )
    drawn = display.panels["cluster"]
    centres = np.array([display.coordinates[drawn == c].mean(axis=0) for c in range(3)])
    distance = np.linalg.norm(display.coordinates[:, None] - centres, axis=2)
    np.testing.assert_array_equal(distance.argmin(axis=1), drawn)


def test_neighbors_are_those_by_cosine():
    rng = np.random.RandomState(0)
    directions = np.repeat(np.eye(2), 20, axis=0) + rng.normal(scale=0.01, size=(40, 2))
    panels = {"cluster": np.repeat([0, 1], 20)}
    near = EmbeddingDisplay.from_predictions(directions, panels)
    lengths = 2.0 ** rng.randint(4, size=(40, 1))  # powers of 2 scale without rounding
    far = EmbeddingDisplay.from_predictions(lengths * directions, panels)
    np.testing.assert_array_equal(near.coordinates, far.coordinates)


def test_no_seed_leaves_the_global_generator_alone(clusterer, toy):
    before = np.random.get_state()[1].tolist()
    EmbeddingDisplay.from_estimator(clusterer, toy.data, max_samples=30, random_state=None)
    assert np.random.get_state()[1].tolist() == before


def test_the_estimator_keeps_its_output(clusterer, toy):
    EmbeddingDisplay.from_estimator(clusterer, toy.data)
    assert clusterer.output == "soft_assignment"


def test_vectors_have_no_thumbnails(toy):
    X = pd.DataFrame(toy.data.reshape(60, -1))
    display = EmbeddingDisplay.from_estimator(ToyClusterer().fit(X), X)
    assert thumbnails_of(display.axes_[0]) == []


@pytest.mark.parametrize("n_samples", [2, 5])
def test_few_samples_and_one_dimension_are_laid_out(n_samples):
    embedding = np.linspace(-1, 1, n_samples)[:, None]
    display = EmbeddingDisplay.from_predictions(embedding, {"cluster": range(n_samples)})
    assert np.isfinite(display.coordinates).all()


def test_wrong_lengths_and_no_panel_are_errors(clusterer, toy):
    with pytest.raises(ValueError, match=r"y must have 60 entries.* got 59"):
        EmbeddingDisplay.from_estimator(clusterer, toy.data, toy.target[:-1])
    with pytest.raises(ValueError, match="at least one panel"):
        EmbeddingDisplay([[0, 0]], {"cluster": None})
    with pytest.raises(ValueError, match=r"prototype_coordinates must have 1 entries.* got None"):
        EmbeddingDisplay([[0, 0]], {"cluster": [0]}, prototypes=toy.data[:1])


@pytest.mark.parametrize("method", ["opentsne", "umap"])
def test_what_is_not_laid_out_is_placed_among_its_own(method):
    pytest.importorskip({"opentsne": "openTSNE", "umap": "umap"}[method], reason="an extra")
    labels = np.arange(240) % 3
    noise = np.random.RandomState(0).normal(scale=0.02, size=(240, 8))
    display = EmbeddingDisplay.from_predictions(
        np.eye(8)[labels] + noise,
        {"cluster": labels},
        prototype_embedding=np.eye(8)[:3],
        prototypes=np.zeros((3, 8, 8)),
        method=method,
        max_samples=90,
        perplexity=15,
    )
    assert display.coordinates.shape == (240, 2)
    np.testing.assert_array_equal(display.panels["cluster"], labels)
    to_prototypes = display.coordinates[:, None] - display.prototype_coordinates
    np.testing.assert_array_equal(np.linalg.norm(to_prototypes, axis=2).argmin(axis=1), labels)


def test_a_layout_that_is_not_installed_names_the_extra(monkeypatch, clusterer, toy):
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(ImportError, match=r"pip install 'sklearn_cae\[layout\]'"):
        EmbeddingDisplay.from_estimator(clusterer, toy.data, method="umap")
    with pytest.raises(ValueError, match=r"method must be one of .*'tsne'.*, got 'pca'"):
        EmbeddingDisplay.from_estimator(clusterer, toy.data, method="pca")


# ---- PrototypeDisplay ----


def test_rows_tell_size_mapped_label_and_mix(clusterer, toy):
    names = toy.target_names[toy.target]
    display = PrototypeDisplay.from_estimator(clusterer, toy.data, names, mapped_labels=names)
    for cluster, text in enumerate(display.ax_.get_yticklabels()):
        name, n = names[clusterer.labels_ == cluster][0], (clusterer.labels_ == cluster).sum()
        assert text.get_text() == f"cluster {cluster}, n = {n}\nmapped to {name}\n{name}: 100%"


def test_the_mix_names_the_two_most_frequent_labels():
    y = np.array(["a", "b", "b", "c", "c", "c"])
    (text,) = _clusters.describe(np.zeros(6, int), 1, {"y": y})
    assert text == "cluster 0, n = 6\nc: 50%, b: 33%"


def test_a_cluster_without_members_is_described_by_its_size():
    y = np.array(["a", "a"])
    texts = _clusters.describe(np.zeros(2, int), 2, {"y": y, "mapped_labels": y})
    assert texts[1] == "cluster 1, n = 0"


def test_missing_members_stay_white_and_empty_blocks_are_left_out():
    black, none = np.zeros((2, 8, 8)), np.zeros((0, 8, 8))
    display = PrototypeDisplay(
        black, members=[black, none], samples=[none, none], intensity_range=(0, 1)
    ).plot()
    canvas = display.ax_.images[0].get_array()
    titles = [text.get_text() for text in display.ax_.get_xticklabels()]
    assert titles == ["prototype", "difference\nfrom mean", "typical\nmembers"]
    upper, lower = np.split(canvas[:, 28:], 2)  # a picture is 10 wide with its pad, the gap 4
    assert upper.min() == 0
    assert lower.min() == 1


def test_images_in_a_row_are_the_prototype_then_the_members_then_the_samples():
    gray = np.ones((1, 8, 8))
    prototype = np.linspace(0, 1, 64).reshape(1, 8, 8)
    display = PrototypeDisplay(prototype, [0.2 * gray], [0.3 * gray], intensity_range=(0, 1))
    canvas = display.plot().ax_.images[0].get_array()
    np.testing.assert_allclose(canvas[5, [19, 33], 0], [0.2, 0.3])
    low, high = np.percentile(prototype, [1, 99])
    np.testing.assert_allclose(
        canvas[1:9, 1:9, 0], ((prototype[0] - low) / (high - low)).clip(0, 1)
    )
    np.testing.assert_array_equal(display.ax_.get_xticks(), [5, 19, 33])


def test_pictures_have_outlines_and_gaps_have_none():
    white, none = np.ones((2, 8, 8)), np.ones((0, 8, 8))
    display = PrototypeDisplay(white, [white, white[:1]], [none] * 2, intensity_range=(0, 1))
    (outlines,) = display.plot().ax_.collections
    corners = [tuple(path.get_extents().p0 + 0.5) for path in outlines.get_paths()]
    assert corners == [  # of prototypes, differences, members
        *[(1, 1), (1, 11), (15, 1), (15, 11)],
        *[(29, 1), (39, 1), (29, 11)],
    ]


def test_prototypes_of_low_contrast_are_told_apart():
    """They use the range of all prototypes; the others use that of the training images."""
    ramp = np.linspace(-1, 1, 64).reshape(8, 8)
    prototypes = 128 + np.stack([2 * ramp, ramp + 3])
    members = [[image] for image in prototypes]
    display = PrototypeDisplay(prototypes, members, [[], []], intensity_range=(0, 255)).plot()
    dark, bright = np.split(display.ax_.images[0].get_array(), 2)
    assert np.ptp(dark[1:9, 29:37, 0]) < 0.02  # the member
    assert np.ptp(dark[1:9, 1:9, 0]) > 0.5
    assert bright[1:9, 1:9, 0].mean() - dark[1:9, 1:9, 0].mean() > 0.3
    red, blue = bright[5, 20], dark[5, 20]  # differences from the mean
    assert red[0] > red[2]
    assert blue[0] < blue[2]


def test_one_prototype_and_colors_have_no_difference():
    image = np.eye(8)
    display = PrototypeDisplay([image], [[image]], [[image]]).plot()
    assert _text_of(display.ax_.get_xticklabels())[:2] == ["prototype", "typical\nmembers"]
    colored = np.random.RandomState(0).rand(2, 8, 8, 3)
    display = PrototypeDisplay(colored, colored[:, None], colored[:, None]).plot()
    assert _text_of(display.ax_.get_xticklabels())[:2] == ["prototype", "typical\nmembers"]


def test_titles_of_narrow_blocks_do_not_touch(clusterer, toy):
    display = PrototypeDisplay.from_estimator(clusterer, toy.data, n_members=1, n_samples=1)
    display.figure_.canvas.draw()
    boxes = [text.get_window_extent() for text in display.ax_.get_xticklabels()]
    assert len(boxes) == 5
    for left, right in itertools.pairwise(boxes):
        assert right.x0 - left.x1 > 3  # pixels


def test_members_alone_give_their_range():
    prototypes = np.stack([np.eye(8), 2 * np.eye(8)])
    members = [[np.zeros((8, 8)), np.full((8, 8), 4.0)], [np.full((8, 8), 8.0)]]
    display = PrototypeDisplay(prototypes, members, [[], []]).plot()
    canvas = display.ax_.images[0].get_array()
    np.testing.assert_allclose(canvas[[5, 5, 15], [33, 43, 33], 0], [0, 0.5, 1])
    assert PrototypeDisplay(prototypes, [[], []], [[], []]).plot().ax_.images  # prototypes alone


def test_rows_have_the_colors_and_markers_of_the_map(clusterer, toy):
    display = PrototypeDisplay.from_estimator(clusterer, toy.data)
    (panel,) = EmbeddingDisplay.from_estimator(clusterer, toy.data, max_samples=30).axes_
    marks = display.ax_.lines
    assert [to_rgb(mark.get_color()) for mark in marks] == [
        tuple(color_of(panel, name)) for name in "012"
    ]
    np.testing.assert_array_equal([mark.get_ydata()[0] for mark in marks], display.ax_.get_yticks())
    looks = list(_pictures.styles([np.arange(9)]).values())
    images = np.zeros((9, 8, 8))
    marks = PrototypeDisplay(images, images[:, None], images[:, None]).plot().ax_.lines
    assert [(mark.get_color(), mark.get_marker()) for mark in marks] == looks


def test_marks_lie_between_labels_and_pictures(clusterer, toy):
    display = PrototypeDisplay.from_estimator(clusterer, toy.data)
    display.figure_.canvas.draw()
    for mark, text in zip(display.ax_.lines, display.ax_.get_yticklabels(), strict=True):
        box = mark.get_window_extent()
        assert text.get_window_extent().x1 < box.x0
        assert box.x1 < display.ax_.get_window_extent().x0


def test_a_single_pixel_does_not_set_the_scale_of_differences():
    originals = np.zeros((4, 16, 16))
    reconstructions = originals + 1
    reconstructions[0, 0, 0] = 100
    display = ReconstructionDisplay(originals, reconstructions).plot()
    red = display.ax_.images[0].get_array()[-9, 9]
    assert red[0] > 2 * red[2]


def test_doubtful_members_have_the_smallest_margins_of_their_cluster(clusterer, toy):
    display = PrototypeDisplay.from_estimator(clusterer, toy.data, n_members=2)
    margin = clusterer.margin(toy.data)
    for cluster, images in enumerate(display.doubtful):
        members = np.flatnonzero(clusterer.labels_ == cluster)
        np.testing.assert_array_equal(images, toy.data[members[np.argsort(margin[members])[:2]]])


def test_flat_rows_are_reshaped_in_their_own_order(toy):
    estimator = types.SimpleNamespace(image_shape=(8, 9, 3), image_shape_=(3, 8, 9))
    images = np.random.RandomState(0).rand(2, 8, 9, 3)
    np.testing.assert_array_equal(_pictures.as_images(images.reshape(2, -1), estimator), images)


def test_flat_rows_are_drawn_where_the_image_shape_is_known(toy):
    X = toy.data.reshape(60, -1)
    clusterer = ToyClusterer(image_shape=(1, 16, 16)).fit(X)
    display = PrototypeDisplay.from_estimator(clusterer, X)
    assert display.prototypes.shape == (3, 1, 16, 16)
    assert len(thumbnails_of(EmbeddingDisplay.from_estimator(clusterer, X).axes_[0])) == 3


def test_vectors_are_no_images(toy):
    X = toy.data.reshape(60, -1)
    clusterer = ToyClusterer().fit(X)
    with pytest.raises(ValueError, match="fit with image_shape="):
        PrototypeDisplay.from_estimator(clusterer, X)
    with pytest.raises(ValueError, match="fit with image_shape="):
        ReconstructionDisplay.from_estimator(clusterer, X)


def test_as_many_members_as_prototypes(toy):
    with pytest.raises(ValueError, match="members must have 2 entries"):
        PrototypeDisplay(toy.data[:2], [toy.data], [toy.data] * 2)


# ---- ContingencyDisplay ----


def test_cells_count_and_the_mapped_label_is_framed():
    y = np.array(["ill", "ill", "well", "well", "well"])
    mapper = ClusterLabelMapper(input="labels").fit([[1], [1], [1], [0], [0]], y)
    display = ContingencyDisplay.from_estimator(mapper)
    assert [text.get_text() for text in display.ax_.texts] == ["0", "2", "2", "1"]
    assert [text.get_text() for text in display.ax_.get_xticklabels()] == ["ill", "well"]
    assert _text_of(display.ax_.get_yticklabels()) == ["cluster 0, n = 2", "cluster 1, n = 3"]
    framed = [tuple(np.rint(patch.get_center()).astype(int)) for patch in display.ax_.patches]
    assert framed == [(1, 0), (0, 1)]  # column and row
    np.testing.assert_allclose(display.ax_.images[0].get_array(), [[0, 1], [2 / 3, 1 / 3]])


def test_predictions_make_the_same_picture_as_the_mapper(toy, clusterer):
    labels = clusterer.labels_
    mapper = ClusterLabelMapper(input="labels").fit(labels[:, None], toy.target)
    one = ContingencyDisplay.from_estimator(mapper)
    other = ContingencyDisplay.from_predictions(toy.target, labels, mapping=mapper.mapping_)
    np.testing.assert_array_equal(one.contingency, other.contingency)
    assert one.row_labels == other.row_labels
    assert len(one.ax_.patches) == len(other.ax_.patches) == 3


def test_a_label_that_no_sample_has_is_not_framed():
    display = ContingencyDisplay.from_predictions(
        ["a", "a"], ["x", "y"], mapping={"x": "a", "y": "b"}
    )
    assert len(display.ax_.patches) == 1
    assert _text_of(display.ax_.get_yticklabels()) == ["cluster x, n = 1", "cluster y, n = 1"]


def test_noise_carries_no_clusters_label():
    display = ContingencyDisplay.from_predictions(
        ["a", "b", "b"], [0, 1, -1], mapping=np.array(["a", "b"])
    )
    assert len(display.ax_.patches) == 2
    assert _text_of(display.ax_.get_yticklabels())[0] == "cluster -1, n = 1"


@pytest.mark.parametrize("dtype", [bool, np.int8, np.int16])
def test_intensities_of_any_type_have_a_range(dtype):
    ends = (False, True) if dtype is bool else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    X = np.tile(np.array(ends, dtype), (4, 8, 4))
    ReconstructionDisplay(X, X).plot()
    pictures = _pictures.to_pictures(X, _pictures.find_range(X))
    np.testing.assert_array_equal(pictures[..., 0], X == ends[1])


def test_clusters_and_names_must_be_as_many():
    with pytest.raises(ValueError, match="mapping must have 2 entries"):
        ContingencyDisplay([[1, 0], [0, 1]], mapping=["a"])
    with pytest.raises(NotFittedError):
        ContingencyDisplay.from_estimator(ClusterLabelMapper())


# ---- AugmentationDisplay ----


def test_sums_of_weights_are_written_short():
    mapper = ClusterLabelMapper(input="labels")
    mapper.fit([[0], [0], [1]], ["a", "b", "b"], sample_weight=[1 / 3, 2, 1])
    display = ContingencyDisplay.from_estimator(mapper)
    assert [text.get_text() for text in display.ax_.texts] == ["0.3333", "2", "0", "1"]
    rows = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert rows == ["cluster 0, n = 2.333", "cluster 1, n = 1"]


def test_views_are_those_of_the_images_beside_them():
    X = np.zeros((4, 8, 8))
    X[np.arange(4), :, :] = np.arange(4)[:, None, None] / 3
    display = AugmentationDisplay.from_images(X, lambda batch: batch * 0.5, n_images=4, n_views=3)
    originals = np.ravel([image[0, 0, 0] for image in display.originals])
    np.testing.assert_allclose(originals, np.arange(4) / 3, rtol=1e-6)
    for original, views in zip(originals, display.views, strict=True):
        assert views.shape == (3, 1, 8, 8)
        np.testing.assert_allclose(views, original / 2, rtol=1e-6)


def test_views_before_training_are_those_of_the_parameters(toy):
    clusterer = ContrastiveAutoencoderClusterer(augmentation="xray")
    display = AugmentationDisplay.from_estimator(clusterer, toy.data, n_images=3)
    same = AugmentationDisplay.from_images(toy.data, "xray", n_images=3)
    other = AugmentationDisplay.from_images(toy.data, "paper", n_images=3)
    np.testing.assert_array_equal(display.views, same.views)
    assert not np.array_equal(display.views, other.views)
    views = np.array(display.views)
    assert not np.array_equal(views[:, 0], views[:, 1])


def test_views_do_not_depend_on_the_default_device(toy):
    expected = AugmentationDisplay.from_images(toy.data, "paper", n_images=3, random_state=0)
    with default_device("meta"):
        display = AugmentationDisplay.from_images(toy.data, "paper", n_images=3, random_state=0)
    np.testing.assert_array_equal(display.views, expected.views)


def test_views_of_vectors_are_not_drawn(toy):
    flat = toy.data.reshape(60, -1)
    with pytest.raises(ValueError, match="pass image_shape="):
        AugmentationDisplay.from_images(flat)
    display = AugmentationDisplay.from_images(flat, image_shape=(16, 16), n_images=2)
    assert display.originals.shape == (2, 1, 16, 16)
    with pytest.raises(ValueError, match="augmentation must fit images"):
        AugmentationDisplay.from_images(toy.data, "vector")


def test_views_leave_the_global_generators_alone(toy):
    before = torch.get_rng_state()
    AugmentationDisplay.from_images(toy.data, lambda batch: batch + torch.rand(()))
    assert torch.equal(torch.get_rng_state(), before)


# ---- ReconstructionDisplay ----


def test_originals_stand_above_reconstructions_above_differences():
    originals = np.zeros((2, 8, 8), dtype=np.uint8)
    originals[1] = 100
    reconstructions = np.stack([originals[0] + 100.0, originals[1] - 50.0])
    display = ReconstructionDisplay(originals, reconstructions).plot()
    canvas = display.ax_.images[0].get_array()
    assert canvas[5, 5, 0] == 0
    assert canvas[15, 5, 0] == 1
    red, blue = canvas[25, 5], canvas[25, 15]
    assert red[0] > red[2]
    assert blue[0] < blue[2]


def test_no_difference_is_drawn_white(toy):
    display = ReconstructionDisplay(toy.data[:2], toy.data[:2]).plot()
    canvas = display.ax_.images[0].get_array()
    assert canvas[-5:, :].min() > 0.95


def test_some_images_are_chosen_by_the_seed(clusterer, toy):
    display = ReconstructionDisplay.from_estimator(clusterer, toy.data, n_images=4)
    assert display.originals.shape == display.reconstructions.shape == (4, 16, 16)
    other = ReconstructionDisplay.from_estimator(clusterer, toy.data, n_images=4, random_state=1)
    assert (other.originals != display.originals).any()


def test_shapes_of_originals_and_reconstructions_must_agree(toy):
    with pytest.raises(ValueError, match=r"shape of originals, \(60, 16, 16\), got \(59"):
        ReconstructionDisplay(toy.data, toy.data[1:])


# ---- ElbowDisplay and HistoryDisplay ----


def test_the_knee_is_marked_in_both_panels(clusterer):
    display = ElbowDisplay.from_estimator(clusterer)
    assert legend_of(display.axes_[0]) == ["knee at 4"]
    assert [list(panel.lines[1].get_xdata()) for panel in display.axes_] == [[4, 4]] * 2


@pytest.mark.parametrize(("knee", "found"), [(None, False), (4, False), (None, True)])
def test_without_a_knee_the_best_silhouette_is_marked(knee, found):
    display = ElbowDisplay([2, 3, 4], [9, 4, 3], [0.1, 0.2, 0.3], knee=knee, found=found).plot()
    assert legend_of(display.axes_[0]) == ["no knee found;\nbest silhouette at 4"]


def test_a_given_number_of_clusters_has_no_elbow(toy):
    clusterer = ToyClusterer().fit(toy.data)
    clusterer.search_ = None
    with pytest.raises(ValueError, match="got one with n_clusters=3"):
        ElbowDisplay.from_estimator(clusterer)
    with pytest.raises(ValueError, match="silhouette must have 2 entries"):
        ElbowDisplay([2, 3], [1, 2], [0.1])


@pytest.mark.parametrize("display", [ElbowDisplay, HistoryDisplay])
def test_an_unfitted_clusterer_is_an_error(display):
    with pytest.raises(NotFittedError):
        display.from_estimator(ToyClusterer())


def test_a_phase_without_a_loss_has_no_line_of_it():
    history = three_phases(3, 2, 2)
    for row in history:
        if row["phase"] == "refinement":
            del row["reconstruction_loss"]
    _, reconstruction, learning_rate = HistoryDisplay(history).plot().axes_
    assert legend_of(reconstruction) == ["warm-up", "conditioning"]
    assert legend_of(learning_rate) == ["warm-up", "refinement", "conditioning"]
    assert reconstruction.lines[2].get_color() == learning_rate.lines[3].get_color()


def test_losses_are_drawn_over_their_phases(clusterer):
    warm_up, reconstruction, learning_rate = HistoryDisplay.from_estimator(clusterer).axes_
    assert [len(line.get_xdata()) for line in warm_up.lines] == [50, 50]
    assert legend_of(warm_up) == ["total", "contrastive"]
    for panel, key in ((reconstruction, "reconstruction_loss"), (learning_rate, "learning_rate")):
        first, second, boundary = panel.lines
        drawn = np.concatenate([first.get_ydata(), second.get_ydata()])
        np.testing.assert_array_equal(drawn, [row[key] for row in clusterer.history_])
        assert list(boundary.get_xdata()) == [50.5, 50.5]
        assert legend_of(panel) == ["warm-up", "conditioning"]
        assert first.get_color() != second.get_color()


def test_a_fixed_encoder_has_no_contrastive_loss():
    history = [
        {"phase": "warm_up", "epoch": epoch, "train_loss": 1.0, "reconstruction_loss": 1.0}
        for epoch in (1, 2)
    ]
    warm_up, *_ = HistoryDisplay(history).plot().axes_
    assert legend_of(warm_up) == ["total"]


def three_phases(*lengths):
    phases = np.repeat(["warm_up", "refinement", "conditioning"], lengths)
    return [
        {"phase": str(phase), "epoch": epoch + 1, "learning_rate": 0.1, "reconstruction_loss": 0.2}
        for epoch, phase in enumerate(phases)
    ]


@pytest.mark.parametrize("lengths", [(100, 5, 5), (1, 1, 1), (5, 5, 100), (200, 100, 65)])
def test_names_of_phases_do_not_touch(lengths):
    display = HistoryDisplay(three_phases(*lengths)).plot()
    display.figure_.canvas.draw()
    panels = display.axes_[1:]
    for panel in panels:
        assert legend_of(panel) == ["warm-up", "refinement", "conditioning"]
        starts = [line.get_xdata()[0] for line in panel.lines if line.get_linestyle() == "--"]
        assert starts == [lengths[0] + 0.5, sum(lengths[:2]) + 0.5]
        assert panel.get_legend().get_window_extent().y0 >= panel.get_window_extent().y1
    texts = [text for panel in panels for text in panel.get_legend().get_texts()]
    boxes = [text.get_window_extent() for text in texts]
    for left, right in itertools.pairwise(boxes):
        assert right.x0 - left.x1 > 5  # pixels
    legends = [panel.get_legend().get_window_extent() for panel in panels]
    assert legends[1].x0 - legends[0].x1 > 5
    width, height = display.figure_.canvas.get_width_height()
    assert legends[1].x1 <= width
    assert legends[1].y1 <= height


def test_one_phase_has_no_boundary():
    display = HistoryDisplay(make_history(3, 0)).plot()
    assert [len(panel.lines) for panel in display.axes_] == [2, 1, 1]
    assert [panel.get_legend() for panel in display.axes_[1:]] == [None, None]


# ---- Images, axes, matplotlib ----


@pytest.mark.parametrize("shape", [(8, 10), (1, 8, 10), (2, 8, 10), (3, 8, 10), (4, 8, 10)])
def test_any_channels_become_pictures(shape):
    images = np.random.RandomState(0).randint(0, 256, size=(5, *shape)).astype(np.uint16)
    pictures = _pictures.to_pictures(images, (0, 255))
    assert pictures.shape == (5, 8, 10, 3)
    if len(shape) == 3:
        last = _pictures.to_pictures(np.moveaxis(images, 1, -1), (0, 255))
        np.testing.assert_array_equal(last, pictures)
        expected = images / 255 if shape[0] == 3 else images.mean(axis=1, keepdims=True) / 255
        np.testing.assert_allclose(np.moveaxis(pictures, -1, 1)[:, :1], expected[:, :1])


def test_channels_that_could_be_first_or_last_are_refused():
    """By the rule of the estimator: a guess would draw another image."""
    images = np.zeros((2, 4, 8, 3))
    with pytest.raises(ValueError, match="Both the first and the last"):
        ReconstructionDisplay(images, images).plot()


def test_values_outside_the_range_are_clipped_and_constants_drawn():
    np.testing.assert_array_equal(_pictures.to_pictures([[[-5, 15]]], (0, 10))[0, 0, :, 0], [0, 1])
    assert np.isfinite(_pictures.to_pictures([[[7, 7]]], (7, 7))).all()


@pytest.mark.parametrize("shape", [(5, 64), (5, 7, 8, 8), (5, 1, 1, 8, 8, 8)])
def test_what_is_no_image_is_an_error(shape):
    with pytest.raises(ValueError, match=r"[Ii]mages must have (shape|1 to 4 channels)"):
        ReconstructionDisplay(np.ones(shape), np.ones(shape)).plot()


def test_given_axes_are_drawn_into(clusterer, toy):
    figure, axes = plt.subplots(2, 2)
    assert ElbowDisplay.from_estimator(clusterer, ax=axes[0]).figure_ is figure
    display = PrototypeDisplay.from_estimator(clusterer, toy.data, ax=axes[1, 0])
    assert display.ax_ is axes[1, 0]
    assert display.figure_ is figure
    with pytest.raises(ValueError, match="ax must hold 3 matplotlib Axes, got 2"):
        HistoryDisplay.from_estimator(clusterer, ax=axes[0])


def test_matplotlibs_settings_stay_as_they_were(clusterer, toy):
    before = dict(plt.rcParams)
    PrototypeDisplay.from_estimator(clusterer, toy.data)
    HistoryDisplay.from_estimator(clusterer)
    assert dict(plt.rcParams) == before


def test_without_matplotlib_the_extra_is_named(clusterer, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install 'sklearn_cae\[plot\]'"):
        ElbowDisplay.from_estimator(clusterer)


def test_chest_x_rays_are_drawn(data_root, tmp_path):
    X, y = load_pneumoniamnist("val", root=data_root, return_X_y=True)
    clusterer = ToyClusterer(4).fit(X)
    EmbeddingDisplay.from_estimator(clusterer, X, y, max_samples=100).figure_.savefig(
        tmp_path / "embedding.png"
    )
    display = PrototypeDisplay.from_estimator(clusterer, X, y)
    display.figure_.savefig(tmp_path / "prototypes.png")
    # Black and white of members are those of the type, not of the images drawn.
    canvas = display.ax_.images[0].get_array()
    assert canvas.shape == (4 * 32, 17 * 32 + 4 * 14, 3)
    np.testing.assert_allclose(canvas[2:30, 94:122, 0], display.members[0][0] / 255)
