"""The training history as a figure: loss, and validation AUROC with the epoch that was kept."""

import math
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from histocli.report.history import read_history
from histocli.report.run_summary import Epoch, best_epoch
from histocli.report.style import BLUE, FAINT, GREEN, INK, VERMILLION, written_figure

MARKED_EPOCHS = 30


def training_history_figure(history_csv: Path, output: Path) -> Path:
    """Draw the curves of one training run.

    Args:
        history_csv: The run's ``history.csv``.
        output: The PNG file to write.

    Returns:
        ``output``.

    Raises:
        InputError: If the history is absent or damaged.
    """
    history = read_history(history_csv)
    epochs = [epoch.epoch for epoch in history]
    marker = "o" if len(epochs) <= MARKED_EPOCHS else ""
    with written_figure(output, 8, 3.2) as figure:
        losses, aurocs = figure.subplots(1, 2)
        losses.plot(
            epochs,
            [epoch.train_loss for epoch in history],
            color=BLUE,
            marker=marker,
            label="training",
        )
        losses.plot(
            epochs,
            [epoch.valid_loss for epoch in history],
            color=VERMILLION,
            linestyle="--",
            marker="s" if marker else "",
            label="validation",
        )
        losses.set(title="Loss", ylabel="Cross-entropy")
        losses.legend()
        aurocs.plot(epochs, [epoch.valid_auroc for epoch in history], color=GREEN, marker=marker)
        aurocs.set(title="Validation AUROC", ylabel="AUROC")
        _mark_best(aurocs, best_epoch(history))
        for axes in (losses, aurocs):
            axes.set_xlabel("Epoch")
            axes.grid(axis="y", color=FAINT, linewidth=0.5)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
            axes.margins(y=0.18)
            if epochs:
                axes.set_xlim(min(epochs) - 0.5, max(epochs) + 0.5)
    return output


def _mark_best(axes: Axes, best: Epoch | None) -> None:
    if best is None or not math.isfinite(best.valid_auroc):
        return
    axes.plot(
        best.epoch,
        best.valid_auroc,
        marker="o",
        markersize=10,
        markerfacecolor="none",
        markeredgecolor=INK,
        linestyle="",
    )
    middle = sum(axes.get_xlim()) / 2
    axes.annotate(
        f"best: {best.valid_auroc:.4f} (epoch {best.epoch})",
        (best.epoch, best.valid_auroc),
        xytext=(0, 9),
        textcoords="offset points",
        ha="left" if best.epoch < middle else "right" if best.epoch > middle else "center",
        fontsize=8,
    )
