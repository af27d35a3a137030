"""Pictures of several runs: what they show, and that nothing in them overlaps."""

import itertools

from genre import comparison_plots
from genre.comparison_plots import Compared

import numpy as np
import pytest

LONG = ["singer-songwriter", "drum and bass", "hip hop", "international", "old-time / historic", "easy listening"]


def compared(count, seed=0):
    """Runs that crowd: many of the same parameters, of nearly the same accuracy."""
    rng = np.random.default_rng(seed)
    values = np.sort(rng.normal(0.5, 0.03, count))[::-1].tolist()
    parameters, seconds = rng.choice([1e5, 2e5, 1e6], count).tolist(), rng.lognormal(4, 1, count).tolist()
    names = [f"{LONG[i % len(LONG)]}_model/mel/${i}$" for i in range(count)]
    return [
        Compared(i + 1, names[i], v, (v - 0.07, v + 0.07), parameters[i], seconds[i], [[0.1, v, v - 0.1]], [2])
        for i, v in enumerate(values)
    ]


BASELINE = Compared(0, "always the largest class", 0.12, None, None, None, [], [])


@pytest.mark.parametrize("count", [1, 12, 45])
def test_no_number_of_a_compared_run_overlaps_another_or_a_point(tmp_path, figures, count):
    comparison_plots.costs(compared(count), BASELINE, "validation accuracy", "197 tracks\nof a set", tmp_path / "a.png")
    figure = figures[0]
    for axes, label in zip(figure.axes, ("parameters", "seconds of training"), strict=True):
        assert (axes.get_xscale(), axes.get_xlabel()) == ("log", label)
        assert [text.get_text() for text in axes.texts] == [str(i + 1) for i in range(count)]
        points = [line for line in axes.lines if line.get_marker() == "o"]
        boxes = [text.get_window_extent() for text in axes.texts]
        boxes += [line.get_window_extent().padded(-3) for line in points]
        apart = [(a, b) for a, b in itertools.combinations(boxes, 2) if a in boxes[:count]]
        assert not any(a.overlaps(b) for a, b in apart)
        page = axes.get_window_extent()
        assert all(page.x0 <= box.x0 < box.x1 <= page.x1 and page.y0 <= box.y0 < box.y1 <= page.y1 for box in boxes)
        ticks = [t.get_window_extent() for t in axes.get_xticklabels() if t.get_text()]
        assert not any(a.overlaps(b) for a, b in itertools.pairwise(ticks))
    legend, title = figure.legends[0].get_window_extent(), figure._suptitle.get_window_extent()
    assert all(figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1 for box in (legend, title))
    assert 0 <= legend.y0 < legend.y1 < figure.axes[0].xaxis.label.get_window_extent().y0
    assert len(figure.legends[0].texts) == (count + 1 if count <= 30 else 2)


def test_names_too_long_for_the_legend_lose_the_folders_that_all_share(tmp_path, figures):
    shared, own = (
        "/home/someone/models/experiments/frontier/given",
        [f"size_{i}/short_chunk_resnet_model/mel" for i in "ab"],
    )
    for folder, shown in (
        (shared, [f"frontier/given/{name}" for name in own]),
        ("models", [f"models/{name}" for name in own]),
    ):
        runs = [run._replace(name=f"{folder}/{name}") for run, name in zip(compared(2), own, strict=True)]
        comparison_plots.curves(runs, "validation accuracy", "title", tmp_path / "a.png")
        labels = [text.get_text() for text in figures[-1].legends[0].texts]
        assert labels[:2] == [f"{i}  {name}" for i, name in enumerate(shown, 1)]


def test_what_a_run_does_not_know_is_left_out_of_the_picture_of_costs(tmp_path, figures):
    runs = [run._replace(parameters=None) for run in compared(2)]
    runs[0] = runs[0]._replace(seconds=0.0, interval=None)
    comparison_plots.costs(runs, BASELINE, "validation accuracy", "title", tmp_path / "a.png")
    parameters, seconds = figures[0].axes
    assert [text.get_text() for text in parameters.texts] == ["no run knows its parameters"]
    assert [text.get_text() for text in seconds.texts] == ["1", "2"]


def test_curves_of_runs_lie_over_each_other_with_a_dot_at_the_epoch_kept(tmp_path, figures):
    runs = compared(12)
    runs[1] = runs[1]._replace(curves=[[0.1], [0.2, 0.3]], kept=[1, None])
    comparison_plots.curves(runs, "validation accuracy", "title", tmp_path / "a.png")
    (axes,), (legend,) = figures[0].axes, figures[0].legends
    assert len([line for line in axes.lines if line.get_marker() != "o"]) == 13
    assert len([line for line in axes.lines if line.get_marker() == "o"]) == 12
    labels = [text.get_text() for text in legend.texts]
    assert labels[0].startswith("1  ") and labels[9:] == [labels[9], "those from 11 on", "the epoch kept"]
    assert legend.get_window_extent().x1 <= figures[0].bbox.x1


@pytest.mark.parametrize("count", [1, 30])
def test_what_is_reproduced_stands_beside_what_was_published(tmp_path, figures, count):
    reached = {"given": (40.0, (33.0, 47.0), [38.0, 42.0]), "random": (50.0, (43.0, 57.0), [50.0])}
    rows = {f"{LONG[i % len(LONG)]} ${i}$": (reached, {"test": 45.0, "validation": 55.0}) for i in range(count - 1)}
    rows["not trained"] = ({}, {})
    splits = {"given": "given: fault-filtered", "random": "random: the same tracks"}
    published = {"validation": "published, validation", "test": "published, test"}
    title = "the networks of a paper on a data set"
    comparison_plots.reproduced(rows, splits, published, {"given": 12.0}, "%", "fold", title, tmp_path / "a.png")
    (axes,), (legend,) = figures[0].axes, figures[0].legends
    labels = axes.get_yticklabels()
    assert [label.get_text() for label in labels] == list(rows)
    heights = [label.get_window_extent().y0 for label in labels]
    assert heights == sorted(heights, reverse=True)  # from the top down
    boxes = [label.get_window_extent() for label in labels]
    assert not any(a.overlaps(b) for a, b in itertools.pairwise(boxes))
    for number in range(count - 1):
        near = [line for line in axes.lines if abs(np.mean(line.get_ydata()) - number) < 0.45]
        dots = {line.get_xdata()[0] for line in near if line.get_marker() == "o"}
        diamonds = {line.get_xdata()[0]: line.get_markerfacecolor() for line in near if line.get_marker() == "D"}
        assert dots == {40.0, 50.0}
        assert diamonds == {45.0: "white", 55.0: "black"}
    words = [text.get_text() for text in legend.texts]
    assert words == [*splits.values(), "a fold", *published.values(), "without training"]
    box = legend.get_window_extent()
    assert 0 <= box.x0 < box.x1 <= figures[0].bbox.x1
    assert box.y1 < axes.xaxis.label.get_window_extent().y0
