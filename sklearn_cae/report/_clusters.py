"""The clusters of a report: their members, pictures and labels."""

import numpy as np

from .._grouping.members import find_doubtful, find_typical
from .._input.axes import is_volume
from ..plotting._clusters import count_labels
from ..plotting._display import take
from ..plotting._pictures import as_images, find_contrast, styles
from ._markers import outline
from ._thumbnails import (
    to_data_uri,
    to_heat,
    to_jpeg_uri,
    to_sheet,
    to_slices,
    to_thumbnails,
)

_CARD_SIDE, _HEAT_SIDE = 96, 192  # pixels
_SLICE_SIDE, _MOST_SLICES = 64, 32  # some 50 kB a member
_BLOCK = 2**21  # values of images that are read at once
_MOST_LABELS = 5


class _Pictures:
    """Rows of X as pictures, on the intensity scale of the training images."""

    def __init__(self, estimator, X):
        self.estimator, self.X = estimator, X

    def of_prototypes(self):
        """Draw the prototypes, at the contrast at which they differ."""
        images = as_images(self.estimator.decode_prototypes(), self.estimator)
        return to_thumbnails(images, find_contrast(images), _CARD_SIDE)

    def of_rows(self, rows, side):
        """Convert rows block by block, because all of them as floats may not fit into memory."""
        step = max(1, _BLOCK // int(np.prod(self.estimator.image_shape_)))
        blocks = np.array_split(rows, max(1, -(-len(rows) // step)))
        return [
            thumbnail
            for block in blocks
            if len(block)
            for thumbnail in self._draw(take(self.X, block), side)
        ]

    def _draw(self, images, side):
        images = as_images(images, self.estimator)
        return to_thumbnails(images, self.estimator.intensity_range_, side)

    def explain(self, rows, pictures):
        """Draw over pictures of rows what pulled them to their prototype; None if unknown."""
        try:
            maps = self.estimator.saliency(take(self.X, rows))
        except ValueError:  # an encoder without gradients
            return [None] * len(rows)
        heats = (to_heat(*pair, _HEAT_SIDE) for pair in zip(pictures, maps, strict=True))
        return [to_jpeg_uri(heat) for heat in heats]

    def slices_of(self, row):
        """Return a sheet of the slices of a volume, for the slider of the page; None for images."""
        if not is_volume(self.estimator.image_shape_):
            return None
        (volume,) = as_images(take(self.X, [row]), self.estimator)
        limits = self.estimator.intensity_range_
        slices = to_slices(volume, limits, _SLICE_SIDE, _MOST_SLICES)
        sheet, n_columns = to_sheet(slices)
        depth = self.estimator.image_shape_[1]
        return {"uri": to_jpeg_uri(sheet), "n": len(slices), "columns": n_columns, "depth": depth}


class Clusters:
    """Clusters of samples, with the content of the card of each cluster.

    Parameters
    ----------
    estimator : fitted ContrastiveAutoencoderClusterer
    X : array-like
        Checked samples.
    y : ndarray of shape (n_samples,) or None
        Labels.
    assigned : Bunch
        Result of the estimator's `assign`.
    names : list of str
        Names of the samples.
    n_members : int
        Number of typical members per cluster, and of doubtful ones.
    originals : Originals or None
        Originals of the samples.
    patients : Patients or None
        Patients of the samples.
    """

    def __init__(self, estimator, X, y, assigned, names, n_members, originals, patients):
        self.n, self.n_samples = estimator.n_clusters_, len(X)
        self.y, self.names = y, names
        self.originals, self.patients = originals, patients
        self.labels, self.margins = assigned.labels, assigned.margin
        self.embedding = assigned.embedding
        self.looks = list(styles([range(self.n)]).values())
        self.pictures = None if estimator.image_shape_ is None else _Pictures(estimator, X)
        prototypes = [None] * self.n
        if self.pictures:
            prototypes = self.pictures.of_prototypes()
        shown = zip(
            find_typical(assigned.similarity, self.labels, self.n, n_members),
            find_doubtful(self.margins, self.labels, self.n, n_members),
            prototypes,
            strict=True,
        )
        self.cards = [self._describe(number, *each) for number, each in enumerate(shown)]
        self.explained = any(
            member["saliency"]
            for card in self.cards
            for members in card["members"].values()
            for member in members
        )

    def _describe(self, number, typical, doubtful, prototype):
        members = np.flatnonzero(self.labels == number)
        color, marker = self.looks[number]
        return {
            "number": number,
            "color": color,
            "outline": f"M0 0{outline(marker, 5)}",
            "size": len(members),
            "share": len(members) / self.n_samples,
            "n_patients": self.patients and self.patients.count_in(members),
            "margin": float(self.margins[members].mean()) if len(members) else None,
            "labels": None if self.y is None else _count_labels(self.y[members]),
            "prototype": prototype and to_data_uri(prototype),
            "members": {
                "Most typical members": self._show(typical, explain=True),
                "Most doubtful members": self._show(doubtful),
            },
        }

    def _show(self, rows, *, explain=False):
        seen, heat = [None] * len(rows), [None] * len(rows)
        if self.pictures and len(rows):
            pictures = self.pictures.of_rows(rows, _CARD_SIDE)
            seen = map(to_data_uri, pictures)
            heat = self.pictures.explain(rows, pictures) if explain else heat
        return [
            {
                "name": self.names[row],
                "margin": float(self.margins[row]),
                "label": None if self.y is None else str(self.y[row]),
                "original": self.originals and self.originals.to_uri(int(row)),
                "seen": uri,
                "saliency": heated,
                "slices": self.pictures and self.pictures.slices_of(row),
            }
            for row, uri, heated in zip(rows, seen, heat, strict=True)
        ]


def _count_labels(y):
    """Return (label, count, share) of the most frequent labels, and of the others together."""
    counted = count_labels(y)
    mix, others = counted[:_MOST_LABELS], counted[_MOST_LABELS:]
    if others:
        noun = "label" if len(others) == 1 else "labels"
        mix.append((f"{len(others)} other {noun}", sum(count for _, count in others)))
    return [(str(label), count, count / len(y)) for label, count in mix]
