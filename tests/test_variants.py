from genre import index, variants
from genre.command_line import CallError
from genre.variants import ORIGINAL, Variant

import numpy as np
import pytest
from conftest import QUICK, call, one_line_error, sine, write_songs

SR = 22050


def test_a_shift_of_an_octave_doubles_the_frequency_and_keeps_the_length():
    changed, held = Variant(pitch_shift=12).apply(sine(440, 1.0, SR), SR)
    assert (len(changed), held) == (SR, 1.0)
    assert np.abs(np.fft.rfft(changed)).argmax() == pytest.approx(880, abs=3)


@pytest.mark.parametrize(("rate", "ends", "held"), [(1.25, 0.8, 0.8), (0.8, 1.25, 1.0)])
def test_a_stretch_moves_what_happens_and_keeps_length_and_frequency(rate, ends, held):
    samples = np.concatenate([sine(440, 1.0, SR), sine(880, 1.0, SR)])
    changed, share = Variant(time_stretch=rate).apply(samples, SR)
    assert (len(changed), share) == (2 * SR, held)
    for start, frequency in ((0.1, 440), (ends - 0.2, 440), (ends + 0.1, 880)):
        part = changed[round(start * SR) :][: SR // 10]
        assert 10 * np.abs(np.fft.rfft(part)).argmax() == pytest.approx(frequency, abs=10)


def test_what_got_shorter_starts_again():
    changed, _ = Variant(time_stretch=2.0).apply(sine(440, 2.0, SR), SR)
    assert np.abs(changed[-SR // 4 :]).max() > 0.3


def test_the_original_is_not_touched():
    samples = sine(440, 1.0, SR)
    assert ORIGINAL.apply(samples, SR)[0] is samples


def test_variants_are_named_by_what_they_do():
    found = variants.parse("-1,1,0.5", "0.9,1.1,0.9")
    assert [variant.name for variant in found] == ["", "pitch-1", "pitch+1", "pitch+0.5", "stretch0.9", "stretch1.1"]
    assert [variants.of_name(variant.name) for variant in found[1:]] == found[1:]


@pytest.mark.parametrize(("shift", "stretch"), [("0", ""), ("x", ""), ("30", ""), ("", "1"), ("", "0"), ("nan", "")])
def test_a_variant_that_changes_nothing_or_cannot_be_is_refused(shift, stretch):
    with pytest.raises(CallError, match="expected a comma list of"):
        variants.parse(shift, stretch)


def render(data, *options):
    call("create_spectrograms.py", f"--data={data}", *QUICK, *options)
    return index.read(data / "dataset" / "mel")


def test_variants_stay_with_their_track_and_only_train(tmp_path):
    write_songs(tmp_path / "genres", ("high", "low"), tracks=4, seconds=2.0)
    rows = render(tmp_path, "--pitch_shift=-1", "--time_stretch=1.25")
    assert len(rows) == 2 * 4 * 2 * 3
    assert {row.variant for row in rows} == {"", "pitch-1", "stretch1.25"}
    assert {row.file for row in rows if row.track == "low/low.00000" and row.variant == "pitch-1"} == {
        "low/low.00000.000.pitch-1.png",
        "low/low.00000.001.pitch-1.png",
    }
    call("split_dataset.py", f"--data={tmp_path}", "--fractions=0.5,0.25,0.25")
    split = index.read(tmp_path / "images" / "mel")
    assert {row.subset for row in split if row.variant} == {"train"}
    assert {row.subset for row in split if not row.variant} == {"train", "validation", "test"}
    files = {path.relative_to(tmp_path / "images" / "mel").as_posix() for path in tmp_path.glob("images/mel/*/*/*.png")}
    assert files == {row.file for row in split}


def test_a_later_call_makes_the_missing_variants_and_keeps_the_others_until_overwrite(tmp_path):
    write_songs(tmp_path / "genres", ("high",), tracks=2)
    folder = tmp_path / "dataset" / "mel"
    render(tmp_path)
    stamp = (folder / "high" / "high.00000.png").stat().st_mtime_ns
    rows = render(tmp_path, "--pitch_shift=2")
    assert sorted(row.variant for row in rows) == ["", "", "pitch+2", "pitch+2"]
    assert (folder / "high" / "high.00000.png").stat().st_mtime_ns == stamp
    write_songs(tmp_path / "genres", ("high",), tracks=3)
    rows = render(tmp_path, "--time_stretch=0.8")
    assert sorted(row.variant for row in rows) == [*[""] * 3, *["pitch+2"] * 3, *["stretch0.8"] * 3]
    rows = render(tmp_path, "--time_stretch=0.8", "--overwrite")
    assert sorted(path.name for path in folder.glob("high/*")) == [
        "high.00000.000.stretch0.8.png",
        "high.00000.png",
        "high.00001.000.stretch0.8.png",
        "high.00001.png",
        "high.00002.000.stretch0.8.png",
        "high.00002.png",
    ]


def test_a_wrong_variant_is_one_line(tmp_path):
    assert "--time_stretch=1" in one_line_error("create_spectrograms.py", "--time_stretch=1", cwd=tmp_path, code=2)
