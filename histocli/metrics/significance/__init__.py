"""Tests of two runs on the same tiles, and of many pairs of runs."""
