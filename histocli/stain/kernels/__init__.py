"""Fused bodies of the passes over the pixels: numba on the CPU, CUDA through CuPy."""
