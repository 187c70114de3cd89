"""From run folders to figures, tables and one self-contained HTML page."""
