"""What the terminal says of explained tiles."""

from histocli.explain.record import ExplainedTile
from histocli.explain.result import describe_result, result_table
from histocli.explain.scores.regions import RegionScore
from histocli.models.classifier import ModelCard
from histocli.models.preprocessing import PreprocessingConstants

CARD = ModelCard(
    "test_resnet", ("normal", "tumor"), "tumor", PreprocessingConstants(64, (0.5,) * 3, (0.5,) * 3)
)


def tile(index: int, label: str, share: float, *, ring_only: bool = False) -> ExplainedTile:
    return ExplainedTile(
        index=index,
        id=f"{index}.png",
        group=None,
        label=label,
        predicted=label,
        probability=0.9,
        explained_class="tumor",
        center_share=share,
        chance_share=1 / 9,
        margin=0.8,
        size_px=(96, 96),
        regions={"center": RegionScore(share, 1 / 9, 1.0, 0.0, 0.0)},
        ring_only=ring_only,
    )


def test_tiles_with_tumor_in_the_ring_only_have_a_row_of_their_own() -> None:
    tiles = [tile(number, "normal", 0.2) for number in range(2)]
    tiles += [tile(number, "normal", 0.0, ring_only=True) for number in range(2, 5)]
    tiles += [tile(number, "tumor", 0.4) for number in range(5, 7)]
    header, rows = result_table(describe_result(tiles, CARD, None, 32, seed=0))
    shown = [dict(zip(header, row, strict=True)) for row in rows]
    assert [row["class"] for row in shown] == [
        "normal",
        "tumor",
        "normal, tumor in the ring only",
    ]
    assert [row["tiles"] for row in shown] == ["5", "2", "3"]
    assert shown[2]["center share"].startswith("0.0%")
    assert shown[1]["enrichment"].startswith("3.60")
    without = describe_result(tiles[:2] + tiles[5:], CARD, None, 32, seed=0)
    assert len(result_table(without)[1]) == 2
