"""Every figure of a run, by name."""

from histocli.report.evaluation_figures import evaluation_figures
from histocli.report.training_figure import training_history_figure

__all__ = ["evaluation_figures", "training_history_figure"]
