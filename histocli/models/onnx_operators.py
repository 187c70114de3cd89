"""ONNX for the few operators of torch that the exporter lacks, or that onnxruntime lacks in float64.

Each computes what torch's own does; the definition of the stain normaliser stays as it is.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from onnxscript import ir, opset18

# Its types know only one operand at a time.
op: Any = opset18
Translation = Callable[..., Any]
# Shorter vectors than this have no direction.
LEAST_LENGTH = 1e-300


def translations() -> dict[Any, Translation]:
    """What to give to ``torch.onnx.export``: torch's operator to its translation."""
    import torch

    return {
        torch.ops.aten.sort.stable: sort_stable,
        torch.ops.aten.acos.default: acos,
        torch.ops.aten.atan2.default: atan2,
    }


def sort_stable(
    values: Any, *, stable: bool = True, dim: int = -1, descending: bool = False
) -> Any:
    """Sort by TopK of all, which puts the first of equals first, as a stable sort does."""
    del stable
    count = op.Gather(op.Shape(values), op.Constant(value_ints=[dim]), axis=0)
    return op.TopK(values, count, axis=dim, largest=int(descending), sorted=1)


def acos(cosine: Any) -> Any:
    """Arc cosine; onnxruntime has it in float32 alone."""
    if cosine.dtype != ir.DataType.DOUBLE:
        return op.Acos(cosine)
    one = _double(1.0)
    return _angle(op.Sqrt((one - cosine) * (one + cosine)), cosine)


def atan2(sine: Any, cosine: Any) -> Any:
    """Angle of a vector, -pi to pi; zero for none."""
    if sine.dtype == ir.DataType.DOUBLE:
        return _angle(sine, cosine)
    return _angle_float32(sine, cosine)


def _angle(sine: Any, cosine: Any) -> Any:
    """Angle in float64: that of float32 and a step of Newton's method, which needs sine and cosine only."""
    near = op.Cast(_angle_float32(sine, cosine), to=ir.DataType.DOUBLE)
    length = op.Max(op.Sqrt(sine * sine + cosine * cosine), _double(LEAST_LENGTH))
    return near + (sine * op.Cos(near) - cosine * op.Sin(near)) / length


def _angle_float32(sine: Any, cosine: Any) -> Any:
    # The quotient before the cast: small numbers keep their digits.
    slope = op.Cast(sine / cosine, to=ir.DataType.FLOAT)
    half = op.Atan(slope)
    zero = op.CastLike(op.Constant(value_float=0.0), sine)
    pi = op.Constant(value_float=math.pi)
    behind = op.Where(sine < zero, half - pi, half + pi)
    angle = op.Where(cosine < zero, behind, half)
    return op.Where(op.IsNaN(slope), op.Constant(value_float=0.0), angle)


def _double(value: float) -> Any:
    # Made from an array: an attribute of ONNX holds float32 only.
    return op.Constant(value=ir.tensor(np.array(value, np.float64)))
