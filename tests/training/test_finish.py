import numpy as np
import pytest

from histocli.metrics.calibrators import CALIBRATORS
from histocli.metrics.operating_rules import parse_rule
from histocli.models.classifier import ModelCard
from histocli.models.preprocessing import PreprocessingConstants
from histocli.training.finish import with_decisions

PREPROCESSING = PreprocessingConstants(32, (0.5, 0.5, 0.5), (0.2, 0.2, 0.2))


def table(classes: int = 2) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    labels = generator.integers(0, classes, 200)
    raw = generator.random((200, classes))
    raw[np.arange(200), labels] += 0.6
    return raw / raw.sum(axis=1, keepdims=True), labels


def card(classes: tuple[str, ...] = ("normal", "tumor")) -> ModelCard:
    return ModelCard("resnet50", classes, classes[-1], PREPROCESSING)


@pytest.mark.parametrize("rule", ["youden", "sensitivity=0.95", "specificity=0.9", "cost=5:1"])
def test_the_rule_chooses_the_threshold_of_the_card(rule: str) -> None:
    probabilities, labels = table()
    point = with_decisions(card(), probabilities, labels, rule).operating_point
    assert point["threshold"] == parse_rule(rule).threshold(labels, probabilities[:, 1])
    assert point["chosen_by"].endswith("on the validation split")


def test_a_stated_threshold_is_taken_and_a_missing_class_leaves_the_default() -> None:
    probabilities, labels = table()
    stated = with_decisions(card(), probabilities, labels, "threshold=0.2").operating_point
    assert stated == {"threshold": 0.2, "chosen_by": "stated"}
    alone = with_decisions(card(), probabilities, np.ones_like(labels)).operating_point
    assert alone["threshold"] == 0.5
    assert alone["chosen_by"].startswith("default")


@pytest.mark.parametrize("method", CALIBRATORS)
@pytest.mark.parametrize("classes", [("normal", "tumor"), ("a", "b", "c")])
def test_the_card_keeps_the_calibration_through_json(method: str, classes: tuple[str, ...]) -> None:
    probabilities, labels = table(len(classes))
    found = with_decisions(card(classes), probabilities, labels, calibration=method)
    assert found.calibration["method"] == method
    assert found.calibration["fitted_on"] == "valid"
    assert ModelCard.from_json(found.to_json()).calibration == found.calibration


def test_no_calibration_leaves_the_card_without() -> None:
    assert with_decisions(card(), *table(), calibration="none").calibration == {}
