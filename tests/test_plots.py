"""Pictures of a result: what they show, and that nothing in them overlaps."""

import itertools
import os
import warnings

from genre import comparison_plots, evaluation, multi_label, plots

import numpy as np
import pytest
from PIL import Image

LONG = ["singer-songwriter", "drum and bass", "hip hop", "international", "old-time / historic", "easy listening"]


def test_letters_of_other_scripts_are_drawn_by_a_font_that_has_them_or_said_to_be_boxes(tmp_path, monkeypatch, capsys):
    lacking = "\u210a"  # a script g, which matplotlib has in STIXGeneral alone
    for fonts, note in (((), True), (("STIXGeneral", "No such font"), False)):
        monkeypatch.setattr(plots, "MORE_FONTS", (*fonts, "Noto"))
        for function in (plots._fonts, plots._say_what_is_missing):
            function.cache_clear()
        run = comparison_plots.Compared(1, lacking, 0.5, (0.4, 0.6), 10, 10.0, [], [])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            comparison_plots.costs([run], run, "accuracy", "title", tmp_path / "costs.png")
            plots.class_counts({lacking: (3, 2), "b": (1, 1)}, "title", tmp_path / f"{note}.png")
        assert capsys.readouterr().out.count("boxes for letters") == note
    plots._fonts.cache_clear()
    assert (tmp_path / "True.png").read_bytes() != (tmp_path / "False.png").read_bytes()


@pytest.mark.parametrize("count", [2, 10, 31])
def test_no_label_of_a_confusion_matrix_overlaps_another(tmp_path, figures, count):
    names = [f"{LONG[i % len(LONG)]} ${i}_$ x" for i in range(count)]
    counts = np.full((count, count), 1000)
    plots.confusion_matrix(counts, names, "a_model, mel, validation\naccuracy 50.0 %", tmp_path / "a.png")
    axes = figures[0].axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == names
    rows = [label.get_window_extent() for label in axes.get_yticklabels()]
    cells = [text.get_window_extent() for text in axes.texts]
    below = [cells[i::count] for i in range(count)]
    for boxes in (rows, *(cells[i : i + count] for i in range(0, count**2, count)), *below):
        assert not any(a.overlaps(b) for a, b in itertools.pairwise(boxes))
    apart = np.diff([label.get_window_extent().x1 for label in axes.get_xticklabels()])
    assert apart.min() > axes.get_xticklabels()[0].get_fontsize() * figures[0].dpi / 72  # turned: a line height apart
    page, title = figures[0].bbox, figures[0]._suptitle.get_window_extent()
    for box in [*rows, *(label.get_window_extent() for label in axes.get_xticklabels()), title]:
        assert page.x0 <= box.x0 < box.x1 <= page.x1
        assert page.y0 <= box.y0 < box.y1 <= page.y1


def test_a_very_long_class_name_is_cut_and_leaves_room_for_the_matrix(tmp_path, figures):
    plots.confusion_matrix(np.eye(3, dtype=int), ["x" * 60, "b", "c"], "title", tmp_path / "a.png")
    assert figures[0].axes[0].get_xticklabels()[0].get_text() == "x" * 27 + "…"
    assert figures[0].axes[0].get_window_extent().width > 0.4 * figures[0].bbox.width


def test_a_name_that_is_no_utf8_is_drawn_with_a_question_mark(tmp_path, figures):
    name = os.fsdecode(b"caf\xe9")
    plots.confusion_matrix(np.eye(2, dtype=int), [name, "b"], f"{name}, mel", tmp_path / "a.png")
    plots.genres([(name, 1, 0.5, 0.2, 0.8)], {"all": 0.5, "largest": 0.5}, name, tmp_path / "b.png")
    assert figures[0].axes[0].get_xticklabels()[0].get_text() == "caf?"
    assert figures[0]._suptitle.get_text() == "caf?, mel"


def test_a_history_shows_training_and_validation_of_loss_and_accuracy(tmp_path, figures, pictures):
    rows = [{"epoch": i, "loss": 1 / i, "accuracy": 0.5, "val_loss": 2 / i, "val_accuracy": 0.4} for i in (1, 2, 3)]
    plots.history(rows, 2, "accuracy", "a_model, mel", tmp_path / "a.png")
    loss, accuracy = figures[0].axes
    assert (loss.get_ylabel(), accuracy.get_ylabel()) == ("loss", "accuracy")
    assert [text.get_text() for text in loss.get_legend().texts] == ["training", "validation", "kept: epoch 2"]
    assert loss.lines[1].get_ydata().tolist() == [2.0, 1.0, pytest.approx(2 / 3)]
    assert Image.open(tmp_path / "a.png").size == (1500, 600)


def test_a_tag_that_is_always_ranked_wrongly_has_its_place_among_the_tags(tmp_path, figures):
    plots.tags({"rock": {"roc_auc": 0.0, "pr_auc": 0.1, "tracks": 9}}, "a_model, mel", tmp_path / "tags.png")
    assert [label.get_text() for label in figures[0].axes[0].get_yticklabels()] == ["rock (9)"]


@pytest.mark.parametrize("count", [1, 87])
def test_no_label_of_the_picture_of_tags_overlaps_another(tmp_path, figures, count):
    of_tags = {f"{LONG[i % 6]} ${i}$": {"roc_auc": 1 - i / 200, "pr_auc": 1.0, "tracks": 11479} for i in range(count)}
    of_tags["nobody's"] = {"roc_auc": None, "pr_auc": None, "tracks": 0}
    scores = {"roc_auc": 0.7, "pr_auc": 0.3, "interval": (0.6, 0.8), "chance_pr_auc": 0.1, "tracks": 11479}
    plots.tags(of_tags, f"a_model, mel, validation\n{multi_label.summary(scores)}", tmp_path / "tags.png")
    axes, title = figures[0].axes[0], figures[0]._suptitle.get_window_extent()
    boxes = [label.get_window_extent() for label in axes.get_yticklabels()]
    assert len(boxes) == count
    assert not any(a.overlaps(b) for a, b in itertools.pairwise(boxes))
    for box in [*boxes, title, *(text.get_window_extent() for text in axes.texts)]:
        assert figures[0].bbox.x0 <= box.x0 < box.x1 <= figures[0].bbox.x1


def apart(boxes):
    return not any(a.overlaps(b) for a, b in itertools.pairwise(boxes))


def within(box, page):
    return page.x0 <= box.x0 < box.x1 <= page.x1 and page.y0 <= box.y0 < box.y1 <= page.y1


def made_up(count):
    """Names, classes and probabilities of `count` genres."""
    rng = np.random.default_rng(0)
    y = np.arange(3 * count) % count
    return [f"{LONG[i % 6]} ${i}$ " + "x" * 20 for i in range(count)], y, rng.dirichlet(np.ones(count), len(y))


@pytest.mark.parametrize("count", [2, 10, 31, 90])
def test_the_legend_of_roc_curves_names_each_genre_with_its_area_the_largest_first(tmp_path, figures, count):
    names, y, probabilities = made_up(count)
    plots.roc(*evaluation.roc_curves(y, probabilities), names, "a_model, mel\n" + "accuracy " * 30, tmp_path / "a.png")
    (axes,), (legend,), page = figures[0].axes, figures[0].legends, figures[0].bbox
    labels = [text.get_text() for text in legend.texts]
    assert len(labels) == count + 2 and labels[-2:] == [f"{float(labels[-2][:5]):.3f}  mean of all", "0.500  chance"]
    areas = [float(label[:5]) for label in labels[:-2]]
    assert areas == sorted(areas, reverse=True)
    assert float(labels[-2][:5]) == pytest.approx(np.mean(areas), abs=0.001)
    drawn = {(line.get_color(), line.get_linestyle()) for line in axes.lines[:count]}
    assert len(drawn) == min(count, 40)
    box, title = legend.get_window_extent(), figures[0]._suptitle.get_window_extent()
    assert all(within(part, page) for part in (box, title, axes.yaxis.label.get_window_extent()))
    assert not box.overlaps(title) and not box.overlaps(axes.get_window_extent())
    assert axes.get_window_extent().height > 0.6 * page.height


def test_roc_curves_of_tracks_all_of_one_genre_are_chance_alone(tmp_path, figures):
    plots.roc(*evaluation.roc_curves(np.zeros(2, int), np.eye(2)), ["a", "b"], "title", tmp_path / "a.png")
    assert [text.get_text() for text in figures[0].legends[0].texts] == ["0.500  chance"]


@pytest.mark.parametrize("count", [2, 10, 31])
def test_bars_of_genres_have_wilsons_interval_and_lie_between_the_baselines(tmp_path, figures, count):
    names = made_up(count)[0]
    rows = [(name, 20, i / count, *evaluation.accuracy_interval(i, count)) for i, name in enumerate(names)]
    lines = {"all tracks": 0.52, "always the largest genre": 0.1}
    plots.genres(rows, lines, "a_model, mel, validation", tmp_path / "a.png")
    (axes,), page = figures[0].axes, figures[0].bbox
    labels = axes.get_yticklabels()
    assert labels[-1].get_text().endswith("\u2026 (20)") and len(labels) == count  # the best at the top
    widths = [bar.get_width() for bar in axes.patches]
    assert widths == sorted(widths) and widths[-1] == pytest.approx(100 * (count - 1) / count)
    (segments,) = [c.get_segments() for c in axes.collections]
    np.testing.assert_allclose([s[:, 0] for s in segments], [[100 * low, 100 * high] for *_, low, high in rows])
    assert [line.get_xdata()[0] for line in axes.lines if line.get_linestyle() in ("--", ":")] == [52, 10]
    boxes = [label.get_window_extent() for label in labels]
    assert apart(boxes) and all(within(box, page) for box in boxes)


def test_reliability_shows_each_bin_with_its_interval_and_how_many_are_in_it(tmp_path, figures):
    rng = np.random.default_rng(0)
    confidence = rng.random(500)
    before = evaluation.reliability(confidence, rng.random(500) < confidence**2)
    after = evaluation.reliability(confidence**2, rng.random(500) < confidence**2)
    bins = {"as it says": before, "at temperature 2.00": after}
    plots.reliability(bins, ("confidence", "accuracy", "tracks"), "title " * 40, tmp_path / "a.png")
    above, below = figures[0].axes
    found = [line for line in above.lines if line.get_marker() in "os"]
    for line, of in zip(found, bins.values(), strict=True):
        np.testing.assert_allclose(line.get_data(), [of.confidence, of.accuracy])
    np.testing.assert_allclose(
        [s[:, 1] for s in above.collections[0].get_segments()], np.stack([before.low, before.high], axis=1)
    )
    assert below.patches[0].get_data().values.tolist() == before.counts.tolist()
    legend = [text.get_text() for text in figures[0].legends[0].texts]
    assert legend[1:] == [f"{k}: expected calibration error {100 * of.error:.1f} %" for k, of in bins.items()]
    page, title = figures[0].bbox, figures[0]._suptitle.get_window_extent()
    assert within(title, page) and within(figures[0].legends[0].get_window_extent(), page)
    assert not title.overlaps(above.get_window_extent())


@pytest.mark.parametrize("count", [2, 31])
def test_no_two_genres_of_a_map_look_alike_and_the_legend_hides_no_track(tmp_path, figures, count):
    names, y, _ = made_up(count)
    plots.points(np.random.default_rng(0).normal(size=(len(y), 2)), y, names, "title", tmp_path / "a.png")
    (axes,), (legend,) = figures[0].axes, figures[0].legends
    looks = {(tuple(p.get_facecolor()[0]), p.get_paths()[0].vertices.tobytes()) for p in axes.collections}
    assert len(looks) == len(legend.texts) == count
    assert sum(len(points.get_offsets()) for points in axes.collections) == len(y)
    assert within(legend.get_window_extent(), figures[0].bbox)
    assert not legend.get_window_extent().overlaps(axes.get_window_extent())
