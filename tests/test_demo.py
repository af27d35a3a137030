import demo

import numpy as np
from conftest import one_line_error


def test_every_style_is_composed_the_same_from_a_seed_and_never_clips():
    for style in demo.STYLES:
        first, again, other = (demo.compose(style, np.random.default_rng(seed), seconds=2.0) for seed in (1, 1, 2))
        assert first.shape == (2 * demo.SR,)
        assert first.dtype == np.float32
        np.testing.assert_array_equal(first, again)
        assert not np.array_equal(first, other)
        assert 0.4 < np.abs(first).max() < 1


def test_a_run_or_music_that_is_not_the_demos_is_never_touched(trained_run, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in trained_run.rglob("*")}
    options = (f"--data={tmp_path / 'data'}", f"--models={trained_run.parent.parent}", "--tracks=3")
    assert "is not a run of the demo" in one_line_error("demo.py", *options, code=2)
    assert {path: path.stat().st_mtime_ns for path in trained_run.rglob("*")} == before
    assert not (tmp_path / "data").exists()
    own = tmp_path / "data" / "genres" / "dance" / "mine.wav"
    own.parent.mkdir(parents=True)
    own.touch()
    options = (f"--data={tmp_path / 'data'}", f"--models={tmp_path / 'models'}", "--tracks=3")
    assert "expected only the demo's music" in one_line_error("demo.py", *options, code=2)
    assert own.is_file()
