"""Quality control: measure tiles, judge them by stated thresholds, list what failed and why."""
