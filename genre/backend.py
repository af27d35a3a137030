"""Keras and TensorFlow, imported without TensorFlow's start-up messages; what goes wrong is still shown.

TensorFlow 2.21 writes notes on oneDNN and missing GPUs to standard error before its log level is read, so that only the
file descriptor stops them.
"""

import contextlib
import os
import sys
import tempfile


@contextlib.contextmanager
def captured(show=True):
    """Hold back what is written to standard error. Args: show: it, if the block fails."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            if show:
                held.seek(0)
                os.write(kept, held.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
with captured():
    import keras
    import tensorflow as tf

    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)  # else one program takes the whole card

__all__ = ["captured", "keras", "tf"]
