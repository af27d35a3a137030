"""Pictures of a song: what a run says of it and where it looks, and what features make of it."""

import math
import textwrap
from typing import NamedTuple

from genre.plots import DOTS_PER_INCH, heading, save, short

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import EngFormatter, MaxNLocator

MOST_ROWS = 10  # of a timeline


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


def timeline(found, step, classes, spectrogram, seconds, title, path):
    """The likeliest classes of a song over time, above its spectrogram.

    Args:
        found: runs.Timeline. step: of it, in s. spectrogram: uint8 (bins, frames), of `seconds`.
    """
    probabilities, bounds = found.said, np.array([(start, end) for start, end, _ in found.steps(step)])
    heard, silent = np.nan_to_num(probabilities), np.isnan(probabilities).any(axis=1)
    likeliest = np.where(silent, -1, heard.argmax(axis=1))
    ever = np.isin(np.arange(len(classes)), likeliest)
    order = np.argsort(-heard.max(axis=0) - ever, kind="stable")[:MOST_ROWS]
    order = order[np.argsort(-heard[:, order].mean(axis=0), kind="stable")]
    height = 0.24 * len(order)
    figure = Figure(figsize=(10, 3.4 + height), dpi=DOTS_PER_INCH, layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(height, 2.2))
    shown = {"extent": (0, len(bounds) * step, len(order) - 0.5, -0.5), "aspect": "auto", "interpolation": "nearest"}
    picture = above.imshow(100 * probabilities[:, order].T, cmap="Blues", vmin=0, vmax=100, **shown)
    steps, rows = np.nonzero(likeliest[:, None] == order)
    above.plot(bounds[steps].mean(axis=1), rows, "o", color="black", markeredgecolor="white", markersize=4)
    above.set_yticks(range(len(order)), [short(classes[i]) for i in order], parse_math=False, fontsize=8)
    above.set_title("dots: the likeliest", fontsize=8, loc="right")
    below.imshow(spectrogram, cmap="magma", aspect="auto", extent=(0, seconds, 0, 1))
    below.set_xlim(0, max(found.seconds, seconds))
    below.set(xlabel="seconds", yticks=[], ylabel="frequency")
    bar = figure.colorbar(picture, ax=[above, below], pad=0.01, aspect=40)
    bar.set_label("% likely", fontsize=8)
    heading(figure, title)
    save(figure, path)


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
            axes.set_title(f"{short(name)}{nothing}", fontsize=9, loc="left", parse_math=False)
        _small_bar(figure, glow, below, "share of the strongest evidence").ax.set_facecolor("0.3")
        for axes in (top, *below):
            axes.set(xlim=(start, start + seconds), ylim=(0, len(of.picture)))
            axes.tick_params(labelsize=7, labelbottom=axes is below[-1])
            _label_bins(axes, of.hertz, len(of.picture))
        below[-1].set_xlabel("seconds into the song", fontsize=8)
    heading(figure, title)
    save(figure, path)


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
    heading(figure, title)
    save(figure, path)


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
    heading(figure, title)
    save(figure, path)
