"""Preparing data: the stream behind `histo normalize`."""
