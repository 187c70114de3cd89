import shutil
import subprocess
from pathlib import Path

import pytest

from histocli.report.collect import collect_run
from histocli.report.page import write_page
from tests.report.conftest import MakeRun

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
# Moves the slider and sorts a table as a reader would, and writes down what then stands there.
DRIVE = """<script>
const slider = document.querySelector(".slider input");
slider.value = 0;
slider.dispatchEvent(new Event("input"));
document.querySelector("table.figures button.sort").click();
</script></body>"""


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="needs Chromium")
def test_slider_and_sorting_work_without_error_or_request(
    make_run: MakeRun, tmp_path: Path
) -> None:
    page = write_page([collect_run(make_run())], tmp_path / "report.html")
    page.write_text(page.read_text().replace("</body>", DRIVE))
    command = [str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    command += ["--enable-logging=stderr", f"--user-data-dir={tmp_path / 'profile'}"]
    done = subprocess.run(
        [*command, page.as_uri()], capture_output=True, text=True, timeout=90, check=True
    )
    assert "CONSOLE" not in done.stderr
    assert '<td data-show="missed">0</td>' in done.stdout
    assert '<td data-show="cleared">0</td>' in done.stdout
    assert 'aria-sort="ascending"' in done.stdout
