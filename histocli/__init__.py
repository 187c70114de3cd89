"""histocli: classify cancer from H&E histopathology tiles."""

__version__ = "0.1.0"
