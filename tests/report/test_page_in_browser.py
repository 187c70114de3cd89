"""The page in a real browser: it works, loads nothing, and has no barrier that axe-core finds."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from histocli.report.collect import collect_run
from histocli.report.page import write_page
from histocli.report.run_tiles import RunTiles
from tests.report.conftest import MakeRun

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
READER = shutil.which("pdftotext")
# By `npm install --no-save axe-core` in the checkout.
AXE = Path(__file__).resolve().parents[2] / "node_modules" / "axe-core" / "axe.min.js"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="needs Chromium"),
]
# Moves the slider and sorts a table as a reader would, and writes down what then stands there.
DRIVE = """<script>
const slider = document.querySelector(".slider input");
slider.value = 0;
slider.dispatchEvent(new Event("input"));
document.querySelector("table.figures button.sort").click();
</script></body>"""
# Asks for what a page could load in any way; each is to be refused.
REACH_OUT = """<script>
fetch("http://127.0.0.1:9/fetch").catch(() => {});
new Image().src = "http://127.0.0.1:9/image.png";
</script></body>"""
AUDIT = """<script>
document.querySelectorAll("details").forEach((each) => { each.open = true; });
axe.run(document, {resultTypes: ["violations"]}).then(({violations, passes}) => {
  const found = violations.map(({id, impact, nodes}) => [id, impact, nodes[0].html]);
  const note = document.createElement("pre");
  note.id = "audit";
  note.textContent = JSON.stringify({passes: passes.length, violations: found});
  document.body.append(note);
});
</script></body>"""
DARK = "--blink-settings=preferredColorScheme=0"
PHONE = "--window-size=500,900"

Browse = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def page(make_run: MakeRun, tmp_path: Path) -> Path:
    """With everything on it that a page can have."""
    run = make_run()
    (run / "evaluation" / "test" / "confusion_matrix.png").unlink()
    attention = run / "explanation" / "attention.json"
    audit = {"verdict": {"passes": False, "words": "The explanation fails 1 of 6 checks."}}
    attention.write_text(json.dumps({**json.loads(attention.read_text()), "audit": audit}))
    for name in ("gradcam_analysis", "average_maps", "faithfulness", "sanity"):
        Image.new("RGB", (300, 200), "gray").save(run / "explanation" / f"{name}.png")
    tile = tmp_path / "tile.png"
    Image.new("RGB", (96, 96), "pink").save(tile)
    summary = collect_run(run)
    assert summary.headline is not None
    assert summary.headline.predictions is not None
    errors = dict.fromkeys(summary.headline.predictions.tiles, tile.read_bytes())
    tiles = RunTiles(errors, [(tile.read_bytes(), tile.read_bytes())])
    return write_page([summary], tmp_path / "report.html", tiles={run: tiles})


@pytest.fixture
def browse(tmp_path: Path) -> Browse:
    def open_page(page: Path, *options: str) -> subprocess.CompletedProcess[str]:
        command = [str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu"]
        command += ["--enable-logging=stderr", f"--user-data-dir={tmp_path / 'profile'}"]
        return subprocess.run(
            [*command, *options, page.as_uri()],
            capture_output=True,
            text=True,
            timeout=300,
            check=True,
        )

    return open_page


def add(page: Path, *scripts: str) -> Path:
    changed = page.with_name("driven.html")
    changed.write_text(page.read_text().replace("</body>", "".join(scripts)))
    return changed


def test_slider_and_sorting_work_without_error_or_request(page: Path, browse: Browse) -> None:
    done = browse(add(page, DRIVE), "--dump-dom")
    assert "CONSOLE" not in done.stderr
    assert '<td data-show="missed">0</td>' in done.stdout
    assert '<td data-show="cleared">0</td>' in done.stdout
    assert 'aria-sort="ascending"' in done.stdout


def test_a_request_would_be_refused_and_told(page: Path, browse: Browse) -> None:
    said = browse(add(page, REACH_OUT), "--dump-dom").stderr
    for asked in ("fetch", "image.png"):
        assert re.search(rf"127\.0\.0\.1:9/{asked}.*Content Security Policy", said)


@pytest.mark.skipif(READER is None, reason="needs pdftotext of poppler")
def test_without_scripts_the_page_prints_whole(page: Path, browse: Browse, tmp_path: Path) -> None:
    # Headless Chromium prints nothing with scripts turned off: the page is robbed of its own instead.
    bare, taken = re.subn(r"<script>.*?</script>", "", page.read_text(), flags=re.DOTALL)
    assert taken == 1
    page.write_text(bare)
    printed = tmp_path / "report.pdf"
    browse(page, f"--print-to-pdf={printed}")
    command = [str(READER), str(printed), "-"]
    read = subprocess.run(command, capture_output=True, text=True, check=True)
    text = " ".join(read.stdout.split())
    assert "In plain words" in text
    assert "Funding and the role of funders" in text
    assert "Another threshold" not in text


needs_axe = pytest.mark.skipif(not AXE.is_file(), reason="needs `npm install --no-save axe-core`")


def assert_no_barrier(page: Path, browse: Browse, *options: str) -> None:
    driven = add(page, f"<script>{AXE.read_text()}</script>", AUDIT)
    done = browse(driven, *options, "--virtual-time-budget=60000", "--dump-dom")
    found = re.search(r'<pre id="audit">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found is not None, done.stderr
    audit = json.loads(found[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
    assert audit["passes"] > 20
    assert audit["violations"] == []


@needs_axe
@pytest.mark.parametrize("options", [(), (DARK,), (PHONE,), (DARK, PHONE)], ids=" ".join)
def test_axe_finds_no_barrier(page: Path, browse: Browse, options: tuple[str, ...]) -> None:
    assert_no_barrier(page, browse, *options)


@needs_axe
def test_axe_finds_no_barrier_where_runs_are_compared(
    make_run: MakeRun, tmp_path: Path, browse: Browse
) -> None:
    runs = [collect_run(make_run("one")), collect_run(make_run("two", classes=("a", "b", "c")))]
    assert_no_barrier(write_page(runs, tmp_path / "report.html"), browse)
