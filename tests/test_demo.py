import demo

import numpy as np


def test_every_style_is_composed_the_same_from_a_seed_and_never_clips():
    for style in demo.STYLES:
        first, again, other = (demo.compose(style, np.random.default_rng(seed), seconds=2.0) for seed in (1, 1, 2))
        assert first.shape == (2 * demo.SR,)
        assert first.dtype == np.float32
        np.testing.assert_array_equal(first, again)
        assert not np.array_equal(first, other)
        assert 0.4 < np.abs(first).max() < 1
