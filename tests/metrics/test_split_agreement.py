from histocli.metrics.labelled import Labelled
from histocli.metrics.split_agreement import SIDE_BY_SIDE, agreement_section
from histocli.metrics.uncertainty import Uncertainty
from tests.metrics.conftest import MakePredictions


def test_splits_of_one_kind_agree_and_a_shuffled_one_does_not(
    make_predictions: MakePredictions,
) -> None:
    valid, test = (Labelled.of(make_predictions(seed=seed, tiles=300), "tumor") for seed in (1, 2))
    flipped = make_predictions(seed=2, tiles=300)
    wrong = ["normal" if label == "tumor" else "tumor" for label in flipped.labels]
    failing = Labelled.of(make_predictions(seed=2, tiles=300, labels=wrong), "tumor")
    same = agreement_section(valid, test, "test", Uncertainty(samples=200))
    other = agreement_section(valid, failing, "test", Uncertainty(samples=200))
    assert same["disagree"] == []
    assert set(same["valid"]) == set(same["test"]) == set(SIDE_BY_SIDE)
    assert "auroc" in other["disagree"]
    assert any("on valid and" in warning for warning in other["warnings"])


def test_what_is_undefined_cannot_disagree(make_predictions: MakePredictions) -> None:
    valid = Labelled.of(make_predictions(), "tumor")
    one_class = Labelled.of(make_predictions(labels=["normal"] * 80), "tumor")
    found = agreement_section(valid, one_class, "test", Uncertainty(samples=50))
    assert "auroc" not in found["disagree"]
