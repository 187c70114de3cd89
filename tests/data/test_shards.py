import pytest
from hypothesis import given
from hypothesis import strategies as st

from histocli.data.shards import (
    Shard,
    choose_shard,
    describe_missing,
    parse_shard,
    shard_of_slurm,
)
from histocli.errors import SettingsError


def array(task: int, first: int, last: int, count: int, step: int = 1) -> dict[str, str]:
    names = ("ID", "MIN", "MAX", "COUNT", "STEP")
    values = (task, first, last, count, step)
    return {f"SLURM_ARRAY_TASK_{n}": str(v) for n, v in zip(names, values, strict=True)}


@given(st.integers(0, 3000), st.integers(1, 40), st.integers(1, 200))
def test_parts_cover_the_table_once_in_order_and_begin_at_whole_steps(
    total: int, of: int, step: int
) -> None:
    parts = [shard.part(total, step) for shard in Shard(1, of).siblings()]
    assert [index for part in parts for index in part] == list(range(total))
    assert all(part.start % step == 0 for part in parts if part)
    blocks = [-(-len(part) // step) for part in parts]
    assert max(blocks) - min(blocks) <= 1


@given(st.integers(0, 500), st.integers(1, 6), st.integers(1, 6))
def test_a_divided_part_covers_all_tiles_with_its_siblings(total: int, of: int, count: int) -> None:
    smaller = [part for shard in Shard(1, of).siblings() for part in shard.divided(count)]
    assert smaller == Shard(1, of * count).siblings()
    assert [index for part in smaller for index in part.part(total)] == list(range(total))


def test_a_shard_is_read_as_typed() -> None:
    assert parse_shard("3/8") == Shard(3, 8)
    assert str(Shard(3, 8)) == "3/8"
    assert parse_shard(" 1 / 1 ").is_whole


@pytest.mark.parametrize("text", ["0/8", "9/8", "3", "a/b", "3/8/2", "-1/8", ""])
def test_a_shard_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="I from 1 to N"):
        parse_shard(text)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, None),
        (array(1, 1, 8, 8), Shard(1, 8)),
        (array(8, 1, 8, 8), Shard(8, 8)),
        (array(0, 0, 7, 8), Shard(1, 8)),
        (array(7, 3, 11, 3, 4), Shard(2, 3)),
        (array(5, 5, 5, 1), Shard(1, 1)),
    ],
)
def test_the_variables_of_an_array_name_the_part(
    environment: dict[str, str], expected: Shard | None
) -> None:
    assert shard_of_slurm(environment) == expected


def test_an_array_with_gaps_is_refused_with_advice() -> None:
    with pytest.raises(SettingsError, match="--shard 7/N"):
        shard_of_slurm(array(7, 3, 7, 2))
    with pytest.raises(SettingsError, match="no numbers"):
        shard_of_slurm({"SLURM_ARRAY_TASK_ID": "x"})


def test_what_is_typed_goes_before_the_array_and_the_array_is_said_aloud() -> None:
    environment = array(2, 1, 4, 4)
    assert choose_shard("1/3", environment) == (Shard(1, 3), None)
    shard, said = choose_shard(None, environment)
    assert shard == Shard(2, 4)
    assert said is not None
    assert "2/4" in said
    assert "SLURM" in said
    assert choose_shard(None, {}) == (Shard(), None)
    # A list with gaps does not stand in the way of a part that was typed.
    assert choose_shard("7/8", array(7, 3, 7, 2)) == (Shard(7, 8), None)


def test_many_missing_parts_are_counted_not_listed() -> None:
    line = describe_missing(Shard(1, 100).siblings()[1:])
    assert line.startswith("99 of 100 shards are still missing: 2/100")
    assert "91 more" in line
