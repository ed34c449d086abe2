"""Filters of a scattering transform, as kymatio 0.3.0 has them: arrays of float64.

A side of an image is `padded` pixels long after its border is added. At resolution r, a signal has
one pixel for 2^r pixels of the image, and its spectrum padded / 2^r bins.
"""

import math

import numpy as np

#: Standard deviation of the Gaussian envelope and frequency of the wavelets at scale 0.
SIGMA, FREQUENCY = 0.8, 0.75 * math.pi

#: Kymatio divides its Gaussians by 2 * 3.1415 instead of 2 pi.
GAIN = math.pi / 3.1415


def reflected(side: int, padded: int) -> np.ndarray:
    """Return the pixel of the image for each pixel of the padded one."""
    missing = padded - side
    return np.pad(np.arange(side), (missing // 2, (missing + 1) // 2), mode="reflect")


def angles(n_angles: int) -> np.ndarray:
    return (int(n_angles / 2 - 1) - np.arange(n_angles)) * math.pi / n_angles


def frequencies(padded: int, bins: np.ndarray, resolution: int) -> np.ndarray:
    """Return bins of a spectrum in radians a pixel of the image, the Nyquist one as negative."""
    size = padded // 2**resolution
    return 2 * math.pi / padded * ((bins + size // 2) % size - size // 2)


def window(padded: int, resolution: int, j: int, positive: bool) -> np.ndarray:
    """Return the frequencies at which a wavelet is not 0, in radians a pixel of the image.

    A wavelet is a Gaussian around its frequency, less one around 0. If the result has m bins, it is
    0 outside of -m to 2 m, or of -2 m to m if its frequency is negative. In this window, in the
    order of a Fourier transform, bins that become the same bin of the result are m places apart.
    """
    size, result = padded // 2**resolution, padded // 2**j
    if size <= 3 * result:
        return frequencies(padded, np.arange(size), resolution)
    n_positive = (1 + positive) * result
    bins = np.arange(n_positive - 3 * result, n_positive)
    return frequencies(padded, np.roll(bins, n_positive), resolution)


def morlet(rows: np.ndarray, columns: np.ndarray, j: int, angle: float, slant: float) -> np.ndarray:
    """Return the Fourier transform of a Morlet wavelet, which is real, at the frequencies."""
    frequency = FREQUENCY / 2**j
    zero = np.zeros(1)
    share = _gabor(zero, zero, frequency, j, angle, slant) / _gabor(zero, zero, 0, j, angle, slant)
    wave = _gabor(rows, columns, frequency, j, angle, slant)
    return GAIN * (wave - share * _gabor(rows, columns, 0, j, angle, slant))


def _gabor(
    rows: np.ndarray, columns: np.ndarray, frequency: float, j: int, angle: float, slant: float
) -> np.ndarray:
    """Return the Fourier transform of a Gaussian times a wave: a Gaussian around its frequency.

    The wavelet is sampled at pixels, so its transform has the period 2 pi.
    """
    cos, sin = math.cos(angle), math.sin(angle)
    periods = 2 * math.pi * np.array([-1, 0, 1])
    total = np.zeros((len(rows), len(columns)))
    for row_period in periods:
        for column_period in periods:
            u = rows[:, None] + row_period - frequency * cos
            v = columns + column_period - frequency * sin
            square = (u * cos + v * sin) ** 2 + ((v * cos - u * sin) / slant) ** 2
            total += np.exp(-((SIGMA * 2**j) ** 2) / 2 * square)
    return total


def low_pass(padded: int, scale: int, resolution: int) -> np.ndarray:
    """Return the matrix that averages a side, takes one pixel of 2^scale, and cuts the border."""
    size, step = padded // 2**resolution, 2 ** (scale - resolution)
    radians = frequencies(padded, np.arange(size), resolution)
    periods = 2 * math.pi * np.array([[-1], [0], [1]])
    sigma = SIGMA * 2 ** (scale - 1)
    gaussian = np.exp(-(sigma**2) / 2 * (radians + periods) ** 2).sum(0)
    kernel = np.fft.ifft(gaussian).real
    outputs = step * np.arange(1, padded // 2**scale - 1)
    return math.sqrt(GAIN) * kernel[(outputs[:, None] - np.arange(size)) % size]
