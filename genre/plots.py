"""Every picture of a result. Figures are made without pyplot: nothing blocks, nothing leaks."""

from genre.files import whole_file

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

DOTS_PER_INCH = 150
LONGEST = 28  # letters of a class name
MANY = 30  # classes, from which on cells shrink


def history(rows, best_epoch, metric, title, path):
    """Loss and metric per epoch, training and validation.

    Args:
        rows: dicts with epoch (from 1), loss, metric, val_loss, val_<metric>. best_epoch: the epoch that was kept.
        metric: its name, such as "accuracy", of values from 0 to 1.
    """
    figure = Figure(figsize=(10, 4), dpi=DOTS_PER_INCH, layout="constrained")
    epochs = [row["epoch"] for row in rows]
    marker = "o" if len(rows) == 1 else None  # a single point draws no line
    for axes, name in zip(figure.subplots(1, 2), ("loss", metric), strict=True):
        axes.plot(epochs, [row[name] for row in rows], label="training", marker=marker)
        axes.plot(epochs, [row[f"val_{name}"] for row in rows], label="validation", marker=marker)
        axes.axvline(best_epoch, color="grey", linewidth=1, linestyle=":", label=f"kept: epoch {best_epoch}")
        axes.set(xlabel="epoch", ylabel=name.replace("_", " "))
        axes.set_xlim(0, len(rows) + 1)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend()
    figure.axes[0].set_ylim(bottom=0)
    figure.axes[1].set_ylim(0, 1)
    figure.suptitle(title, parse_math=False)
    _save(figure, path)


def confusion_matrix(counts, classes, title, path):
    """Counts, and below each the share of its row (the true class); the colour is the share.

    Args:
        counts: (classes, classes), true class by predicted class.
    """
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    cell, letters = (0.62, 8) if len(classes) <= MANY else (0.42, 5.5)  # inches, points: room for two lines
    side = max(5.5, 2.2 + cell * len(classes))
    figure = Figure(figsize=(side + 1, side), dpi=DOTS_PER_INCH, layout="constrained")
    axes = figure.subplots()
    picture = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        if count:
            text = f"{count}\n{shares[row, column]:.0%}"
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=letters)
    classes = [_short(name) for name in classes]
    rows = [f"{name} ({count})" for name, count in zip(classes, counts.sum(axis=1), strict=True)]
    axes.set_xticks(range(len(classes)), classes, rotation=45, ha="right", rotation_mode="anchor", parse_math=False)
    axes.set_yticks(range(len(classes)), rows, parse_math=False)  # a genre may have $ in its name
    axes.set(xlabel="predicted", ylabel="true (tracks)")
    figure.colorbar(picture, ax=axes, label="share of the true class", shrink=0.8)
    figure.suptitle(title, parse_math=False)
    _save(figure, path)


def class_counts(counts, title, path):
    """Tracks and, where known, artists of each class as bars.

    Args:
        counts: {class: (tracks, artists)}, from the top down.
    """
    names = [_short(name) for name in counts]
    columns = [(label, [of_class[i] for of_class in counts.values()]) for i, label in enumerate(("tracks", "artists"))]
    columns = [(label, values) for label, values in columns if any(values)]
    height, rows = 0.8 / len(columns), np.arange(len(names))
    figure = Figure(figsize=(8, 1.4 + 0.32 * len(names)), dpi=DOTS_PER_INCH, layout="constrained")
    axes = figure.subplots()
    for number, (label, values) in enumerate(columns):
        bars = axes.barh(rows + height * (number - (len(columns) - 1) / 2), values, height=0.9 * height, label=label)
        axes.bar_label(bars, padding=3, fontsize=7)
    axes.set_yticks(rows, names, parse_math=False)
    axes.invert_yaxis()
    axes.margins(x=0.1)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="x", alpha=0.3)
    axes.set_xlabel(" and ".join(label for label, _ in columns))
    if len(columns) > 1:
        figure.legend(loc="outside upper right", ncols=2, fontsize=8)
    figure.suptitle(title, parse_math=False)
    _save(figure, path)


def tags(of_tags, title, path):
    """ROC-AUC and PR-AUC of each tag as bars, the best at the top.

    Args:
        of_tags: {tag: {"tracks", "roc_auc", "pr_auc"}}; tags without an AUC are left out.
    """
    shown = sorted((of["roc_auc"], of["pr_auc"], of["tracks"], tag) for tag, of in of_tags.items() if of["roc_auc"])
    rows = np.arange(len(shown))
    figure = Figure(figsize=(8, 1.6 + 0.32 * max(len(shown), 1)), dpi=DOTS_PER_INCH, layout="constrained")
    axes = figure.subplots()
    for column, (label, offset) in enumerate((("ROC-AUC", 0.2), ("PR-AUC", -0.2))):
        bars = axes.barh(rows + offset, [of[column] for of in shown], height=0.36, label=label)
        axes.bar_label(bars, fmt="%.2f", padding=3, fontsize=7)
    axes.axvline(0.5, color="grey", linewidth=1, linestyle=":", label="ROC-AUC of chance")
    axes.set_yticks(rows, [f"{_short(tag)} ({tracks})" for _, _, tracks, tag in shown], parse_math=False)
    axes.set(xlabel="area under the curve", ylabel="tag (tracks)", xlim=(0, 1.08))
    axes.grid(axis="x", alpha=0.3)
    axes.margins(y=0.02)
    figure.legend(loc="outside lower center", ncols=3, fontsize=8)
    figure.suptitle(title, parse_math=False, fontsize=10)
    _save(figure, path)


def contact_sheet(pictures, seconds, title, path):
    """Pictures of one piece below each other, in colours for people; low frequencies at the bottom.

    Args:
        pictures: {caption: uint8 (bins, frames)}, the highest frequency in row 0. seconds: length of the piece.
    """
    columns = 3 if len(pictures) > 4 else 1
    rows = -(-len(pictures) // columns)
    figure = Figure(figsize=(4.5 * columns, 0.6 + 2.1 * rows), dpi=DOTS_PER_INCH, layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid[len(pictures) :]:
        axes.set_visible(False)
    for axes, (caption, picture) in zip(grid, pictures.items(), strict=False):
        extent = (0, seconds, 0, len(picture))
        axes.imshow(picture, cmap="magma", vmin=0, vmax=255, aspect="auto", interpolation="nearest", extent=extent)
        axes.set_title(f"{caption}, {picture.shape[0]} x {picture.shape[1]}", fontsize=9, parse_math=False)
        axes.tick_params(labelsize=7)
        axes.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    for axes in grid[max(0, len(pictures) - columns) : len(pictures)]:
        axes.set_xlabel("s", fontsize=8)
    figure.suptitle(title, parse_math=False)
    _save(figure, path)


def _short(name):
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "\u2026"


def _save(figure, path):
    with whole_file(path) as temporary:
        figure.savefig(temporary)
