import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from histocli.stain.eigenvectors import eigenvalues, smallest_axis


def covariances(seed: int, spread: tuple[float, float, float], count: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    turns = np.linalg.qr(generator.normal(size=(count, 3, 3)))[0]
    matrices = turns @ (np.array(spread)[:, None] * turns.transpose(0, 2, 1))
    return np.asarray((matrices + matrices.transpose(0, 2, 1)) / 2)


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    second=st.floats(0.001, 1),
    third=st.floats(0, 0.9),
    scale=st.floats(1e-6, 1e3),
)
def test_closed_form_equals_eigh(seed: int, second: float, third: float, scale: float) -> None:
    matrices = covariances(seed, (scale, scale * second, scale * second * third), 5)
    expected, vectors = np.linalg.eigh(matrices)
    values = eigenvalues(matrices)
    np.testing.assert_allclose(values, expected[:, ::-1], atol=1e-12 * scale)
    axis = smallest_axis(matrices, values)
    aligned = np.abs((axis * vectors[:, :, 0]).sum(axis=1))
    np.testing.assert_allclose(aligned, 1, atol=1e-9)


def test_equal_eigenvalues_yield_a_unit_axis_and_no_warning() -> None:
    matrices = np.stack([np.zeros((3, 3)), np.eye(3), np.diag([1.0, 0, 0]), np.ones((3, 3))])
    axis = smallest_axis(matrices, eigenvalues(matrices))
    np.testing.assert_allclose(np.linalg.norm(axis, axis=1), 1)
