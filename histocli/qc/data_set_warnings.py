"""What a user should know about the whole data set, in sentences."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import fisher_exact

from histocli.plurals import counted
from histocli.qc.duplicates import DuplicateSets

# Rejects hit a class more than the others when chance would do so in one data set of a thousand, and
# when its rate is twice theirs: in a large data set a harmless difference is significant, too.
CLASS_P_VALUE = 0.001
CLASS_RATE_RATIO = 2.0
# Defocus this far below the data set's own median is worth a look, whatever its resolution.
SHARPNESS_SHARE = 0.25


def data_set_warnings(
    by_class: Mapping[str, Mapping[str, int]],
    duplicates: DuplicateSets,
    torn_groups: Mapping[str, Sequence[str]],
    sharpness_of_passed: Sequence[float],
) -> list[str]:
    """Every warning that applies.

    Args:
        by_class: ``tiles`` and ``failed`` of each class.
        duplicates: Sets of identical tiles.
        torn_groups: Groups that lie in more than one split.
        sharpness_of_passed: Of the tiles that passed.
    """
    found = []
    for kind, words in (("identical", "identical"), ("near", "nearly identical")):
        leaks = [leak for leak in duplicates.leaks if leak["kind"] == kind]
        if leaks:
            found.append(
                f"leak: {counted(len(leaks), 'set')} of {words} tiles in more than one split (leaks in "
                "qc.json): a model would be tested on tiles it was trained on; divide the data by "
                "patient or slide, or keep only tiles that pass"
            )
    if torn_groups:
        found.append(
            f"leak: {counted(len(torn_groups), 'group')} in more than one split (groups_across_splits in "
            "qc.json): a model would be tested on slides it was trained on; divide the data by group"
        )
    if duplicates.contradictory_label_sets:
        found.append(
            f"{counted(len(duplicates.contradictory_label_sets), 'set')} of identical tiles with "
            "different labels (contradictory_label_sets in qc.json): correct the labels"
        )
    if duplicates.near_contradictions:
        found.append(
            f"{counted(duplicates.near_contradictions, 'set')} of nearly identical tiles with different "
            "labels: see kept_instead in qc.csv"
        )
    return [*found, *_class_warnings(by_class), *_sharpness_warnings(sharpness_of_passed)]


def _class_warnings(by_class: Mapping[str, Mapping[str, int]]) -> list[str]:
    tiles = sum(counts["tiles"] for counts in by_class.values())
    failed = sum(counts["failed"] for counts in by_class.values())
    found = []
    for name, counts in by_class.items():
        others, others_failed = tiles - counts["tiles"], failed - counts["failed"]
        if not others or not counts["tiles"]:
            continue
        rate, other_rate = counts["failed"] / counts["tiles"], others_failed / others
        here = (counts["failed"], counts["tiles"] - counts["failed"])
        elsewhere = (others_failed, others - others_failed)
        if rate < CLASS_RATE_RATIO * other_rate:
            continue
        result: Any = fisher_exact(np.array([here, elsewhere]), alternative="greater")
        # Each class is one look at the data.
        if float(result.pvalue) * len(by_class) < CLASS_P_VALUE:
            found.append(
                f"class {name!r} loses {rate:.1%} of its tiles, the others {other_rate:.1%}: removing "
                "the rejects changes the balance of the classes; look at the contact sheet first"
            )
    return found


def _sharpness_warnings(sharpness: Sequence[float]) -> list[str]:
    defined = np.array([value for value in sharpness if np.isfinite(value)])
    if not len(defined):
        return []
    median = float(np.median(defined))
    soft = int(np.sum(defined < SHARPNESS_SHARE * median))
    if not soft:
        return []
    warning = (
        f"{counted(soft, 'tile')} passed with less than a quarter of the median sharpness "
        f"({median:.3g}): perhaps out of focus; sort qc.csv by sharpness to see them"
    )
    return [warning]
