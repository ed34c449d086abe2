"""Findings in a set of images: what was found, in which rows, and what to do."""

from dataclasses import dataclass, field

import numpy as np

from .._input.labels import is_missing
from .._input.looks import find_inverted
from ._copies import join

_LOW_CONTRAST = 0.1  # of the median contrast
_NEARLY_ALL = 0.95  # of the images: what these share is no difference between groups
_NARROWEST = 0.04  # border, as a share of the side
_FOR_ONE = {"are": "is", "belong": "belongs", "have": "has", "seem": "seems"}
#: Smallest share of pixels at an end of the range, and distance to that of the other images.
_SATURATED, _GAP = 0.2, 0.1


@dataclass(frozen=True)
class Finding:
    """One finding of :func:`check_images`.

    Attributes
    ----------
    name : str
        Short name, such as "duplicates".
    severity : {"problem", "doubt", "note"}
        Whether it should be repaired before training, or looked at, or only known.
    text : str
        Sentence with the numbers.
    advice : str
        Sentence on what to do.
    rows : ndarray of int of shape (n_rows,)
        Rows of X. Rows of copies stand set after set.
    sets : list of ndarray of int
        Rows of each set of copies. Empty for other findings.
    """

    name: str
    severity: str
    text: str
    advice: str
    rows: np.ndarray
    sets: list = field(default_factory=list)


def find_in_pixels(facts):
    """Return findings about single images, except copies and polarities.

    Parameters
    ----------
    facts : Facts

    Returns
    -------
    findings : list of Finding
    """
    usable = has_contrast(facts)
    makers = (_constant, _nearly_constant, _saturated, _truncated, _letterbox, _round, _marked)
    return [finding for make in makers if (finding := make(facts, usable)) is not None]


def has_contrast(facts):
    """Return whether the contrast of each image is at least a tenth of the median contrast."""
    return ~facts.constant & (facts.contrast >= _LOW_CONTRAST * _typical_contrast(facts))


def _typical_contrast(facts):
    return 0.0 if facts.constant.all() else np.median(facts.contrast[~facts.constant])


def _constant(facts, usable):
    text = "are constant: all pixels are equal"
    advice = "Leave these images out, or check how their files were read."
    return _found("constant", "problem", facts.constant, text, advice)


def _nearly_constant(facts, usable):
    typical = _typical_contrast(facts)
    text = f"have less than a tenth of the median contrast, {typical:.2g} of the range"
    advice = "Look at these images. Check their intensity window, or leave them out."
    rows = ~facts.constant & ~usable
    return _found("nearly_constant", "doubt", rows, text, advice)


def _saturated(facts, usable):
    known = usable & ~facts.round  # outside the circle, all pixels are equal
    ends = {"brightest": facts.bright, "darkest": facts.dark}
    above = {name: _far_above(share, known) for name, share in ends.items()}
    parts = [
        f"in {rows.sum()}, {_percents(share[rows])} of the pixels have the {name} value (at most "
        f"{_percent(share[known & ~rows].max())} in the others)"
        for (name, share), rows in zip(ends.items(), above.values(), strict=True)
        if rows.any()
    ]
    text = f"are saturated: {'; '.join(parts)}"
    advice = (
        "Look at these images. If their pixels were clipped, read the files again with another "
        "window, or with the depth in bits that the files have."
    )
    return _found("saturated", "problem", np.any(list(above.values()), axis=0), text, advice)


def _far_above(share, known):
    """Return which shares are large and far above the rest, which is at least half of them."""
    values = np.sort(share[known])
    cuts = np.arange(-(-len(values) // 2), len(values))  # numbers of values in the rest
    if len(values) < 2:
        return np.zeros(len(share), dtype=bool)
    first, third = values[cuts // 4], values[3 * cuts // 4]
    lowest = np.maximum(_SATURATED, third + 3 * (third - first))
    is_gap = (values[cuts] >= lowest) & (values[cuts] - values[cuts - 1] >= _GAP)
    if not is_gap.any():
        return np.zeros(len(share), dtype=bool)
    return known & (share >= values[cuts[is_gap.argmax()]])


def _truncated(facts, usable):
    rows = usable & _is_cut(facts)
    heights = np.maximum(facts.borders[rows, 1], facts.gray_end[rows]) / facts.shape[0]
    text = f"seem to end early: the lowest rows, {_percents(heights)} of the image, are constant"
    advice = "Open these files. If they were cut while they were copied, copy them again."
    return _found("truncated", "doubt", rows, text, advice)


def _letterbox(facts, usable):
    height, width = facts.shape
    rows = usable & _is_wide(facts, facts.borders).any(axis=1) & ~_is_cut(facts)
    shares = facts.borders[rows] @ [
        [1 / height, 0],
        [1 / height, 0],
        [0, 1 / width],
        [0, 1 / width],
    ]
    text = f"have straight borders, {_percents(shares.max(axis=1, initial=0))} of a side"
    advice = (
        "Borders show the proportions of the original, by which images may be grouped. Read the "
        "files with fit='stretch' or fit='crop', or cut the borders off."
    )
    return _found("letterbox", _if_part(rows), rows, text, advice)


def _is_wide(facts, lines):
    height, width = facts.shape
    return lines >= np.maximum(2, _NARROWEST * np.array([height, height, width, width]))


def _is_cut(facts):
    """Return whether equal lines are at the lower edge alone.

    A gray end needs no straight edge: the gray of a cut JPEG file may be like that of the image.
    """
    ends = facts.borders.copy()
    ends[:, 1] = np.maximum(ends[:, 1], facts.gray_end)
    return _is_wide(facts, ends)[:, 1] & (facts.lines[:, [0, 2, 3]] < 2).all(axis=1)


def _round(facts, usable):
    rows = usable & facts.round
    text = "are round: outside a circle all pixels are equal"
    advice = "If the circle belongs to one device, groups may be devices. Cut all images to a part."
    return _found("round_border", _if_part(rows), rows, text, advice)


def _marked(facts, usable):
    text = "have a small bright object in a corner, such as a letter or a marker"
    advice = (
        "Look at these images. If text or markers differ between sites, cut the corners off, or "
        "cover them in all images."
    )
    return _found("burnt_in_corners", "doubt", usable & facts.marked, text, advice)


def find_polarities(facts, columns):
    """Return a finding if a part of the images is inverted, or None.

    Parameters
    ----------
    facts : Facts
    columns : dict of str to ndarray of shape (n,)
        Metadata. A column "photometric" is compared with what was found.
    """
    usable = np.flatnonzero(has_contrast(facts))
    rows = np.zeros(len(facts.constant), dtype=bool)
    rows[usable] = find_inverted(facts.thumbnails[usable])
    text = "are inverted in comparison with the others: dark parts are bright"
    advice = (
        "Look which side is right, and invert the other: X.max() + X.min() - X[rows]. For DICOM "
        "files, read_images inverts MONOCHROME1."
    )
    kinds = columns.get("photometric", np.full(len(rows), None))
    if rows.any() and len(set(kinds[rows]) | set(kinds[~rows])) > 1:
        counts = {kind: ((kinds == kind) & rows).sum() for kind in _values(kinds)}
        parts = (f"{n} of {(kinds == kind).sum()} {kind}" for kind, n in counts.items())
        text += f" (by photometric: {', '.join(parts)})"
    return _found("two_polarities", "problem", rows, text, advice)


def find_copies(equal, near, n, split, groups):
    """Return findings about copies, and about copies across splits and patients.

    Parameters
    ----------
    equal, near : list of ndarray of int
        Sets of equal images, and of nearly equal ones.
    n : int
        Number of images.
    split, groups : ndarray of shape (n,) or None
        Split and patient of each image.

    Returns
    -------
    findings : list of Finding
    """
    keep = "Keep the first row of each set, or keep each set in one split."
    near_text = "are nearly equal, but for brightness, contrast or noise"
    across = "Put all copies into one split: pass the patients, or these sets, as groups."
    of_patients = "Find out whose image it is. If it cannot be known, leave both out."
    everything = join([*equal, *near], n)
    found = [
        _found_sets("duplicates", "problem", equal, n, "are exact copies of another", keep),
        _found_sets("near_duplicates", "doubt", near, n, near_text, keep),
    ]
    for column, name, what, advice in (
        (split, "duplicates_across_splits", "are copies of an image in another split", across),
        (
            groups,
            "duplicates_across_patients",
            "are copies of an image of another patient",
            of_patients,
        ),
    ):
        if column is not None:
            sets = [each for each in everything if len(_values(column[each])) > 1]
            found.append(_found_sets(name, "problem", sets, n, what, advice))
    return [finding for finding in found if finding is not None]


def find_mixed(mixes, n):
    """Return one finding per mix that shows in the pixels, and one note on the others."""
    found = []
    for mix in (mix for mix in mixes if mix.shows):
        text = f"{_describe(mix)}. This explains {100 * mix.effect:.0f} % of the {mix.shown_in}"
        advice = (
            "Compare the groups with this column after the fit. If they agree, train on one kind "
            "of images, or bring all to one window and resolution."
        )
        name = f"mix_of_{mix.columns[0]}"
        found.append(Finding(name, "doubt", f"{text}.", advice, np.flatnonzero(mix.codes > 0)))
    hidden = [mix for mix in mixes if not mix.shows]
    if hidden:
        text = ". ".join(_describe(mix) for mix in hidden)
        largest = max(mix.effect for mix in hidden)
        text += f". This explains at most {100 * largest:.0f} % of brightness, contrast or content."
        advice = "Compare the groups with these columns after the fit."
        found.append(Finding("mix_without_effect", "note", text, advice, np.empty(0, dtype=int)))
    return found


def _describe(mix):
    counts = [f"{value} ({count})" for value, count in list(mix.counts.items())[:4]]
    if len(mix.counts) > 4:
        counts.append(f"and {len(mix.counts) - 4} other values")
    return f"The images differ in {' and '.join(mix.columns)}: {', '.join(counts)}"


def find_repeated_patients(groups):
    """Return a note if patients have several images, or None."""
    if groups is None:
        return None
    known = np.array([not is_missing(group) for group in groups], dtype=bool)
    _, index, counts = np.unique(groups[known].astype(str), return_inverse=True, return_counts=True)
    rows = np.flatnonzero(known)[counts[index] > 1]
    n_patients = (counts > 1).sum()
    text = f"belong to {n_patients} patients who have several"
    advice = (
        "Images of a patient are alike. Keep them in one split, and pass the patients as groups, "
        "for example to metrics.stability_report."
    )
    several = np.zeros(len(groups), dtype=bool)
    several[rows] = True
    return _found("several_per_patient", "note", several, text, advice)


def _found(name, severity, rows, what, advice):
    """Return the finding for a mask of rows, or None if no row has it."""
    if not rows.any():
        return None
    text = _sentence(rows.sum(), len(rows), what)
    return Finding(name, severity, text, advice, np.flatnonzero(rows))


def _found_sets(name, severity, sets, n, what, advice):
    if not sets:
        return None
    rows = np.concatenate(sets)
    several = "1 set" if len(sets) == 1 else f"{len(sets)} sets"
    text = _sentence(len(rows), n, f"{what}, in {several}")
    return Finding(name, severity, text, advice, rows, sets)


def _sentence(n_rows, n, what):
    verb, rest = what.split(" ", 1)
    verb = _FOR_ONE[verb] if n_rows == 1 else verb
    return f"{n_rows} of {n} images ({_percent(n_rows / n)}) {verb} {rest}."


def _if_part(rows):
    """Return the severity of what matters only if a part of the images has it."""
    return "note" if rows.mean() >= _NEARLY_ALL else "doubt"


def _values(column):
    """Return the different values that are not missing, in the order of their first rows."""
    return list(dict.fromkeys(value for value in column if not is_missing(value)))


def _percent(share):
    return f"{100 * share:.2g} %" if share < 0.995 else "100 %"


def _percents(shares):
    if not len(shares):
        return ""
    low, high = (_percent(value) for value in (shares.min(), shares.max()))
    return low if low == high else f"{low[:-2]} to {high}"
