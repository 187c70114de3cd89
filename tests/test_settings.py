from pathlib import Path

import pytest

from histocli.errors import SettingsError
from histocli.settings import HistoSettings
from histocli.settings_sources import find_config, load_settings, origins, to_toml

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "histo.toml"


def test_each_source_goes_before_the_one_below(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "histo.toml"
    config.write_text("[train]\nepochs = 7\nbatch_size = 8\n")
    assert load_settings().train.batch_size == 32
    assert load_settings(config).train.epochs == 7
    monkeypatch.setenv("HISTO_TRAIN__EPOCHS", "9")
    merged = load_settings(config)
    assert (merged.train.epochs, merged.train.batch_size) == (9, 8)
    typed = {"train": {"epochs": 11}}
    assert load_settings(config, typed).train.epochs == 11
    assert origins(config, typed) == {
        ("train", "epochs"): "command line",
        ("train", "batch_size"): str(config),
    }


def test_a_typed_value_equal_to_the_default_still_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HISTO_TRAIN__BATCH_SIZE", "8")
    assert load_settings(None, {"train": {"batch_size": 32}}).train.batch_size == 32


def test_wrong_values_and_names_are_named_with_a_hint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SettingsError, match=r"--epochs: Input should be greater"):
        load_settings(None, {"train": {"epochs": 0}})
    config = tmp_path / "histo.toml"
    config.write_text("[train]\nepoch = 3\n")
    with pytest.raises(SettingsError, match=r"train\.epoch: .*did you mean epochs"):
        load_settings(config)
    config.write_text("[train\n")
    with pytest.raises(SettingsError, match=r"histo\.toml"):
        load_settings(config)
    monkeypatch.setenv("HISTO_TRAIN__EPOCH", "3")
    with pytest.raises(
        SettingsError, match=r"HISTO_TRAIN__EPOCH; did you mean HISTO_TRAIN__EPOCHS"
    ):
        load_settings()


def test_a_named_file_must_exist_and_the_default_need_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_config(None) is None
    with pytest.raises(SettingsError, match="no such settings file"):
        find_config(Path("absent.toml"))
    monkeypatch.setenv("HISTO_CONFIG", "absent.toml")
    with pytest.raises(SettingsError, match="no such settings file"):
        find_config(None)
    monkeypatch.delenv("HISTO_CONFIG")
    Path("histo.toml").write_text("")
    assert find_config(None) == Path("histo.toml")


def test_the_example_file_is_what_the_settings_say() -> None:
    assert EXAMPLE.read_text() == to_toml(load_settings())
    assert load_settings(EXAMPLE).model_dump() == HistoSettings().model_dump()
