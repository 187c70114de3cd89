import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from histocli.errors import StoppedError
from histocli.training.linear_probe import fit_linear_probe


@pytest.mark.parametrize("classes", [2, 3])
def test_it_is_scikit_learns_regression_on_standardized_features(classes: int) -> None:
    generator = np.random.default_rng(0)
    labels = generator.integers(0, classes, 300)
    features = (generator.normal(size=(300, 8)) + labels[:, None] * 0.5) * 7 + 3
    features = features.astype(np.float32)
    train, valid = slice(0, 200), slice(200, 300)
    probe = fit_linear_probe(
        features[train], labels[train], features[valid], labels[valid], classes=classes
    )
    scaler = StandardScaler().fit(features[train])
    peer = LogisticRegression(C=probe.strength, max_iter=500)
    peer.fit(scaler.transform(features[train]), labels[train])
    logits = probe.logits(features[valid])
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    expected = peer.predict_proba(scaler.transform(features[valid]))
    np.testing.assert_allclose(probabilities, expected, atol=1e-4)
    if classes == 2:
        assert probe.score == pytest.approx(roc_auc_score(labels[valid], probabilities[:, 1]))


def test_where_a_class_is_absent_from_validation_the_loss_chooses() -> None:
    generator = np.random.default_rng(1)
    labels = np.repeat([0, 1, 2], 40)
    features = (generator.normal(size=(120, 4)) + 3 * labels[:, None]).astype(np.float32)
    present = labels < 2
    probe = fit_linear_probe(features, labels, features[present], labels[present], classes=3)
    assert np.isnan(probe.score)
    # Well apart: a head that hardly moves loses more.
    assert probe.strength > 1e-4


def test_it_stops_between_two_fits() -> None:
    generator = np.random.default_rng(2)
    labels = np.repeat([0, 1], 20)
    features = generator.normal(size=(40, 3)).astype(np.float32)
    calls = 0

    def check() -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise StoppedError("stopped")

    with pytest.raises(StoppedError):
        fit_linear_probe(features, labels, features, labels, classes=2, check=check)
    assert calls == 2
