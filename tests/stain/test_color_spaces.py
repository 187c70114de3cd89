import math

import kornia
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torchstain.numpy.utils.rgb2lab import rgb2lab

from histocli.stain.color_spaces import grey_levels_from_lab, lab_from_grey_levels


def every_fifth_color() -> NDArray[np.float64]:
    """All colors whose grey levels are multiples of five, shape (1, 3, 52 ** 3)."""
    levels = np.arange(0, 256, 5.0)
    return np.stack(np.meshgrid(levels, levels, levels)).reshape(1, 3, -1)


def slow_lab(red: float, green: float, blue: float) -> tuple[float, float, float]:
    """CIE 15 with its exact fractions, one color at a time."""
    linear = [
        v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4
        for v in (red / 255, green / 255, blue / 255)
    ]
    rows = (
        (0.412453, 0.357580, 0.180423),
        (0.212671, 0.715160, 0.072169),
        (0.019334, 0.119193, 0.950227),
    )
    f = []
    for row, white in zip(rows, (0.95047, 1.0, 1.08883), strict=True):
        t = sum(a * b for a, b in zip(row, linear, strict=True)) / white
        f.append(t ** (1 / 3) if t > (6 / 29) ** 3 else t / (3 * (6 / 29) ** 2) + 4 / 29)
    return 116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])


def test_lab_is_that_of_torchstain() -> None:
    colors = every_fifth_color()
    theirs = rgb2lab((colors[0].T / 255).astype(np.float32)).T
    theirs = (theirs - np.array([[0], [128], [128]])) / np.array([[2.55], [1], [1]])
    np.testing.assert_allclose(lab_from_grey_levels(colors)[0], theirs, atol=2e-3)


def test_lab_is_that_of_kornia() -> None:
    colors = torch.from_numpy(every_fifth_color())
    theirs = kornia.color.rgb_to_lab(colors[..., None] / 255)[..., 0]
    torch.testing.assert_close(lab_from_grey_levels(colors), theirs, atol=2e-2, rtol=0)


def test_lab_is_that_of_the_slow_obvious_one() -> None:
    colors = every_fifth_color()[:, :, ::97]
    slow = np.array([slow_lab(*color) for color in colors[0].T]).T
    np.testing.assert_allclose(lab_from_grey_levels(colors)[0], slow, atol=2e-3)


@pytest.mark.parametrize(
    ("color", "lab"),
    [
        ((255, 255, 255), (100, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
    ],
)
def test_lab_of_known_colors(color: tuple[int, ...], lab: tuple[float, ...]) -> None:
    found = lab_from_grey_levels(np.array(color, np.float64).reshape(1, 3, 1))
    np.testing.assert_allclose(found.ravel(), lab, atol=0.02)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_there_and_back_is_the_same_color(dtype: str) -> None:
    colors = every_fifth_color().astype(dtype)
    back = grey_levels_from_lab(lab_from_grey_levels(colors))
    assert back.dtype == dtype
    assert np.abs(back - colors).max() < 0.01


def test_float32_equals_float64() -> None:
    colors = every_fifth_color()
    exact = lab_from_grey_levels(colors)
    fast = lab_from_grey_levels(torch.from_numpy(colors).float())
    assert np.abs(fast.numpy() - exact).max() < 1e-3


@settings(max_examples=100, deadline=None)
@given(lab=st.tuples(st.floats(-5e3, 5e3), st.floats(-5e3, 5e3), st.floats(-5e3, 5e3)))
def test_every_lab_has_grey_levels(lab: tuple[float, float, float]) -> None:
    values = torch.tensor(lab, dtype=torch.float32).reshape(1, 3, 1)
    found = grey_levels_from_lab(values)
    assert all(math.isfinite(value) and 0 <= value <= 255 for value in found.ravel().tolist())


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), pixels=st.integers(1, 70), before=st.integers(0, 5))
def test_a_color_does_not_depend_on_its_place(seed: int, pixels: int, before: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    colors = torch.randint(0, 256, (7, 3, pixels), generator=generator).float()
    lab = lab_from_grey_levels(colors)
    assert torch.equal(lab_from_grey_levels(colors[before : before + 1]), lab[before : before + 1])
    assert torch.equal(
        grey_levels_from_lab(lab[before : before + 1]),
        grey_levels_from_lab(lab)[before : before + 1],
    )


def test_gradient_is_finite_on_black_and_white() -> None:
    colors = torch.tensor([0.0, 255.0, 128.0]).repeat(1, 3, 1).requires_grad_()
    grey_levels_from_lab(lab_from_grey_levels(colors)).sum().backward()
    assert colors.grad is not None
    assert torch.isfinite(colors.grad).all()
