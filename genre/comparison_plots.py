"""Pictures of several runs beside each other."""

from pathlib import PurePath
from typing import NamedTuple

from genre.plots import DOTS_PER_INCH, LONGEST, MANY, drawable, heading, plain, save, short

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from matplotlib.transforms import Bbox, IdentityTransform

COLOURED = 10  # best runs, the others are grey


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
    _legend_below(figure, [*handles, Line2D([], [], color="grey", linestyle=":", label=plain(baseline.name))])
    heading(figure, title)
    with drawable(figure):
        figure.draw_without_rendering()
    figure.set_layout_engine("none")  # what is placed in pixels stays where it is
    for axes, what in zip(panels, ("parameters", "seconds"), strict=True):
        _number_points(axes, _known(runs, what), what, baseline.value)
    save(figure, path)


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
    heading(figure, title)
    save(figure, path)


def reproduced(rows, splits, published, baselines, metric, each, title, path):
    """A line for each system: what its seeds or folds reach on each split, beside what was published.

    Args:
        rows: {name: ({split: (mean, (low, high), values of each)}, {subset: what was published})}, in %, from the
            top down; what is not known is left out.
        splits, published: {key: in words}, those that the legend names. baselines: {split: of no training}.
        metric: its name. each: what a value is of.
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
    axes.set_yticks(range(len(rows)), [short(name, 2 * LONGEST) for name in rows], parse_math=False)
    axes.set_ylim(max(len(rows), 1) - 0.4, -0.6)
    axes.set_xlabel(metric)
    axes.grid(axis="x", alpha=0.3)
    lines = [Line2D([], [], color=colours[split], marker="o", label=plain(splits[split], 60)) for split in splits]
    lines += [Line2D([], [], color="grey", marker="|", linestyle="", label=f"a {each}")]
    for subset, words in published.items():
        hollow = {} if subset == "validation" else {"markerfacecolor": "white"}
        lines.append(Line2D([], [], color="black", marker="D", markersize=5, linestyle="", label=words, **hollow))
    if baselines:
        lines.append(Line2D([], [], color="grey", linestyle=":", label="without training"))
    figure.legend(handles=lines, loc="outside lower center", ncols=2, fontsize=8)
    heading(figure, title)
    save(figure, path)


def _compared_figure(runs):
    """A figure that leaves room for a legend of runs, and the lines of the legend."""
    names = _that_fit([run.name for run in runs])
    rows = min(len(runs), MANY) // _legend_columns(names) + 1
    figure = Figure(figsize=(10, 4.6 + 0.19 * rows), dpi=DOTS_PER_INCH, layout="constrained")
    named = [(run, f"{run.number}  {plain(name, 2 * LONGEST)}") for run, name in zip(runs, names, strict=True)]
    return figure, [Line2D([], [], color=run.colour, marker="o", label=label) for run, label in named]


def _that_fit(names):
    """Names of runs; where one is too long, all lose the folders that they share at the front until it is not."""
    parts = [PurePath(name).parts for name in names]
    while max(map(len, names)) > 2 * LONGEST and min(map(len, parts)) > 1 and len({of[0] for of in parts}) == 1:
        parts = [of[1:] for of in parts]
        names = ["/".join(of) for of in parts]
    return names


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
