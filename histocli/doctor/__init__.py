"""What works on this machine, what does not, and what to do about it.

To add a check, write a function in a file like these and add a line to ``CHECKS``.
"""

from histocli.doctor.examine import CHECKS, Check, examine
from histocli.doctor.finding import Finding

__all__ = ["CHECKS", "Check", "Finding", "examine"]
