"""Reporting checklists: TRIPOD+AI and CLAIM 2024, filled in as far as a run knows."""
