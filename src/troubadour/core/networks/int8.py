"""Rounding of matrices to 8-bit integers, in the forms that ONNX Runtime multiplies with."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

BLOCK: Final = 32
"""Inputs that share a scale in `in_blocks`."""
_SMALLEST: Final = 1e-12

Floats = NDArray[np.float32]


def in_blocks(matrix: Floats) -> tuple[NDArray[np.uint8], Floats]:
    """A matrix (inputs, outputs) for `MatMulNBits`: one scale for each output and block of 32 inputs.

    Returns:
        Integers, (outputs, blocks, 32), where 128 stands for 0, and scales, (outputs, blocks).
    """
    inputs, outputs = matrix.shape
    blocks = -(-inputs // BLOCK)
    padded = np.zeros((outputs, blocks * BLOCK), dtype=np.float32)
    padded[:, :inputs] = matrix.T
    rows = padded.reshape(outputs, blocks, BLOCK)
    scale = np.maximum(np.abs(rows).max(axis=2), _SMALLEST) / 127
    return (np.rint(rows / scale[:, :, None]) + 128).astype(np.uint8), scale.astype(np.float32)


def by_column(matrix: Floats) -> tuple[NDArray[np.int8], Floats]:
    """A matrix (inputs, outputs) for `DynamicQuantizeLSTM`: one scale for each output.

    Returns:
        Integers of the same shape, and scales, (outputs,); `integers * scales` is nearly the matrix.
    """
    scale = np.maximum(np.abs(matrix).max(axis=0), _SMALLEST) / 127
    return np.rint(matrix / scale).astype(np.int8), scale.astype(np.float32)
