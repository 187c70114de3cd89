"""Log odds of a probability, kept finite."""

import numpy as np

from histocli.metrics.definitions.arrays import FloatArray

# A probability nearer to 0 or 1 than a float32 softmax can say means no more than this.
LEAST = 1e-12


def log_odds(probability: FloatArray) -> FloatArray:
    """``ln(p / (1 - p))``, with p kept within 1e-12 of 0 and 1."""
    bounded = np.clip(probability.astype(np.float64), LEAST, 1 - LEAST)
    return np.asarray(np.log(bounded) - np.log1p(-bounded), np.float64)
