"""Every picture of a run's result. Figures are made without pyplot: nothing blocks, nothing leaks."""

import contextlib
import functools
import textwrap
import warnings

from genre.files import whole_file

import numpy as np
from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator

DOTS_PER_INCH = 150
OWN_FONT = "DejaVu Sans"
MORE_FONTS = ("Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans CJK KR")  # Linux
MORE_FONTS += ("Microsoft YaHei", "Yu Gothic", "Malgun Gothic", "Nirmala UI", "Leelawadee UI")  # Windows
MORE_FONTS += ("PingFang SC", "Hiragino Sans", "Apple SD Gothic Neo", "Arial Unicode MS")  # macOS
LONGEST = 28  # letters of a class name
MANY = 30  # classes, from which on cells shrink; runs, from which on a legend only says where their names are
# Ten that the colour-blind tell apart, too: Petroff, "Accessible color sequences for data visualization", 2021,
# https://arxiv.org/abs/2107.02270.
TEN = ("#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6", "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd")
DASHES = ("-", "--", ":", "-.")


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
    heading(figure, title)
    save(figure, path)


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
    classes = [short(name) for name in classes]
    rows = [f"{name} ({count})" for name, count in zip(classes, counts.sum(axis=1), strict=True)]
    axes.set_xticks(range(len(classes)), classes, rotation=45, ha="right", rotation_mode="anchor", parse_math=False)
    axes.set_yticks(range(len(classes)), rows, parse_math=False)  # a genre may have $ in its name
    axes.set(xlabel="predicted", ylabel="true (tracks)")
    figure.colorbar(picture, ax=axes, label="share of the true class", shrink=0.8)
    heading(figure, title)
    save(figure, path)


def roc_curves(panels, classes, title, path):
    """A panel for each classifier: a curve for each class against the others, and their mean.

    Args:
        panels: {caption: ({class number: (false positive rates, true positive rates, area)}, the mean likewise)}.
    """
    figure, grid = _grid(len(panels), 2.4, title, 0.4)
    for axes, (caption, (of_class, (false, true, _))) in zip(grid, panels.items(), strict=True):
        for number, curve in of_class.items():
            axes.plot(*curve[:2], linewidth=0.9, clip_on=False, **_line(number))
        axes.plot(false, true, color="black", linewidth=1.8, clip_on=False)
        axes.plot([0, 1], [0, 1], color="grey", linewidth=0.8, linestyle=":")
        axes.set_title(caption, fontsize=8)
        axes.set(xlim=(0, 1), ylim=(0, 1), box_aspect=1)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_ticks((0, 0.5, 1), ("0", "0.5", "1"), fontsize=7)
        axes.set_xlabel("false positive rate", fontsize=7)
        axes.set_ylabel("true positive rate", fontsize=7)
        axes.grid(alpha=0.3)
    _label_outer(grid)
    lines = [Line2D([], [], color="black", linewidth=1.8, label="mean of all (macro)")]
    lines += [Line2D([], [], label=plain(name), **_line(i)) for i, name in enumerate(classes)]
    figure.legend(handles=lines, loc="outside lower center", ncols=3 if len(grid) < 3 else 6, fontsize=8)
    save(figure, path)


def confusion_matrices(panels, classes, title, path):
    """A panel for each classifier: shares of the true class in percent.

    Args:
        panels: {caption: (classes, classes), true class by predicted class}.
    """
    labels = [short(name) for name in classes]
    figure, grid = _grid(len(panels), max(2.0, 0.22 * len(classes)), title, 0.06 * max(map(len, labels)))
    for axes, (caption, counts) in zip(grid, panels.items(), strict=True):
        percent = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        picture = axes.imshow(percent, cmap="Blues", vmin=0, vmax=100)
        for (row, column), share in np.ndenumerate(percent):
            if share >= 0.5:
                colour = "white" if share > 50 else "black"
                axes.text(column, row, f"{share:.0f}", ha="center", va="center", color=colour, fontsize=5.5)
        axes.set_title(caption, fontsize=8)
        axes.set_xticks(range(len(labels)), labels, rotation=90, fontsize=7, parse_math=False)
        axes.set_yticks(range(len(labels)), labels, fontsize=7, parse_math=False)
        axes.tick_params(length=2)
        axes.set_xlabel("predicted", fontsize=7)
        axes.set_ylabel("true", fontsize=7)
    _label_outer(grid)
    bar = figure.colorbar(picture, ax=list(grid), shrink=0.5, aspect=30, pad=0.02)
    bar.set_label("% of the true class", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    save(figure, path)


def roc(of_class, mean, classes, title, path):
    """A curve for each class against the others, and their mean; the areas in the legend, the largest first.

    Args:
        of_class: {class number: (false positive rates, true positive rates, area)}. mean: likewise.
    """
    labels = {number: f"{area:.3f}  {plain(classes[number])}" for number, (*_, area) in of_class.items()}
    height = max(5, 1.6 + 0.18 * min(len(labels) + 3, MANY))
    figure, columns = _beside_legend(height, height, list(labels.values()))
    axes = figure.subplots()
    for number in sorted(of_class, key=lambda number: -of_class[number][2]):
        axes.plot(*of_class[number][:2], linewidth=1.2, clip_on=False, label=labels[number], **_line(number))
    if of_class:
        axes.plot(*mean[:2], color="black", linewidth=2, clip_on=False, label=f"{mean[2]:.3f}  mean of all")
    axes.plot([0, 1], [0, 1], color="grey", linewidth=0.8, linestyle=":", label="0.500  chance")
    axes.set(xlim=(0, 1), ylim=(0, 1), box_aspect=1, xlabel="false positive rate", ylabel="true positive rate")
    axes.grid(alpha=0.3)
    words = {"title": "area under the curve", "title_fontsize": 8, "fontsize": 8}
    figure.legend(loc="outside right center", ncols=columns, handlelength=2.6, **words)
    heading(figure, title)
    save(figure, path)


def reliability(bins, names, title, path):
    """Confidence against accuracy with its intervals, and below how often each confidence is.

    Args:
        bins: {label: evaluation.Bins}. names: of confidence, accuracy and what is counted.
    """
    figure = Figure(figsize=(6, 6.4), dpi=DOTS_PER_INCH, layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3.4, 1))
    above.plot([0, 1], [0, 1], color="grey", linewidth=0.8, linestyle=":", label="as often right as it says")
    for (label, found), colour, marker in zip(bins.items(), (TEN[0], TEN[6]), "os", strict=False):
        bars = np.abs([found.low, found.high] - found.accuracy)
        shown = {"color": colour, "marker": marker, "markersize": 5, "linewidth": 1.2, "elinewidth": 0.8, "capsize": 2}
        label = f"{label}: expected calibration error {100 * found.error:.1f} %"
        above.errorbar(found.confidence, found.accuracy, bars, label=label, clip_on=False, zorder=3, **shown)
        counts, _ = np.histogram(found.confidence, found.edges, weights=found.counts)
        below.stairs(counts, found.edges, color=colour, fill=colour == TEN[0], alpha=0.9, linewidth=1.4)
    above.set(xlim=(0, 1), ylim=(0, 1), ylabel=names[1])
    below.set(xlabel=names[0], ylabel=names[2])
    below.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    for axes in (above, below):
        axes.grid(alpha=0.3)
    figure.legend(*above.get_legend_handles_labels(), loc="outside lower center", fontsize=8)
    heading(figure, title)
    save(figure, path)


def genres(rows, lines, title, path):
    """The share of each genre's tracks that is found, with its interval, the best at the top.

    Args:
        rows: [(genre, tracks, share, low, high)]. lines: {label: share} across all genres.
    """
    rows = sorted(rows, key=lambda row: (row[2], row[1]))
    names, tracks, shares, low, high = zip(*rows, strict=True)
    y = np.arange(len(rows))
    figure = Figure(figsize=(8, 1.7 + 0.3 * len(rows)), dpi=DOTS_PER_INCH, layout="constrained")
    axes = figure.subplots()
    axes.barh(y, np.multiply(shares, 100), height=0.7, color=TEN[0], alpha=0.8)
    bars = 100 * np.abs([low, high] - np.array(shares))
    axes.errorbar(np.multiply(shares, 100), y, xerr=bars, fmt="none", color="black", elinewidth=1, capsize=3)
    for (label, share), dashes in zip(lines.items(), ("--", ":"), strict=True):
        label = f"{label}: {100 * share:.1f} %"
        axes.axvline(100 * share, color=TEN[2], linewidth=1.2, linestyle=dashes, label=label)
    named = [f"{short(name)} ({count})" for name, count in zip(names, tracks, strict=True)]
    axes.set_yticks(y, named, parse_math=False)
    axes.set(xlabel="% of the genre's tracks that are found (recall), with 95 % interval", xlim=(0, 100))
    axes.set_ylabel("genre (tracks)")
    axes.grid(axis="x", alpha=0.3)
    axes.margins(y=0.02)
    figure.legend(loc="outside lower center", ncols=2, fontsize=8)
    heading(figure, title)
    save(figure, path)


def points(xy, y, classes, title, path):
    """Tracks as points in the plane, coloured by class.

    Args:
        xy: (tracks, 2). y: (tracks,) class numbers.
    """
    markers = "osD^v<>Ph*"
    figure, columns = _beside_legend(6.5, 6.5, [plain(name) for name in classes])
    axes = figure.subplots()
    size = 28 if len(y) < 500 else 14 if len(y) < 3000 else 6  # square points
    for number, name in enumerate(classes):
        marker = markers[(number + number // len(TEN)) % len(markers)]  # no two classes share both
        shown = {"color": _colour(number), "marker": marker, "linewidths": 0}
        axes.scatter(*xy[y == number].T, s=size, alpha=0.8, label=plain(name), **shown)
    axes.set(xticks=[], yticks=[])
    axes.set_aspect("equal", adjustable="datalim")
    as_large = (28 / size) ** 0.5
    figure.legend(loc="outside right center", fontsize=8, ncols=columns, markerscale=as_large)
    heading(figure, title)
    save(figure, path)


def _beside_legend(width, height, labels):
    """A figure with room for a legend on its right, and the legend's columns.

    Args:
        width, height: in inches, without the legend.
    """
    columns = max(1, -(-len(labels) // MANY))
    width += columns * (0.7 + 0.065 * max([20, *map(len, labels)]))
    return Figure(figsize=(width, height), dpi=DOTS_PER_INCH, layout="constrained"), columns


def heading(figure, title):
    """A title, its lines broken where the figure is narrower."""
    letters = int(12 * figure.get_figwidth())
    lines = [part for line in _printable(title).splitlines() for part in textwrap.wrap(line, letters)]
    figure.suptitle("\n".join(lines), parse_math=False, fontsize=10)


def _grid(count, side, title, labels):
    """A figure with up to four panels a row, and its panels. Args: side: of a panel, labels: beside it, in inches."""
    columns = min(4, count)
    rows = -(-count // columns)
    gap = labels if count % columns else 0  # above where the last row ends
    size = max((side + 0.2) * columns + 1.2 + labels, 5.5), (side + 0.5) * rows + 1.2 + labels + gap
    figure = Figure(figsize=size, dpi=DOTS_PER_INCH, layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid[count:]:
        axes.remove()
    heading(figure, title)
    return figure, grid[:count]


def _label_outer(grid):
    """Labels on the left and below only where no other panel is; matplotlib's own leaves those above a gap bare."""
    columns = min(4, len(grid))
    for number, axes in enumerate(grid):
        if number % columns:
            axes.set_ylabel("")
            axes.tick_params(labelleft=False)
        if number + columns < len(grid):
            axes.set_xlabel("")
            axes.tick_params(labelbottom=False)


def plain(name, longest=LONGEST):
    """A name for a legend, which would read $ as mathematics."""
    return short(name, longest).replace("$", r"\$")


def _colour(number):
    return TEN[number % len(TEN)]


def _line(number):
    """How the curve of a class is drawn: no two of the first forty alike."""
    return {"color": _colour(number), "linestyle": DASHES[number // len(TEN) % len(DASHES)]}


def class_counts(counts, title, path):
    """Tracks and, where known, artists of each class as bars.

    Args:
        counts: {class: (tracks, artists)}, from the top down.
    """
    names = [short(name) for name in counts]
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
    heading(figure, title)
    save(figure, path)


def tags(of_tags, title, path):
    """ROC-AUC and PR-AUC of each tag as bars, the best at the top.

    Args:
        of_tags: {tag: {"tracks", "roc_auc", "pr_auc"}}; tags without an AUC are left out.
    """
    judged = {tag: of for tag, of in of_tags.items() if of["roc_auc"] is not None}
    shown = sorted((of["roc_auc"], of["pr_auc"], of["tracks"], tag) for tag, of in judged.items())
    rows = np.arange(len(shown))
    figure = Figure(figsize=(8, 1.6 + 0.32 * max(len(shown), 1)), dpi=DOTS_PER_INCH, layout="constrained")
    axes = figure.subplots()
    for column, (label, offset) in enumerate((("ROC-AUC", 0.2), ("PR-AUC", -0.2))):
        bars = axes.barh(rows + offset, [of[column] for of in shown], height=0.36, label=label)
        axes.bar_label(bars, fmt="%.2f", padding=3, fontsize=7)
    axes.axvline(0.5, color="grey", linewidth=1, linestyle=":", label="ROC-AUC of chance")
    axes.set_yticks(rows, [f"{short(tag)} ({tracks})" for _, _, tracks, tag in shown], parse_math=False)
    axes.set(xlabel="area under the curve", ylabel="tag (tracks)", xlim=(0, 1.08))
    axes.grid(axis="x", alpha=0.3)
    axes.margins(y=0.02)
    figure.legend(loc="outside lower center", ncols=3, fontsize=8)
    heading(figure, title)
    save(figure, path)


def short(name, longest=LONGEST):
    """A name, cut where it is too long for a picture; bytes of a file name that are no UTF-8 are question marks."""
    name = _printable(name)
    return name if len(name) <= longest else name[: longest - 1] + "\u2026"


def _printable(text):
    """Text without the bytes of a file name that are no UTF-8, which matplotlib cannot draw."""
    return text.encode(errors="replace").decode()


def save(figure, path):
    """Write a figure, whole or not at all."""
    with whole_file(path) as temporary, drawable(figure):
        figure.savefig(temporary)


@contextlib.contextmanager
def drawable(figure):
    """Give the texts of a figure that the block draws what can be drawn, and fonts; letters that none has are said."""
    for text in figure.findobj(Text):
        text.set_text(_printable(text.get_text()))
        text.set_fontfamily(_fonts())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for warning in caught:
        if "missing from font" in str(warning.message):
            _say_what_is_missing()
        else:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)


@functools.cache
def _fonts():
    """Matplotlib's own font and, for letters that it lacks, those that are installed."""
    installed = set(font_manager.get_font_names())
    return [OWN_FONT, *(name for name in MORE_FONTS if name in installed)]


@functools.cache
def _say_what_is_missing():
    print(f"note: pictures have boxes for letters that no known font here has; install one, such as {MORE_FONTS[0]}")
