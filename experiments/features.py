"""One composed track in every feature that needs no weights: the picture of features in the README.

python experiments/features.py --picture=experiments/features.png
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # genre and the scripts at the root

import demo
from genre import images, song_plots
from genre.command_line import Parser, natural, one_of, positive_float, run
from genre.features import FEATURES, Sound
from genre.recipe import Recipe

import numpy as np
import soxr


def main():
    parser = Parser(__doc__)
    parser.add_argument("--picture", default="features.png", help="file to write")
    parser.add_argument("--style", type=one_of(demo.STYLES), default="shuffle", help="of the composition")
    parser.add_argument("--seconds", type=positive_float, default=10.0, help="length in s")
    parser.add_argument("--seed", type=natural, default=0, help="another seed is another track")
    args = parser.parse_args()
    song, pictures = demo.compose(args.style, np.random.default_rng(args.seed), args.seconds), {}
    for feature, definition in FEATURES.items():
        if definition.needs is None:
            samples = soxr.resample(song, demo.SR, definition.sr)
            recipe = Recipe.of(feature, seconds=args.seconds)
            pictures[feature] = images.render(Sound(samples, definition.sr), recipe)
    title = f"{args.seconds:g} s of a {args.style} composed by demo.py, in the features without weights (bins x frames)"
    song_plots.contact_sheet(pictures, args.seconds, title, args.picture)
    print("wrote", args.picture)


if __name__ == "__main__":
    run(main)
