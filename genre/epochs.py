"""The finished epochs of a training: their history, and the state on disk that --resume continues from."""

import csv
import math
import time
import zipfile

from genre import files
from genre.backend import keras
from genre.command_line import DataError

import numpy as np

HISTORY, STATE = "history.csv", "epoch-{:05d}.npz"
CHECKPOINTS, CHECKPOINT = "checkpoints", "epoch-{:05d}.weights.h5"


class KeepEpochs(keras.callbacks.Callback):
    """After every epoch: its state on disk, then its row of history, which is what makes the epoch count as finished.

    Kept are the states of the last epoch and of the best. Keras's own BackupAndRestore forgets the best value so far
    and the state of dropout's random numbers, so that a resumed training would differ from an unbroken one.
    """

    def __init__(self, folder, history, patience):
        super().__init__()
        self.folder, self.history, self.patience = folder, list(history), patience

    def on_epoch_begin(self, epoch, logs=None):
        self.started = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        if not math.isfinite(logs["loss"]):
            raise DataError(f"the loss is {logs['loss']} in epoch {epoch + 1}; try a smaller --learning_rate")
        ordered = sorted(logs, key=lambda name: (name.startswith("val_"), not name.endswith("loss")))
        row = {"epoch": epoch + 1} | {name: float(logs[name]) for name in ordered}
        self.history.append(row | {"seconds": round(time.monotonic() - self.started, 3)})
        save_state(self.model, self.folder / STATE.format(epoch + 1))
        write_history(self.folder, self.history)
        keep = {STATE.format(epoch + 1), STATE.format(best_epoch(self.history))}
        for path in self.folder.glob("epoch-*.npz"):
            if path.name not in keep:
                path.unlink()
        if out_of_patience(self.history, self.patience):
            self.model.stop_training = True


def average_weights(model):
    """Give a model the moving average of its weights that its optimizer keeps; nothing where it keeps none."""
    model.optimizer.finalize_variable_values(model.trainable_variables)


def checkpoints(model, whole, folder, every):
    """A callback that keeps the weights of the whole network after every so many epochs, in checkpoints/.

    Args:
        model: what is fitted, all of the whole network or its end.
    """

    def keep(epoch, logs):
        if (epoch + 1) % every == 0:
            (folder / CHECKPOINTS).mkdir(exist_ok=True)
            raw = whole.get_weights()
            average_weights(model)
            with files.whole_file(folder / CHECKPOINTS / CHECKPOINT.format(epoch + 1)) as temporary:
                whole.save_weights(temporary)
            whole.set_weights(raw)

    return keras.callbacks.LambdaCallback(on_epoch_end=keep)


def best_epoch(history):
    """The epoch (from 1) of the best validation metric, of several the one with the lowest validation loss."""
    metric = metric_of(history)
    return max(history, key=lambda row: (row[f"val_{metric}"], -row["val_loss"]))["epoch"]


def metric_of(history):
    """The name of the metric, the higher the better, in rows of history."""
    return next(name.removeprefix("val_") for name in history[0] if name.startswith("val_") and name != "val_loss")


def out_of_patience(history, patience):
    return bool(history) and len(history) - best_epoch(history) >= patience


def write_history(folder, history):
    files.write_csv(folder / HISTORY, [list(history[0]), *(list(row.values()) for row in history)])


def read_history(folder):
    """The rows of a folder's history.csv, [] where there is none.

    Raises:
        DataError: the file is damaged.
    """
    path = folder / HISTORY
    if not path.is_file():
        return []
    try:
        with open(path, encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file, strict=True)
            return [{k: int(v) if k == "epoch" else float(v) for k, v in row.items()} for row in rows]
    except (ValueError, TypeError, csv.Error) as error:
        raise DataError(f"{path} is damaged ({error}); --overwrite without --resume starts the training anew") from None


def save_state(model, path):
    """Keep all that the next step depends on: weights, state of random numbers, state of the optimizer."""
    arrays = {str(i): keras.ops.convert_to_numpy(v) for i, v in enumerate(_variables(model))}
    with files.whole_file(path) as temporary:
        np.savez(temporary, **arrays)


def restore_state(model, path):
    """Bring a model, compiled and with its optimizer built, back to a kept state.

    Raises:
        DataError: the file is damaged or of another model.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            for i, variable in enumerate(_variables(model)):
                variable.assign(arrays[str(i)])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is damaged ({error}); --overwrite without --resume starts the training anew") from None


def _variables(model):
    return [*model.variables, *model.optimizer.variables]
