"""Parts of stain_speed.py."""
