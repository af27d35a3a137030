"""A medley of composed tracks, labelled second by second: the picture of a timeline in the README.

python experiments/timeline.py --picture=experiments/timeline.png
"""

import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the scripts at the root

import demo
from genre.command_line import Parser, natural, positive, run

import numpy as np
import soundfile


def main():
    parser = Parser(__doc__)
    parser.add_argument("--picture", default="timeline.png", help="file to write")
    parser.add_argument("--tracks", type=positive, default=30, help="of each style, to train on")
    parser.add_argument("--epochs", type=positive, default=30, help="of the frequency model")
    parser.add_argument("--seed", type=natural, default=0, help="another seed is another music")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        data, medley = Path(temporary), Path(temporary, "medley.wav")
        demo.write_corpus(data / "genres", args.tracks, args.seed)
        rng = np.random.default_rng(args.seed + 1)  # tracks that are not among those
        soundfile.write(medley, np.concatenate([demo.compose(style, rng, 12.0) for style in demo.STYLES]), demo.SR)
        demo.call("create_spectrograms.py", f"--data={data}", "--seconds=3")
        demo.call("split_dataset.py", f"--data={data}")
        demo.call("frequency_model.py", f"--data={data}", f"--models={data}", f"--epochs={args.epochs}")
        run_of = data / "frequency_model" / "mel"
        demo.call("predict.py", str(medley), f"--run={run_of}", f"--timeline={data}", "--step=1")
        shutil.copy(data / "medley.png", args.picture)
    print("wrote", args.picture)


if __name__ == "__main__":
    run(main)
