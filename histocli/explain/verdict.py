"""What an audit says in words: the explanation passes, or what fails."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

# Maps that agree in the order of their cells by less than this show different things.
ALIKE = 0.5
# Of the four measures of faithfulness, how many must find the map better.
ENOUGH = 2
# The center map is no part of the verdict: where labels lie in the center, it knows part of the truth.
COMPARED = {"random": "random noise", "sobel": "the tile's edges"}


@dataclass(frozen=True)
class Check:
    """One question to an explanation.

    Attributes:
        name: Of the check.
        passed: The answer.
        says: The answer in a sentence, with its numbers.
    """

    name: str
    passed: bool
    says: str


def judge(
    audit: Mapping[str, Any],
    skill: Mapping[str, Any],
    location: tuple[str, str, Mapping[str, Any]] | None,
) -> dict[str, Any]:
    """Decide every check and sum them up.

    Args:
        audit: As ``audit_explanation`` gives it.
        skill: What the model knows of the explained tiles: ``metric``, estimate and ``chance``.
        location: Class, region and estimate of the enrichment, where it is known that what decides the
            class lies in the region; else None.

    Returns:
        ``passes``, ``words`` and ``checks``.
    """
    checks = [
        _skill(skill),
        *([] if location is None else [_location(*location)]),
        *_faithfulness(audit["faithfulness"]),
        *_sanity(audit["sanity"]),
    ]
    failed = [check for check in checks if not check.passed]
    if failed:
        words = f"fails {len(failed)} of {len(checks)} checks: " + "; ".join(
            check.says for check in failed
        )
    else:
        words = f"passes all {len(checks)} checks"
    return {
        "passes": not failed,
        "words": f"The explanation {words}.",
        "checks": [asdict(check) for check in checks],
    }


def _skill(estimate: Mapping[str, Any]) -> Check:
    passed = _above(estimate, estimate["chance"])
    says = (
        f"the model {'tells' if passed else 'does not surely tell'} the classes of the tiles apart "
        f"({estimate['metric']} {_words(estimate)}, by chance {estimate['chance']:.2f})"
    )
    return Check("skill", passed, says)


def _location(label: str, region: str, estimate: Mapping[str, Any]) -> Check:
    passed = _above(estimate, 1.0)
    says = (
        f"on tiles of class {label} the {region} draws {'' if passed else 'not surely '}more attention "
        f"than chance ({_words(estimate)} times)"
    )
    return Check("location", passed, says)


def _faithfulness(found: Mapping[str, Any]) -> Iterator[Check]:
    measures = found["measures"]
    for baseline, name in COMPARED.items():
        against = {measure: each["against"][baseline] for measure, each in measures.items()}
        better = [measure for measure, each in against.items() if each["better"]]
        worse = [measure for measure, each in against.items() if each["worse"]]
        passed = len(better) >= ENOUGH and not worse
        says = f"the map is better than {name} by {len(better)} of {len(against)} measures" + (
            f" and worse by {' and '.join(worse)}" if worse else ""
        )
        yield Check(f"faithful against {baseline}", passed, says)


def _sanity(found: Mapping[str, Any]) -> Iterator[Check]:
    # Where all evidence lies in one place, maps of different tiles are alike too.
    others = found["other_tiles"]["value"]
    last = found["weight_randomization"][-1]["similarity"]
    yield _unlike("weight randomization", last, others, "random weights give")
    if "shuffled_labels" in found:
        shuffled = found["shuffled_labels"]
        yield _unlike("shuffled labels", shuffled, others, "a model of shuffled labels gives")
    turned = found["equivariance"]
    passed = _above(turned, ALIKE)
    says = (
        f"turned tiles have {'' if passed else 'not surely '}turned maps (rank correlation "
        f"{_words(turned)})"
    )
    yield Check("equivariance", passed, says)


def _unlike(name: str, estimate: Mapping[str, Any], others: float, whose: str) -> Check:
    """Maps must be less alike than ``ALIKE``, or than maps of different tiles if those are more alike."""
    highest = estimate["value"] if math.isnan(estimate["ci_high"]) else estimate["ci_high"]
    passed = highest < max(ALIKE, others)
    says = (
        f"{whose} {'other' if passed else 'much the same'} maps (rank correlation {_words(estimate)}, "
        f"between different tiles {others:.2f})"
    )
    return Check(name, passed, says)


def _above(estimate: Mapping[str, Any], level: float) -> bool:
    """Whether an estimate is surely above a level; without an interval nothing is sure."""
    return bool(estimate["ci_low"] > level)


def _words(estimate: Mapping[str, Any]) -> str:
    value, low, high = (estimate[key] for key in ("value", "ci_low", "ci_high"))
    if math.isnan(value):
        return "undefined"
    return f"{value:.2f}" if math.isnan(low) else f"{value:.2f}, {low:.2f} to {high:.2f}"
