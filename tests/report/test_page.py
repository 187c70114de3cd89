import json
import re
from collections.abc import Sequence
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from histocli.errors import InputError, SettingsError
from histocli.report.collect import collect_run
from histocli.report.page import DISCLAIMER, FIGURE_BYTES, SECTIONS, write_page
from histocli.report.pictures import picture
from histocli.report.wording import INTERVAL_METHODS
from histocli.run_record import RunRecord
from tests.report.conftest import MakeRun

VOID = {"meta", "img", "br", "hr", "link", "line", "circle", "input"}


class Page(HTMLParser):
    """What a page loads, shows and promises to those who cannot see it."""

    def __init__(self, runs: Sequence[Path], output: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.source = write_page([collect_run(run) for run in runs], output).read_text()
        self.feed(self.source)
        self.close()
        self.text = re.sub(r"\s+", " ", " ".join(self.words))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in {"style", "script"}:
            self.words.append(data)

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def page(make_run: MakeRun, tmp_path: Path) -> Page:
    return Page([make_run()], tmp_path / "report.html")


EMBEDDED = ("data:image/png;base64,", "data:image/jpeg;base64,")


def test_the_page_loads_nothing(page: Page) -> None:
    for tag, attributes in page.tags:
        assert tag not in {"link", "iframe", "object", "embed", "base", "form"}
        assert tag != "script" or not attributes
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in {"src", "href", "srcset", "poster", "action", "data"}:
                assert (value or "").startswith((*EMBEDDED, "#"))
    without_pictures = re.sub(rf"({'|'.join(EMBEDDED)})[A-Za-z0-9+/=]+", "", page.source)
    for remote in ("http:", "https:", "//", "@import", "url("):
        assert remote not in without_pictures


def test_the_methods_of_intervals_are_in_words(page: Page) -> None:
    assert "bootstrap-t of whole groups" in page.text
    assert not [name for name in INTERVAL_METHODS if "(" in name and name in page.text]


def test_every_tag_is_closed_and_every_id_is_there_once(page: Page) -> None:
    assert page.source.lstrip().startswith("<!doctype html>")
    assert page.open == []
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = {(attributes["href"] or "")[1:] for attributes in page.attributes("a")}
    assert targets <= set(ids)
    assert targets == {"content", *(f"run-1-{anchor}" for anchor in SECTIONS)}


def test_the_disclaimer_stands_once(page: Page) -> None:
    assert page.source.count(DISCLAIMER) == 1


def test_the_page_can_be_read_aloud(page: Page) -> None:
    assert page.attributes("html") == [{"lang": "en"}]
    assert page.tags[[tag for tag, _ in page.tags].index("body") + 1][1]["class"] == "skip"
    images = page.attributes("img")
    assert len(images) == 1 + 2 * 4
    texts = [image["alt"] or "" for image in images]
    assert len(set(texts)) == len(texts)
    assert all(len(text) > 20 for text in texts)
    assert any(re.search(r"ROC curve of the test split: AUROC 0\.\d{3} \(", t) for t in texts)
    assert any("true normal, " in text and "called tumor" in text for text in texts)
    headings = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h\d", tag)]
    assert headings[0] == 1
    assert headings.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(headings))
    assert len(page.attributes("table")) == len(page.attributes("caption"))
    assert all(cell.get("scope") in {"row", "col"} for cell in page.attributes("th"))


def test_the_page_is_small(page: Page) -> None:
    assert len(page.source) < 5_000_000


def test_a_page_that_would_be_too_large_gets_smaller_figures(
    make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [make_run("one"), make_run("two")]
    whole = Page(runs, tmp_path / "whole.html")
    limit = len(whole.source) // 2
    monkeypatch.setattr("histocli.report.page.LARGEST_PAGE", limit)
    small = Page(runs, tmp_path / "small.html")
    assert len(small.source) < limit
    assert small.text == whole.text
    assert len(small.attributes("img")) == len(whole.attributes("img"))


def test_a_page_of_too_many_runs_is_refused(
    make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [make_run("one"), make_run("two")]
    monkeypatch.setattr("histocli.report.page.LARGEST_PAGE", 10_000)
    with pytest.raises(SettingsError, match=r"2 runs would have .* name fewer runs"):
        Page(runs, tmp_path / "large.html")
    assert not (tmp_path / "large.html").exists()


def test_the_browser_is_told_to_load_nothing(page: Page) -> None:
    (policy,) = (each["content"] or "" for each in page.attributes("meta") if "http-equiv" in each)
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    assert not set(rules) & {"connect-src", "font-src", "frame-src", "media-src"}


@pytest.mark.parametrize("query", ["prefers-color-scheme: dark", "print", "max-width"])
def test_the_page_fits_screen_dark_and_paper(page: Page, query: str) -> None:
    assert re.search(rf"@media [^{{]*{query}", page.source)


def test_the_page_says_what_matters(page: Page) -> None:
    for text in (
        *("What", "How good", "How sure", "What to distrust"),
        "A tile is called tumor where its probability is at least 0.410, chosen by Youden.",
        "temperature of 1.200: the model was too sure of itself",
        "ECE, calibrated",
        "Chance: a map that looks everywhere alike",
        "Ceiling: no map as coarse",
        "epoch 2 was kept",
    ):
        assert text in page.text


def test_the_same_run_gives_the_same_page(page: Page, tmp_path: Path) -> None:
    again = Page([tmp_path / "runs" / "first"], tmp_path / "again.html")
    assert again.source == page.source


def test_strings_from_the_data_are_escaped(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run("<i>run</i>", classes=("<b>normal</b>", "<script>alert(1)</script>"))
    record = RunRecord.read(run)
    record.settings = {**record.settings, "weights": '"><img src=x onerror=alert(2)>'}
    record.inputs["data"]["path"] = "<svg onload=alert(3)>"
    record.write(run)
    attention = run / "explanation" / "attention.json"
    attention.write_text(json.dumps({**json.loads(attention.read_text()), "note": "<u>note</u>"}))
    page = Page([run], tmp_path / "report.html")
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"b", "i", "u"}
    assert len(page.attributes("script")) == 1
    assert all(not name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.source
    assert "<script>alert(1)</script>" in page.text


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    RunRecord("train", {}).write(tmp_path / "begun")
    page = Page([tmp_path / "begun"], tmp_path / "report.html")
    for title in SECTIONS.values():
        assert title in page.text
    assert page.text.count("Not provided: run `histo evaluate`.") == 6
    assert "Not provided: run `histo explain`." in page.text
    assert "Not provided: the run has not ended" in page.text
    assert "Not provided: the run has finished no epoch yet" in page.text
    assert "Not provided: the run has saved no model yet" in page.text


def test_a_confusion_matrix_without_figure_is_a_table(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    (run / "evaluation" / "test" / "confusion_matrix.png").unlink()
    (run / "training_history.png").unlink()
    page = Page([run], tmp_path / "report.html")
    assert "Confusion matrix, test split" in page.text
    assert "Not provided: training_history.png" in page.text


def test_half_an_explanation_says_what_is_missing(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    page = Page([run], tmp_path / "table.html")
    assert "Not provided: gradcam_analysis.png; run `histo explain`" in page.text
    (run / "explanation" / "attention.json").rename(run / "explanation" / "gradcam_analysis.png")
    Image.new("RGB", (8, 8)).save(run / "explanation" / "gradcam_analysis.png")
    page = Page([run], tmp_path / "picture.html")
    assert "Not provided: the attention table; run `histo explain`" in page.text


def test_several_runs_are_compared_first(make_run: MakeRun, tmp_path: Path) -> None:
    runs = [make_run("one"), make_run("two", classes=("a", "b", "c"))]
    page = Page(runs, tmp_path / "report.html")
    assert page.open == []
    assert page.source.count(DISCLAIMER) == 1
    assert page.text.index("The runs side by side") < page.text.index("In plain words")
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {"run-1", "run-2"} <= set(ids)
    assert "Each class against all others" in page.text


def test_a_large_picture_is_made_to_fit(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1000, 1200, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "large.png")
    assert (tmp_path / "large.png").stat().st_size > FIGURE_BYTES[0]
    embedded = picture(tmp_path / "large.png", "noise", FIGURE_BYTES[0])
    assert len(embedded.uri) < FIGURE_BYTES[0] * 1.34
    assert embedded.width / embedded.height == pytest.approx(1.2, rel=0.01)


def test_a_damaged_picture_is_named(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    path = run / "evaluation" / "test" / "roc.png"
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(InputError, match=r"roc\.png"):
        write_page([collect_run(run)], tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


def test_the_verdict_of_the_audit_stands_with_the_attention(
    make_run: MakeRun, tmp_path: Path
) -> None:
    run = make_run()
    attention = run / "explanation" / "attention.json"
    page = Page([run], tmp_path / "before.html")
    assert "an audit of the maps; run `histo explain --audit`" in page.text
    assert "fail their audit" not in page.text
    audit = {"verdict": {"passes": False, "words": "The explanation fails 1 of 6 checks."}}
    attention.write_text(json.dumps({**json.loads(attention.read_text()), "audit": audit}))
    Image.new("RGB", (20, 10)).save(run / "explanation" / "sanity.png")
    page = Page([run], tmp_path / "report.html")
    assert "Audit: The explanation fails 1 of 6 checks." in page.text
    assert "The attention maps fail their audit" in page.text
    assert any(
        "layers get random weights" in (image["alt"] or "") for image in page.attributes("img")
    )


def test_every_checklist_is_on_the_page(page: Page) -> None:
    assert "TRIPOD+AI: 52 items" in page.text
    assert "CLAIM 2024: 44 items" in page.text
    assert "author to complete" in page.text
