"""Wavelet scattering [1]_ [2]_: features of images that no training is needed for.

The wavelets, the low-pass filter and the border are those of kymatio 0.3.0 [3]_. So the maps are
equal to its maps. This module computes them by itself, and faster.

References
----------
.. [1] Mallat, "Group invariant scattering", Communications on Pure and Applied Mathematics 65,
   2012.
.. [2] Bruna and Mallat, "Invariant scattering convolution networks", IEEE Transactions on Pattern
   Analysis and Machine Intelligence 35, 2013.
.. [3] Andreux et al., "Kymatio: scattering transforms in Python", Journal of Machine Learning
   Research 21, 2020.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from ._wavelets import angles, low_pass, morlet, reflected, window

#: Numbers of float32 that fit in the caches of a core, and the fewest signals of a call. Fewer
#: signals than that cost more in calls than the caches save.
CACHE, FEWEST = 3 * 2**17, 4


class Scattering(nn.Module):
    r"""Wavelet scattering of images: first and second order.

    Each image x becomes local averages of x, of :math:`|x \star \psi_{j\theta}|` (first order) and
    of :math:`||x \star \psi_{j\theta}| \star \psi_{j'\theta'}|` with :math:`j' > j` (second order).
    The :math:`\psi` are Morlet wavelets of `scale` sizes and `n_angles` directions. The averages
    are Gaussian, and have one pixel for :math:`2^{scale}` pixels of the image. The transform has
    nothing to train. It changes little if the image is shifted by less than :math:`2^{scale}`
    pixels.

    Parameters
    ----------
    image_shape : tuple of int
        Shape of an image, (C, H, W).
    scale : int, default=None
        Number of sizes of the wavelets, at least 1. :math:`2^{scale}` may not exceed the shorter
        side. None chooses the largest scale that leaves 7 pixels of the shorter side, so 2 for 28
        pixels, 3 for 64, 4 for 128, 5 for 224 and 6 for 512, and 1 for sides below 28.
    n_angles : int, default=4
        Number of directions of the wavelets, 4 to 8.
    max_order : {1, 2}, default=2
        The highest order. 1 is much faster, and has no maps of the second order.

    Attributes
    ----------
    n_maps : int
        Number of maps for each channel. With J for `scale` and L for `n_angles`, it is 1 + J L for
        the first order, and L^2 J (J - 1) / 2 more for the second order.
    output_shape : tuple of int
        Shape of the result for an image, (C * `n_maps`, H // 2^J, W // 2^J).

    Raises
    ------
    ValueError
        If a parameter is outside its range, or `scale` is too large for the image.

    Notes
    -----
    The maps of a channel are in this order: the average of the image; the first order by scale,
    then angle; the second order by the scale and angle of the first wavelet, then of the second.
    The maps of a channel stand together.

    All is computed in float32. The filters follow from the parameters, and are not in
    `state_dict`. The gradient of a modulus is 0 where the modulus is 0.

    Examples
    --------
    >>> import torch
    >>> from sklearn_cae.modules import Scattering
    >>> scattering = Scattering((1, 28, 28))
    >>> scattering.n_maps
    25
    >>> scattering(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 25, 7, 7])
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        scale: int | None = None,
        n_angles: int = 4,
        max_order: int = 2,
    ) -> None:
        super().__init__()
        if len(image_shape) != 3 or image_shape[0] < 1 or min(image_shape[1:]) < 2:
            raise ValueError(
                "image_shape must be (C, H, W), with at least 1 channel and sides of at least 2, "
                f"but got {image_shape}."
            )
        channels, *sides = image_shape
        scale = _scale_for(min(sides)) if scale is None else scale
        _check(scale, n_angles, max_order, sides)
        self.image_shape = tuple(image_shape)
        self.scale = scale
        self.n_angles = n_angles
        self.max_order = max_order
        first, pairs = scale * n_angles, scale * (scale - 1) // 2
        self.n_maps = 1 + first + (n_angles**2 * pairs if max_order == 2 else 0)
        self.map_sides = [side // 2**scale for side in sides]
        self.output_shape = (channels * self.n_maps, *self.map_sides)
        # One pixel of the last maps more on each side, which is cut off in the end.
        self.padded = [(side + 2) * 2**scale for side in self.map_sides]
        for axis, side, padded in zip(("rows", "columns"), sides, self.padded, strict=True):
            self._keep(f"{axis}_padded", reflected(side, padded))
            for resolution in range(scale):
                self._keep(f"{axis}_average_{resolution}", low_pass(padded, scale, resolution))
        for resolution in range(scale if max_order == 2 else 1):
            for j in range(resolution and resolution + 1, scale):
                self._keep_wavelets(resolution, j)

    def _keep(self, name: str, array: np.ndarray) -> None:
        """Keep an array that moves with the module between devices, but is not saved."""
        kind = torch.int64 if array.dtype.kind == "i" else torch.float32
        self.register_buffer(name, torch.from_numpy(array).to(kind), persistent=False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "Scattering":
        """Follow `to`, `double` and the like to another device, with filters of float32."""
        before = dict(self.named_buffers())
        super()._apply(fn, recurse)
        for name, after in self.named_buffers():
            self._buffers[name] = before[name].to(after.device)
        return self

    def _keep_wavelets(self, resolution: int, j: int) -> None:
        """Keep the wavelets of scale j, for signals that have one pixel for 2^resolution."""
        slant = 4 / self.n_angles
        height, width = self.padded
        # Down a column, no frequency is so far below 0 that this window would not hold it.
        rows = window(height, resolution, j, positive=True)
        wavelets = []
        for angle in angles(self.n_angles):
            columns = window(width, resolution, j, positive=math.sin(angle) >= 0)
            wavelets.append(morlet(rows, columns, j, angle, slant))
        # `_filter` adds aliases, whose mean is needed. Each value stands twice: for a real and an
        # imaginary part.
        doubled = np.repeat(np.stack(wavelets) / 4 ** (j - resolution), 2, axis=2)
        self._keep(f"wavelets_{resolution}_{j}", doubled)

    def forward(self, images: Tensor) -> Tensor:
        """Transform images (n_samples, C, H, W) to maps (n_samples, C * n_maps, H', W').

        Parameters
        ----------
        images : Tensor of shape (n_samples, C, H, W)
            Images of any float dtype.

        Returns
        -------
        maps : Tensor of shape (n_samples, C * n_maps, H // 2^J, W // 2^J)
            Float32.

        Raises
        ------
        ValueError
            If the images do not have the shape that the module was made for.
        """
        if tuple(images.shape[1:]) != self.image_shape:
            raise ValueError(
                f"Scattering was made for images of shape {self.image_shape}, but images has shape "
                f"{tuple(images.shape)}. Pass images of shape (n_samples, C, H, W), or make a "
                "Scattering with their image_shape."
            )
        if images.shape[0] == 0:  # torch's Fourier transforms refuse an empty batch
            return images.new_zeros(0, *self.output_shape, dtype=torch.float32)
        with torch.autocast(images.device.type, enabled=False):
            signals = images.float().flatten(0, 1)
            rows, columns = self.get_buffer("rows_padded"), self.get_buffer("columns_padded")
            signals = signals[:, rows[:, None], columns]
            maps = [self._scatter(chunk) for chunk in self._chunks(signals)]
            return torch.cat(maps).reshape(-1, *self.output_shape)

    def _scatter(self, signals: Tensor) -> Tensor:  # (n, M, N) -> (n, n_maps, h, w)
        spectrum = _fourier(signals)
        first, second = [self._average(signals[:, None], 0)], []
        for j in range(self.scale):
            moduli = self._modulus(spectrum, 0, j)
            first.append(self._average(moduli, j))
            if self.max_order == 2 and j + 1 < self.scale:
                maps = [
                    self._second_order(chunk, j) for chunk in self._chunks(moduli.flatten(0, 1))
                ]
                second.append(torch.cat(maps).reshape(signals.shape[0], -1, *self.map_sides))
        return torch.cat(first + second, dim=1)

    def _second_order(self, moduli: Tensor, j: int) -> Tensor:  # (n, m, n) -> (n, maps, h, w)
        spectrum = _fourier(moduli)
        maps = [
            self._average(self._modulus(spectrum, j, larger), larger)
            for larger in range(j + 1, self.scale)
        ]
        return torch.cat(maps, dim=1)

    def _modulus(self, spectrum: Tensor, resolution: int, j: int) -> Tensor:
        """Return the moduli for the wavelets of scale j, (n, L, M / 2^j, N / 2^j).

        Each wavelet multiplies the window of the spectrum in which it is not 0. Then the aliases
        are added, which takes one pixel of 2^j.
        """
        wavelets = self.get_buffer(f"wavelets_{resolution}_{j}")
        if j <= resolution + 1:
            return _inverse_modulus(_filter(spectrum, wavelets, 2 ** (j - resolution)))
        spectrum = _crop(spectrum, 1, self.padded[0] // 2**j, positive=True)
        n_positive = (
            self.n_angles // 2
        )  # the angles come first whose frequency in a row is positive
        parts = wavelets.split([n_positive, self.n_angles - n_positive])
        folded = [
            _filter(_crop(spectrum, 2, self.padded[1] // 2**j, positive), part, 3)
            for part, positive in zip(parts, (True, False), strict=True)
        ]
        return _inverse_modulus(torch.cat(folded, dim=1))

    def _average(self, maps: Tensor, resolution: int) -> Tensor:  # (..., m, n) -> (..., h, w)
        """Average maps with one pixel for 2^resolution: two products, as a Gaussian separates."""
        rows = self.get_buffer(f"rows_average_{resolution}")
        columns = self.get_buffer(f"columns_average_{resolution}")
        return rows @ maps @ columns.T

    def _chunks(self, signals: Tensor) -> tuple[Tensor, ...]:
        """Split signals, so that their wavelets' spectra fit in the caches of the cores."""
        if torch.compiler.is_exporting():  # a graph has no loop over its samples
            return (signals,)
        n_caches = torch.get_num_threads() if signals.device.type == "cpu" else 256
        size = 2 * self.n_angles * math.prod(signals.shape[1:])
        return signals.split(max(FEWEST, n_caches * CACHE // size))


def _scale_for(side: int) -> int:
    """Return the largest scale that leaves 7 pixels of a side, and at least 1."""
    return max(1, int(math.log2(max(side, 1) / 7)))


def _check(scale: int, n_angles: int, max_order: int, sides: list[int]) -> None:
    if scale < 1 or 2**scale > min(sides):
        raise ValueError(
            "scale must be at least 1, and 2^scale at most the shorter side of the image, "
            f"{min(sides)}, but got scale={scale}. Choose a smaller one, or scale=None."
        )
    if n_angles not in range(4, 9):
        raise ValueError(f"n_angles must be 4 to 8, but got {n_angles}.")
    if max_order not in (1, 2):
        raise ValueError(f"max_order must be 1 or 2, but got {max_order}.")


# ---- Fourier transforms ----


def _fourier(signals: Tensor) -> Tensor:
    """Return the 2-D Fourier transform of real signals: complex, or pairs in an exported graph."""
    if torch.compiler.is_exporting():
        return torch.stack(_dft(signals, torch.zeros_like(signals), -1), dim=-1)
    return torch.fft.fft2(signals)


def _crop(spectrum: Tensor, dim: int, size: int, positive: bool) -> Tensor:
    """Keep the bins of `window`, three times `size` of them."""
    kept = 2 * size if positive else size
    end = spectrum.shape[dim] - 3 * size + kept
    return torch.cat(
        [spectrum.narrow(dim, 0, kept), spectrum.narrow(dim, end, 3 * size - kept)], dim
    )


def _filter(spectrum: Tensor, wavelets: Tensor, n_parts: int) -> Tensor:
    """Multiply spectra (n, M, N) by wavelets (L, M, 2 N), and take every n_parts-th pixel.

    The spectrum of these pixels, (n, L, M / n_parts, 2 N / n_parts), is the sum of the parts of the
    product. Real and imaginary parts stand by turns.
    """
    pairs = torch.view_as_real(spectrum) if spectrum.is_complex() else spectrum
    first, *others = zip(
        _parts(pairs.flatten(-2)[:, None], n_parts), _parts(wavelets, n_parts), strict=True
    )
    total = first[0] * first[1]
    for part, wavelet in others:
        total.addcmul_(part, wavelet)
    return total


def _parts(spectrum: Tensor, n_parts: int) -> list[Tensor]:
    rows = spectrum.chunk(n_parts, -2)
    return [part for row in rows for part in row.chunk(n_parts, -1)]


def _inverse_modulus(interleaved: Tensor) -> Tensor:
    """Return the modulus of the inverse Fourier transform of (..., m, 2 n) interleaved numbers."""
    pairs = interleaved.unflatten(-1, (-1, 2))
    if torch.compiler.is_exporting():
        size = pairs.shape[-2] * pairs.shape[-3]
        real, imaginary = _dft(pairs[..., 0], pairs[..., 1], 1)
        return (real.square() + imaginary.square()).sqrt() / size
    signals = torch.fft.ifft2(torch.view_as_complex(pairs))
    if signals.requires_grad:
        return signals.abs()  # its gradient at 0 is 0
    squares = torch.view_as_real(signals).square()  # three times as fast as `abs`
    return (squares[..., 0] + squares[..., 1]).sqrt_()


def _dft(real: Tensor, imaginary: Tensor, sign: int) -> tuple[Tensor, Tensor]:
    """Return the 2-D Fourier transform by real products, which ONNX has."""
    for _ in range(2):
        size = real.shape[-1]
        angles = 2 * math.pi / size * (np.outer(np.arange(size), np.arange(size)) % size)
        cos = torch.from_numpy(np.cos(angles).astype(np.float32))
        sin = torch.from_numpy(sign * np.sin(angles).astype(np.float32))
        real, imaginary = (
            (real @ cos - imaginary @ sin).transpose(-1, -2),
            (real @ sin + imaginary @ cos).transpose(-1, -2),
        )
    return real, imaginary
