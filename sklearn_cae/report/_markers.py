"""SVG paths of the points of a scatter plot, with the markers of matplotlib."""

import numpy as np

_WIDTH, _EDGE = 1000, 30
_UPPER_PLUS = [(-1, -3), (1, -3), (1, -1), (3, -1), (3, 1), (1, 1), (1, 3), (-1, 3)]
_PLUS = np.array([*_UPPER_PLUS, (-1, 1), (-3, 1), (-3, -1), (-1, -1)]) / 3
#: Corners of each marker for radius 1; "o" is drawn with arcs.
_CORNERS = {
    "^": [(0, -1), (1, 0.85), (-1, 0.85)],
    "v": [(0, 1), (1, -0.85), (-1, -0.85)],
    "s": [(-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)],
    "D": [(0, -1.15), (1.15, 0), (0, 1.15), (-1.15, 0)],
    "P": _PLUS,
    "X": _PLUS @ [[0.8, 0.8], [-0.8, 0.8]],
}


def place(coordinates):
    """Scale points to a picture of width 1000, with the same scale for both axes.

    Parameters
    ----------
    coordinates : ndarray of shape (n, 2)
        Coordinates of the points.

    Returns
    -------
    places : ndarray of shape (n, 2)
        Coordinates from the upper left corner, with one decimal.
    height : int
        Height of the picture.
    """
    low, high = coordinates.min(axis=0), coordinates.max(axis=0)
    scale = (_WIDTH - 2 * _EDGE) / (float((high - low).max()) or 1)
    width, height = (high - low) * scale
    places = (coordinates - low) * scale * [1, -1] + [(_WIDTH - width) / 2, height + _EDGE]
    return np.round(places.astype(float), 1), round(float(height)) + 2 * _EDGE


def trace(places, labels, looks, radius):
    """Draw each cluster as one path; large clusters come first, below the others.

    Parameters
    ----------
    places : ndarray of shape (n, 2)
        Coordinates of the points.
    labels : ndarray of shape (n,), int
        Cluster of each point.
    looks : list of (str, str)
        Colour and marker of each cluster.
    radius : float
        Radius of the markers.

    Returns
    -------
    paths : list of dict
        "color" and "d" of each path.
    """
    numbers, counts = np.unique(labels, return_counts=True)
    paths = []
    for number in numbers[np.argsort(-counts, kind="stable")]:
        color, marker = looks[number]
        shape = outline(marker, radius)
        marks = (f"M{x:g} {y:g}{shape}" for x, y in places[labels == number])
        paths.append({"color": color, "d": "".join(marks)})
    return paths


def outline(marker, radius):
    """Return the outline of a matplotlib marker around the current point of a path.

    Parameters
    ----------
    marker : {"o", "^", "s", "D", "v", "P", "X"}
        Marker of matplotlib.
    radius : float
        Radius of the marker.

    Returns
    -------
    shape : str
        Relative path commands.
    """
    if marker == "o":
        half = f"a{radius:g} {radius:g} 0 1 0"
        return f"m{-radius:g} 0{half} {2 * radius:g} 0{half} {-2 * radius:g} 0z"
    corners = radius * np.asarray(_CORNERS[marker])
    steps = np.diff(corners, axis=0, prepend=[[0, 0]])
    return "m" + "l".join(f"{x:.1f} {y:.1f}" for x, y in steps) + "z"
