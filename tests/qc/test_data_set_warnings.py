"""Sentences about the data set as a whole."""

from histocli.qc.data_set_warnings import data_set_warnings
from histocli.qc.duplicates import DuplicateSets

NO_DUPLICATES = DuplicateSets()


def warnings_of(by_class: dict[str, tuple[int, int]]) -> list[str]:
    counts = {name: {"tiles": t, "failed": f} for name, (t, f) in by_class.items()}
    return data_set_warnings(counts, NO_DUPLICATES, {}, [])


def test_a_class_that_loses_more_than_the_others_is_named() -> None:
    found = warnings_of({"normal": (1000, 50), "tumor": (1000, 5)})
    assert len(found) == 1
    assert "'normal' loses 5.0% of its tiles, the others 0.5%" in found[0]


def test_chance_and_small_differences_are_not_worth_a_warning() -> None:
    assert warnings_of({"normal": (20, 2), "tumor": (20, 0)}) == []
    assert warnings_of({"normal": (100_000, 6000), "tumor": (100_000, 5000)}) == []
    assert warnings_of({"normal": (100, 0), "tumor": (100, 0)}) == []
    assert warnings_of({"only": (100, 50)}) == []
    assert warnings_of({}) == []


def test_a_class_that_is_lost_whole_is_named() -> None:
    assert len(warnings_of({"empty": (50, 50), "tumor": (50, 0), "stroma": (50, 0)})) == 1


def test_leaks_torn_groups_and_contradictions_are_told() -> None:
    duplicates = DuplicateSets(
        sets=[["a", "b"]],
        near_sets=[["c", "d"]],
        leaks=[
            {"kind": "identical", "tiles": ["a", "b"], "splits": ["test", "train"]},
            {"kind": "near", "tiles": ["c", "d"], "splits": ["test", "train"]},
        ],
        contradictory_label_sets=[["a", "b"]],
        near_contradictions=1,
    )
    found = data_set_warnings({}, duplicates, {"slide 7": ["test", "train"]}, [])
    assert len(found) == 5
    assert found[0].startswith("leak: 1 set of identical tiles in more than one split")
    assert found[1].startswith("leak: 1 set of nearly identical tiles")
    assert found[2].startswith("leak: 1 group in more than one split")
    # A slide is named for its patient: the names are in the file, not in what is printed.
    assert "slide 7" not in found[2]
    assert "correct the labels" in found[3]
    assert "nearly identical tiles with different labels" in found[4]


def test_tiles_far_below_the_median_sharpness_are_told() -> None:
    found = data_set_warnings({}, NO_DUPLICATES, {}, [1.5] * 50 + [0.3, float("nan")])
    assert len(found) == 1
    assert found[0].startswith("1 tile passed")
    assert data_set_warnings({}, NO_DUPLICATES, {}, [1.5] * 50 + [0.5]) == []
