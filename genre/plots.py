"""Every picture of a result. Figures are made without pyplot: nothing blocks, nothing leaks."""

import math
import textwrap
from typing import NamedTuple

from genre.files import whole_file

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import EngFormatter, FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from matplotlib.transforms import Bbox, IdentityTransform

DOTS_PER_INCH = 150
LONGEST = 28  # letters of a class name
MOST_ROWS = 10  # of a timeline
MANY = 30  # classes, from which on cells shrink; runs, from which on a legend only says where their names are
COLOURED = 10  # best runs, the others are grey
# Ten that the colour-blind tell apart, too: Petroff, "Accessible color sequences for data visualization", 2021,
# https://arxiv.org/abs/2107.02270.
TEN = ("#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6", "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd")
DASHES = ("-", "--", ":", "-.")


class Seen(NamedTuple):
    """A picture of one piece, and for each class the evidence in it.

    `picture` is uint8 (bins, frames), the highest bin in row 0; `levels` are (low, high, unit) of 0 and 255, or None.
    `maps` are floats (bins', frames'), one a class; `extent` is where they lie: left, right in s, bottom, top in bins.
    `hertz` is float (bins,), the lowest first, or None where bins are no frequencies.
    """

    feature: str
    picture: np.ndarray
    levels: tuple | None
    hertz: np.ndarray | None
    maps: list
    extent: tuple
    name: str  # of what the maps are of


class Compared(NamedTuple):
    """A run beside others, or the repeats of one; `number` 1 is the best. What it does not know is None.

    `curves` has for each repeat its metric after each epoch, `kept` the epoch (from 1) of each that was kept.
    """

    number: int
    name: str
    value: float
    interval: tuple
    parameters: float
    seconds: float
    curves: list
    kept: list

    @property
    def colour(self):
        return colormaps["tab10"].colors[self.number - 1] if self.number <= COLOURED else "darkgrey"

    @property
    def drawn(self):
        """How matplotlib is to draw it: the best above the others."""
        return {"color": self.colour, "zorder": 3 + 1 / self.number}


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
    lines += [Line2D([], [], label=_plain(name), **_line(i)) for i, name in enumerate(classes)]
    figure.legend(handles=lines, loc="outside lower center", ncols=3 if len(grid) < 3 else 6, fontsize=8)
    _save(figure, path)


def confusion_matrices(panels, classes, title, path):
    """A panel for each classifier: shares of the true class in percent.

    Args:
        panels: {caption: (classes, classes), true class by predicted class}.
    """
    labels = [_short(name) for name in classes]
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
    _save(figure, path)


def roc(of_class, mean, classes, title, path):
    """A curve for each class against the others, and their mean; the areas in the legend, the largest first.

    Args:
        of_class: {class number: (false positive rates, true positive rates, area)}. mean: likewise.
    """
    labels = {number: f"{area:.3f}  {_plain(classes[number])}" for number, (*_, area) in of_class.items()}
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
    _title(figure, title)
    _save(figure, path)


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
    _title(figure, title)
    _save(figure, path)


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
    named = [f"{_short(name)} ({count})" for name, count in zip(names, tracks, strict=True)]
    axes.set_yticks(y, named, parse_math=False)
    axes.set(xlabel="% of the genre's tracks that are found (recall), with 95 % interval", xlim=(0, 100))
    axes.set_ylabel("genre (tracks)")
    axes.grid(axis="x", alpha=0.3)
    axes.margins(y=0.02)
    figure.legend(loc="outside lower center", ncols=2, fontsize=8)
    _title(figure, title)
    _save(figure, path)


def points(xy, y, classes, title, path):
    """Tracks as points in the plane, coloured by class.

    Args:
        xy: (tracks, 2). y: (tracks,) class numbers.
    """
    markers = "osD^v<>Ph*"
    figure, columns = _beside_legend(6.5, 6.5, [_plain(name) for name in classes])
    axes = figure.subplots()
    size = 28 if len(y) < 500 else 14 if len(y) < 3000 else 6  # square points
    for number, name in enumerate(classes):
        marker = markers[(number + number // len(TEN)) % len(markers)]  # no two classes share both
        shown = {"color": _colour(number), "marker": marker, "linewidths": 0}
        axes.scatter(*xy[y == number].T, s=size, alpha=0.8, label=_plain(name), **shown)
    axes.set(xticks=[], yticks=[])
    axes.set_aspect("equal", adjustable="datalim")
    as_large = (28 / size) ** 0.5
    figure.legend(loc="outside right center", fontsize=8, ncols=columns, markerscale=as_large)
    _title(figure, title)
    _save(figure, path)


def _beside_legend(width, height, labels):
    """A figure with room for a legend on its right, and the legend's columns.

    Args:
        width, height: in inches, without the legend.
    """
    columns = max(1, -(-len(labels) // MANY))
    width += columns * (0.7 + 0.065 * max([20, *map(len, labels)]))
    return Figure(figsize=(width, height), dpi=DOTS_PER_INCH, layout="constrained"), columns


def _title(figure, title):
    """A title, its lines broken where the figure is narrower."""
    letters = int(12 * figure.get_figwidth())
    lines = [part for line in title.splitlines() for part in textwrap.wrap(line, letters)]
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
    figure.suptitle(title, parse_math=False, fontsize=10)
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


def _plain(name, longest=LONGEST):
    """A name for a legend, which would read $ as mathematics."""
    return _short(name, longest).replace("$", r"\$")


def _colour(number):
    return TEN[number % len(TEN)]


def _line(number):
    """How the curve of a class is drawn: no two of the first forty alike."""
    return {"color": _colour(number), "linestyle": DASHES[number // len(TEN) % len(DASHES)]}


def timeline(probabilities, step, classes, spectrogram, seconds, title, path):
    """The likeliest classes of a song over time, above its spectrogram.

    Args:
        probabilities: (steps, classes); NaN in silence. step: s. spectrogram: uint8 (bins, frames), of `seconds`.
    """
    heard = np.nan_to_num(probabilities)
    order = np.argsort(-heard.max(axis=0), kind="stable")[:MOST_ROWS]
    order = order[np.argsort(-heard[:, order].mean(axis=0), kind="stable")]
    end, height = len(probabilities) * step, 0.24 * len(order)
    figure = Figure(figsize=(10, 3.4 + height), dpi=DOTS_PER_INCH, layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(height, 2.2))
    shown = {"extent": (0, end, len(order) - 0.5, -0.5), "aspect": "auto", "interpolation": "nearest"}
    picture = above.imshow(100 * probabilities[:, order].T, cmap="Blues", vmin=0, vmax=100, **shown)
    said = [(step * (n + 0.5), np.argmax(p[order])) for n, p in enumerate(probabilities) if not np.isnan(p).any()]
    above.plot(
        [time for time, _ in said], [row for _, row in said], "o", color="black", markeredgecolor="white", markersize=4
    )
    above.set_yticks(range(len(order)), [_short(classes[i]) for i in order], parse_math=False, fontsize=8)
    above.set_title("dots: the likeliest", fontsize=8, loc="right")
    below.imshow(spectrogram, cmap="magma", aspect="auto", extent=(0, seconds, 0, 1))
    below.set_xlim(0, max(end, seconds))
    below.set(xlabel="seconds", yticks=[], ylabel="frequency")
    bar = figure.colorbar(picture, ax=[above, below], pad=0.01, aspect=40)
    bar.set_label("% likely", fontsize=8)
    figure.suptitle(title, parse_math=False, fontsize=10)
    _save(figure, path)


def evidence(seen, classes, start, seconds, title, path):
    """A column for each picture: in colour, and below it for each class in grey, the evidence glowing over it.

    Each map has a scale of its own, to its strongest cell; where it ends within the picture, a line is around it.

    Args:
        seen: list of Seen. classes: what is said above each map. start: of the piece in its song, seconds: its length.
    """
    width = 9 if len(seen) == 1 else 5.2 * len(seen)
    figure = Figure(figsize=(width, 1.3 + 2.1 * (1 + len(classes))), dpi=DOTS_PER_INCH, layout="constrained")
    grid = figure.subplots(1 + len(classes), len(seen), squeeze=False)
    for (top, *below), of in zip(grid.T, seen, strict=True):
        shown = {"aspect": "auto", "extent": (start, start + seconds, 0, len(of.picture))}
        low, high, unit = of.levels or (0, 255, "level")
        levels = top.imshow(low + of.picture / 255 * (high - low), cmap="magma", vmin=low, vmax=high, **shown)
        _small_bar(figure, levels, [top], textwrap.fill(unit, 24))
        top.set_title(f"{of.feature}\n{of.name}", fontsize=8, parse_math=False)
        for axes, name, found in zip(below, classes, of.maps, strict=True):
            axes.imshow(of.picture, cmap="gray", vmin=0, vmax=1.6 * 255, **shown)  # dim, so that evidence stands out
            share = found / max(found.max(), np.finfo(float).tiny)
            drawn = {"cmap": _glow(), "vmin": 0, "vmax": 1, "interpolation": "bilinear", "aspect": "auto"}
            glow = axes.imshow(share, extent=of.extent, **drawn)
            left, right, bottom, upper = of.extent
            line = {"fill": False, "color": "0.8", "linestyle": ":", "linewidth": 0.8}
            axes.add_patch(Rectangle((left, bottom), right - left, upper - bottom, **line))
            nothing = "" if found.any() else ": nothing speaks for it"
            axes.set_title(f"{_short(name)}{nothing}", fontsize=9, loc="left", parse_math=False)
        _small_bar(figure, glow, below, "share of the strongest evidence").ax.set_facecolor("0.3")
        for axes in (top, *below):
            axes.set(xlim=(start, start + seconds), ylim=(0, len(of.picture)))
            axes.tick_params(labelsize=7, labelbottom=axes is below[-1])
            _label_bins(axes, of.hertz, len(of.picture))
        below[-1].set_xlabel("seconds into the song", fontsize=8)
    figure.suptitle(title, parse_math=False, fontsize=10)
    _save(figure, path)


def _small_bar(figure, picture, panels, label):
    bar = figure.colorbar(picture, ax=panels, pad=0.01, aspect=14 * len(panels))
    bar.set_label(label, fontsize=7)
    bar.ax.tick_params(labelsize=7)
    return bar


def _glow():
    """From clear by red to a bright yellow, for what is drawn over a picture in grey."""
    return LinearSegmentedColormap.from_list("glow", [(0.8, 0, 0, 0), (1, 0.35, 0, 0.6), (1, 0.95, 0.3, 0.95)])


def _label_bins(axes, hertz, bins):
    """Round frequencies where they lie, apart from each other; the number of a bin where they are none."""
    if hertz is None:
        axes.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
        axes.set_ylabel("bin", fontsize=8)
        return
    heights = {}
    for value in (lead * 10**power for power in range(4, 0, -1) for lead in (5, 2, 1)):
        height = np.interp(value, hertz, np.arange(bins) + 0.5)
        if hertz[0] <= value <= hertz[-1] and all(abs(height - other) > 0.1 * bins for other in heights.values()):
            heights[value] = height
    axes.set_yticks(list(heights.values()), [EngFormatter(sep="")(value) for value in heights])
    axes.set_ylabel("Hz", fontsize=8)


def filters(groups, title, path):
    """The weights of filters as little pictures, red above 0 and blue below; each group has a scale of its own.

    Args:
        groups: {caption: float (filters, bins, frames), the highest bin in row 0}.
    """
    mosaics = {caption: _mosaic(weights) for caption, weights in groups.items()}
    heights = [8.95 * len(mosaic) / mosaic.shape[1] for mosaic in mosaics.values()]  # inches
    size = (10, 0.4 + sum(heights) + 0.35 * len(heights))
    figure = Figure(figsize=size, dpi=DOTS_PER_INCH, layout="constrained")
    panels = figure.subplots(len(mosaics), 1, squeeze=False, height_ratios=heights).ravel()
    colours = colormaps["RdBu_r"].with_extremes(bad="0.8")
    for axes, (caption, mosaic) in zip(panels, mosaics.items(), strict=True):
        most = np.nanmax(np.abs(mosaic))
        shown = axes.imshow(mosaic, cmap=colours, vmin=-most, vmax=most, interpolation="nearest")
        axes.set(xticks=[], yticks=[])
        axes.set_title(caption, fontsize=9, parse_math=False)
        axes.spines[:].set_visible(False)
        bar = figure.colorbar(shown, ax=axes, pad=0.01, fraction=0.03, aspect=12, ticks=MaxNLocator(4, symmetric=True))
        bar.set_label("weight", fontsize=8)
        bar.ax.tick_params(labelsize=7)
    figure.suptitle(title, parse_math=False, fontsize=10)
    _save(figure, path)


def _mosaic(weights):
    """Filters (filters, bins, frames) side by side in rows as one picture, NaN between; none is a mere line."""
    count, bins, frames = weights.shape
    height, length = max(24, bins, frames // 6), max(24, frames, bins // 6)  # in cells of the mosaic
    larger = np.repeat(np.repeat(weights, -(-height // bins), axis=1), -(-length // frames), axis=2)
    gap = max(2, min(larger.shape[1:]) // 8)
    larger = np.pad(larger.astype(float), ((0, 0), (0, gap), (0, gap)), constant_values=np.nan)
    _, height, length = larger.shape
    about = max(8, math.ceil((3 * count * height / length) ** 0.5))  # columns, for a page thrice as wide as high
    likely = range(-(-2 * about // 3), 4 * about // 3 + 1)
    columns = min(count, min(likely, key=lambda columns: (-count % columns, abs(columns - about))))  # full rows
    rows = -(-count // columns)
    larger = np.concatenate([larger, np.full((rows * columns - count, height, length), np.nan)])
    whole = larger.reshape(rows, columns, height, length).swapaxes(1, 2).reshape(rows * height, columns * length)
    return np.pad(whole, ((gap, 0), (gap, 0)), constant_values=np.nan)


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


def costs(runs, baseline, metric, title, path):
    """The metric of runs, numbered from the best down, against their parameters and against their seconds.

    Args:
        runs: list of Compared, each with parameters or seconds. baseline: what needs no training, likewise.
        metric: its name.
    """
    figure, handles = _compared_figure(runs)
    panels = figure.subplots(1, 2, sharey=True)
    for axes, what in zip(panels, ("parameters", "seconds"), strict=True):
        for run in _known(runs, what):
            x = _cost(run, what)
            axes.plot([x, x], _bar(run), linewidth=1, marker="_", markersize=5, alpha=0.6, **run.drawn)
            axes.plot([x], [run.value], marker="o", markersize=5, **run.drawn)
        axes.axhline(baseline.value, color="grey", linewidth=1, linestyle=":", zorder=2)
        _log_axis(axes, what, any(_known(runs, what)))
        axes.grid(alpha=0.3)
    panels[0].set_xlabel("parameters")
    panels[0].set_ylabel(metric)
    panels[1].set_xlabel("seconds of training")
    if len(runs) > MANY:
        handles = [Line2D([], [], color="none", label="numbers: those of the table")]
    _legend_below(figure, [*handles, Line2D([], [], color="grey", linestyle=":", label=_plain(baseline.name))])
    figure.suptitle(title, parse_math=False, fontsize=10)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # what is placed in pixels stays where it is
    for axes, what in zip(panels, ("parameters", "seconds"), strict=True):
        _number_points(axes, _known(runs, what), what, baseline.value)
    _save(figure, path)


def curves(runs, metric, title, path):
    """The metric of runs after each epoch, a dot at the epoch that was kept.

    Args:
        runs: list of Compared, from the best down, each with a curve. metric: its name.
    """
    figure, handles = _compared_figure(runs)
    axes = figure.subplots()
    for run in runs:
        for values, kept in zip(run.curves, run.kept, strict=True):
            axes.plot(range(1, len(values) + 1), values, linewidth=1.1, **run.drawn)
            if kept and kept <= len(values):
                axes.plot([kept], [values[kept - 1]], marker="o", markersize=5, **run.drawn)
    axes.set(xlabel="epoch", ylabel=metric)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    grey = [run.number for run in runs if run.number > COLOURED]
    handles = handles[: len(runs) - len(grey)]
    if grey:
        handles.append(Line2D([], [], color="darkgrey", marker="o", label=f"those from {min(grey)} on"))
    _legend_below(figure, [*handles, Line2D([], [], color="black", marker="o", linestyle="", label="the epoch kept")])
    figure.suptitle(title, parse_math=False, fontsize=10)
    _save(figure, path)


def reproduced(rows, splits, published, baselines, metric, title, path):
    """A line for each system: what its seeds reach on each split, mean and interval, beside what was published.

    Args:
        rows: {name: ({split: (mean, (low, high), values of the seeds)}, {subset: what was published})}, in %, from the
            top down; what is not known is left out.
        splits, published: {key: in words}, those that the legend names. baselines: {split: of no training}.
        metric: its name.
    """
    colours = dict(zip(splits, colormaps["tab10"].colors, strict=False))
    figure = Figure(figsize=(9, 1.7 + 0.3 * max(3, len(rows))), dpi=DOTS_PER_INCH, layout="constrained")
    axes = figure.subplots()
    apart = 0.5 / len(splits)
    for number, (of_split, figures) in enumerate(rows.values()):
        for place, split in enumerate(splits):
            if split not in of_split:
                continue
            mean, interval, values = of_split[split]
            y, shown = number + apart * (place - (len(splits) - 1) / 2), {"color": colours[split]}
            axes.plot(interval, [y, y], linewidth=1.4, **shown)
            axes.plot(values, [y] * len(values), linestyle="", marker="|", markersize=6, alpha=0.6, **shown)
            axes.plot([mean], [y], marker="o", markersize=5, **shown)
        for subset, value in figures.items():
            hollow = {} if subset == "validation" else {"markerfacecolor": "white"}
            axes.plot([value], [number], marker="D", markersize=5, linestyle="", color="black", zorder=3, **hollow)
    for split, value in baselines.items():
        axes.axvline(value, color=colours[split], linewidth=1, linestyle=":")
    axes.set_yticks(range(len(rows)), [_short(name, 2 * LONGEST) for name in rows], parse_math=False)
    axes.set_ylim(max(len(rows), 1) - 0.4, -0.6)
    axes.set_xlabel(metric)
    axes.grid(axis="x", alpha=0.3)
    lines = [Line2D([], [], color=colours[split], marker="o", label=_plain(splits[split], 60)) for split in splits]
    lines += [Line2D([], [], color="grey", marker="|", linestyle="", label="a seed")]
    for subset, words in published.items():
        hollow = {} if subset == "validation" else {"markerfacecolor": "white"}
        lines.append(Line2D([], [], color="black", marker="D", markersize=5, linestyle="", label=words, **hollow))
    if baselines:
        lines.append(Line2D([], [], color="grey", linestyle=":", label="without training"))
    figure.legend(handles=lines, loc="outside lower center", ncols=2, fontsize=8)
    figure.suptitle(title, parse_math=False, fontsize=10)
    _save(figure, path)


def _compared_figure(runs):
    """A figure that leaves room for a legend of runs, and the lines of the legend."""
    rows = min(len(runs), MANY) // _legend_columns([run.name for run in runs]) + 1
    figure = Figure(figsize=(10, 4.6 + 0.19 * rows), dpi=DOTS_PER_INCH, layout="constrained")
    named = [(run, f"{run.number}  {_plain(run.name, 2 * LONGEST)}") for run in runs]
    return figure, [Line2D([], [], color=run.colour, marker="o", label=label) for run, label in named]


def _legend_columns(labels):
    return 3 if max(map(len, labels)) <= 40 else 2


def _legend_below(figure, handles):
    columns = _legend_columns([handle.get_label() for handle in handles])
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, fontsize=8)


def _known(runs, what):
    return [run for run in runs if getattr(run, what) is not None and run.value is not None]


def _cost(run, what):
    return max(getattr(run, what), 0.01)  # seconds are rounded to 0, which has no logarithm


def _bar(run):
    return run.interval or (run.value, run.value)


def _log_axis(axes, what, has_points):
    """Decades or, of few, their halves and fifths, at least one, in plain numbers."""
    axes.set_xscale("log")
    axes.xaxis.set_minor_formatter(NullFormatter())
    if not has_points:
        axes.set_xticks([])
        axes.text(0.5, 0.5, f"no run knows its {what}", transform=axes.transAxes, ha="center", va="center")
        return
    axes.margins(x=0.12)
    low, high = axes.get_xlim()
    if high < 10 * low:
        low, high = (low * high / 10) ** 0.5, (10 * low * high) ** 0.5
        axes.set_xlim(low, high)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 300 * low else (1,)))
    axes.xaxis.set_major_formatter(EngFormatter(sep="") if what == "parameters" else FuncFormatter("{0:g}".format))


def _number_points(axes, runs, what, baseline):
    """Write its number beside each point where it hides no other nor, if it can, a line; far away with a line to it.

    Args:
        runs: list of Compared. what: its name on the x axis. baseline: height of a line across.
    """
    dots = [axes.transData.transform((_cost(run, what), run.value)) for run in runs]
    bars = [Bbox(axes.transData.transform([(_cost(run, what), end) for end in _bar(run)])).padded(1) for run in runs]
    page, taken = axes.get_window_extent().padded(-4), [_box(dot, (8, 8)) for dot in dots]
    across = axes.transData.transform((axes.get_xlim()[0], baseline))[1]
    lines = [*bars, Bbox([(page.x0, across - 1), (page.x1, across + 1)])]
    for run, dot in zip(runs, dots, strict=True):
        text = axes.text(*dot, str(run.number), transform=IdentityTransform(), fontsize=7, ha="center", va="center")
        size = text.get_window_extent().size + 3
        spot = _free_spot(dot, size, page, taken, lines)
        taken.append(_box(spot, size))
        text.set(position=spot, zorder=10)
        way = spot - dot
        if np.hypot(*way) > 30:
            drawn = {"color": "grey", "linewidth": 0.5, "transform": IdentityTransform(), "zorder": 9}
            axes.add_line(Line2D(*zip(dot, spot - way * 11 / np.hypot(*way), strict=True), **drawn))


def _free_spot(dot, size, page, taken, lines):
    """The nearest place for a label within the page that is not taken, and on none of the lines unless all near are."""
    first = None
    for offset in _around():
        box = _box(dot + offset, size)
        if not _within(box, page) or any(map(box.overlaps, taken)):
            continue
        if not any(map(box.overlaps, lines)):
            return dot + offset
        first = offset if first is None else first
        if np.hypot(*offset) > 60:
            break
    return dot + (np.zeros(2) if first is None else first)


def _around():
    """Offsets in pixels, the nearest first, and of those the sides before above and below."""
    turns = np.radians([0, 180, 30, 150, -30, -150, 60, 120, -60, -120, 90, -90])
    return [radius * np.array([np.cos(turn), np.sin(turn)]) for radius in range(15, 250, 6) for turn in turns]


def _box(centre, size):
    return Bbox.from_bounds(*(centre - np.array(size) / 2), *size)


def _within(box, page):
    return page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1


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


def _short(name, longest=LONGEST):
    return name if len(name) <= longest else name[: longest - 1] + "\u2026"


def _save(figure, path):
    with whole_file(path) as temporary:
        figure.savefig(temporary)
