"""Layers that Keras lacks, and the step that fits layers to the training rows before training."""

from genre.backend import keras

import numpy as np
from keras import layers, ops
from sklearn import decomposition


@keras.saving.register_keras_serializable("genre")
class PCA(layers.Layer):
    """The principal components of the rows that it is adapted to: (columns,) -> (components,).

    One scale for all brings their mean variance to 1. The last ones are not blown up to the size of the first: on few
    rows they are noise.

    Args:
        components: how many; those beyond the columns or the rows are 0.
    """

    def __init__(self, components, **kwargs):
        super().__init__(**kwargs)
        if components < 1:
            raise ValueError(f"expected at least 1 component, not {components}")
        self.components = components

    def build(self, input_shape):
        columns = input_shape[-1]
        self.mean = self.add_weight(shape=(columns,), initializer="zeros", trainable=False, name="mean")
        self.axes = self.add_weight(shape=(columns, self.components), initializer="zeros", trainable=False, name="axes")

    def call(self, x):
        return ops.matmul(x - self.mean, self.axes)

    def adapt(self, rows):
        """Args: rows: (rows, columns)."""
        found = decomposition.PCA(min(self.components, *rows.shape), random_state=0).fit(rows)
        variance = found.explained_variance_
        varied = variance > 1e-6 * variance[0]  # rows that are fewer than components span less, and give noise beyond
        axes = np.zeros(self.axes.shape, np.float32)
        axes[:, : varied.sum()] = found.components_[varied].T / np.sqrt(max(variance[varied].mean(), 1e-12))
        self.mean.assign(found.mean_)
        self.axes.assign(axes)

    def get_config(self):
        return super().get_config() | {"components": self.components}


def adapt(core, x):
    """Fit every layer of a network that has `adapt`, such as PCA, to the training rows that reach it.

    Args:
        x: the network's input, (rows, columns), or a list of several.
    """
    inputs = core.inputs if isinstance(x, list) else core.inputs[0]
    for layer in core.layers:
        if hasattr(layer, "adapt"):
            layer.adapt(keras.ops.convert_to_numpy(keras.Model(inputs, layer.input)(x)))
