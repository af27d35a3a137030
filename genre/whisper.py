"""The output of Whisper's encoder, through KerasHub, which is an optional requirement.

Source: A. Radford, J. W. Kim, T. Xu, G. Brockman, C. McLeavey, I. Sutskever, "Robust Speech Recognition via Large-Scale
Weak Supervision", ICML 2023, https://arxiv.org/abs/2212.04356.
"""

import functools
import hashlib
import os
import re
import textwrap
import threading
from pathlib import Path

from genre.command_line import CallError

import numpy as np

LOADING = threading.Lock()  # songs are heard in threads: one loads, the others wait
N_MELS = 80  # of every Whisper up to large-v2; large-v3 takes 128


def encode(log_mel, weights):
    """What the encoder makes of Whisper's log-mel features.

    Args:
        log_mel: float32 (80, frames), 100 frames a second, normalised by Whisper's rule over all its frames.
        weights: name of a KerasHub preset such as whisper_tiny_multi, or a folder that `save_to_preset` wrote.

    Returns:
        float32 (width, ceil(frames / 2)), after the last layer norm. The encoder hears silence after the features.

    Raises:
        CallError: KerasHub is missing, the weights cannot be had, or they take other bands or fewer frames.
    """
    with LOADING:
        encoder, longest = _load(weights)
    frames = log_mel.shape[1]
    if frames > longest:
        raise CallError(f"the encoder of {weights} takes {longest} frames, not {frames}: give shorter pieces")
    padded = np.pad(log_mel, ((0, 0), (0, longest - frames)), constant_values=_silence(log_mel))
    output = encoder.predict_on_batch(padded.T[np.newaxis])[0]  # (positions, width)
    return np.ascontiguousarray(output[: (frames + 1) // 2].T, dtype=np.float32)


def identify(weights):
    """Weights as a recipe records them: the name of a preset, or FOLDER@HASH, so that others are not taken for them."""
    folder = os.path.abspath(_without_hash(weights))
    if not os.path.isdir(folder):
        return weights
    digest = hashlib.sha256()
    for path in sorted(Path(folder).glob("*.json")) + sorted(Path(folder).glob("*.weights.h5")):
        with open(path, "rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return f"{folder}@{digest.hexdigest()[:16]}"


def _without_hash(weights):
    """FOLDER of FOLDER@HASH. A folder may have an @ in its name, too."""
    return weights if os.path.isdir(weights) else re.sub("@[0-9a-f]{16}$", "", weights)


def _silence(log_mel):
    """The value of digital silence in these features: (max(log10(1e-10), max - 8) + 4) / 4.

    Whisper pads the audio with zeros and then clamps to 8 decades below the maximum, which is 2 below it in the
    features. Their own minimum would not do: music without a pause may stay far above the clamp.
    """
    return max(log_mel.max() - 2, -1.5)


@functools.lru_cache(maxsize=1)  # one: the largest encoder takes gigabytes
def _load(weights):
    """The encoder without the decoder, (1, frames, 80) -> (1, frames / 2, width), and the frames it was made for."""
    from genre.backend import keras  # before keras_hub, which imports TensorFlow with all its messages

    if _without_hash(weights) != weights and identify(weights) != weights:
        raise CallError(f"expected Whisper's weights {weights} (folder@hash); others are there, or none: put them back")
    backbone = _backbone(_without_hash(weights))
    if backbone.num_mels != N_MELS:
        raise CallError(f"{weights} takes {backbone.num_mels} mel bands, not {N_MELS}: choose a Whisper up to large-v2")
    encoder = keras.Model(backbone.input["encoder_features"], backbone.output["encoder_sequence_output"])
    return encoder, backbone.max_encoder_sequence_length


def _backbone(weights):
    try:
        import keras_hub
    except ModuleNotFoundError as error:
        if error.name != "keras_hub":  # it is there and broken: its own message says more
            raise
        raise CallError("Whisper needs KerasHub: pip install -r requirements-optional.txt") from None
    whisper = keras_hub.models.WhisperBackbone
    if os.path.isdir(weights):
        try:  # as a path, or KerasHub would prefer its preset of the same name
            return whisper.from_preset(os.path.abspath(weights), dtype="float32")
        except (OSError, ValueError, TypeError, KeyError, ImportError) as error:  # missing, damaged or foreign files
            raise CallError(f"expected a folder that save_to_preset wrote, not {weights}: {_short(error)}") from error
    if weights not in whisper.presets:
        raise CallError(f"expected a folder or one of {', '.join(whisper.presets)}, not {weights!r}")
    try:
        return whisper.from_preset(weights, dtype="float32")
    except (OSError, ValueError) as error:  # no network; KerasHub turns a server's refusal into a ValueError
        if isinstance(error, OSError) and error.errno is not None:  # the system's word: the disk is full, say
            raise
        raise CallError(
            f"could not fetch {weights} ({_short(error)}); on a machine with network run "
            f'keras_hub.models.WhisperBackbone.from_preset("{weights}").save_to_preset("FOLDER"), '
            "copy FOLDER here and give --whisper_weights=FOLDER"
        ) from error


def _short(error):
    return textwrap.shorten(f"{type(error).__name__}: {error}", 160)
