"""``MODEL_CARD.md``: a run as Hugging Face's hub shows a model, from the facts of the report."""

import json
from pathlib import Path
from typing import Any

from histocli.atomic_files import write_text
from histocli.report.markup import markdown, markdown_text
from histocli.report.run_summary import Evaluation, RunSummary
from histocli.report.run_tables import data_table, provenance_table
from histocli.report.summary import summarize
from histocli.report.tables import metrics_table
from histocli.report.wording import metric_label

AUTHOR = "*Author to complete.*"
TASK = {"type": "image-classification", "name": "Image classification"}


def write_model_card(summary: RunSummary, output: Path) -> Path:
    """Write the card of one run.

    Args:
        summary: Of a run that saved a model.
        output: The Markdown file.

    Returns:
        ``output``.
    """
    write_text(output, model_card(summary))
    return output


def model_card(summary: RunSummary) -> str:
    """The card: front matter, what the model is, how good, what to distrust."""
    words = summarize(summary)
    results = [*words.how_good, *words.how_sure] or ["Not evaluated: run `histo evaluate`."]
    splits = {each.split: each.metrics for each in summary.evaluations}
    parts = [
        _front_matter(summary),
        f"# {markdown_text(summary.name)}\n",
        "Research software, not a medical device: not for diagnosis or treatment decisions.\n",
        _section("What it is", *words.what),
        _section("Intended use", AUTHOR),
        _section("How to use it", f"```bash\nhisto predict {summary.name} SOURCE\n```"),
        _section("Data"),
        markdown([data_table(summary)]),
        _section("Results", *results),
        *([markdown([metrics_table(splits)])] if splits else []),
        _section("What to distrust", *(f"- {each}" for each in words.distrust)),
        _section("Ethics, license, contact", AUTHOR),
        _section("Provenance"),
        markdown([provenance_table(summary)]),
    ]
    return "\n".join(parts)


def _front_matter(summary: RunSummary) -> str:
    """YAML whose values are JSON, which YAML contains: nothing a name holds can break it."""
    facts: dict[str, Any] = {
        "library_name": "histocli",
        "pipeline_tag": TASK["type"],
        "tags": ["histopathology", "image-classification", summary.architecture],
    }
    headline = summary.headline
    if headline is not None:
        facts["metrics"] = [
            name for name, entry in headline.metrics["metrics"].items() if _measured(entry)
        ]
        facts["model-index"] = [
            {
                "name": summary.name,
                "results": [_result(summary, each) for each in summary.evaluations],
            }
        ]
    lines = [f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in facts.items()]
    return "\n".join(["---", *lines, "---", ""])


def _result(summary: RunSummary, evaluation: Evaluation) -> dict[str, Any]:
    source = str(summary.record.inputs.get("data", {}).get("path", "unknown"))
    return {
        "task": TASK,
        "dataset": {"name": Path(source).name, "type": "custom", "split": evaluation.split},
        "metrics": [
            {"type": name, "value": entry["value"], "name": metric_label(name)}
            for name, entry in evaluation.metrics["metrics"].items()
            if _measured(entry)
        ],
    }


def _measured(entry: Any) -> bool:
    return entry.get("value") is not None


def _section(title: str, *paragraphs: str) -> str:
    return "\n\n".join([f"## {title}", *paragraphs, ""])
