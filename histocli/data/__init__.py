"""Tiles: where they are, how they are read, split, made and written."""
