"""What makes training pictures vary from epoch to epoch: random chunks, masks, mixtures. Depends on the seed alone.

Keras's own layers keep the state of their random numbers to themselves, so that a resumed training would differ from an
unbroken one; here every number follows from the seed and the number of the step.

Sources: chunks: Won, Ferraro, Bogdanov & Serra, "Evaluation of CNN-based automatic music tagging models", 2020,
    https://arxiv.org/abs/2006.00751; gains: Nam, Kim & Park, "FilterAugment: an acoustic environmental data
    augmentation method", 2022, https://arxiv.org/abs/2110.03282; masks: Park et al., "SpecAugment: a simple data
    augmentation method for automatic speech recognition", 2019, https://arxiv.org/abs/1904.08779; mixtures: Zhang,
    Cisse, Dauphin & Lopez-Paz, "mixup: beyond empirical risk minimization", 2018, https://arxiv.org/abs/1710.09412.
"""

from typing import NamedTuple

from genre.backend import tf

KNOTS = 6  # of a curve of gain


class Augmentation(NamedTuple):
    """What is done to a batch of pictures and what is known of them; all 0: nothing."""

    chunk_frames: int = 0  # length of a random chunk
    freq_shift: float = 0  # farthest move up or down, as a share of the bins
    equalise: float = 0  # deviation of a random gain over the bins, as a share of the range of levels
    freq_mask: float = 0  # widest mask, as a share of the bins
    time_mask: float = 0  # and of the frames
    mixup: float = 0  # both parameters of the Beta distribution of a mixture's weights
    label_smoothing: float = 0  # share of the certainty that all classes get alike

    @property
    def softens(self):
        """Whether a picture may be of several classes, each in part."""
        return bool(self.mixup or self.label_smoothing)

    @property
    def changes_pictures(self):
        return any(self._replace(label_smoothing=0))

    def __call__(self, x, y, seed):
        """
        Args:
            x: float32 (batch, bins, frames, channels) or, of several inputs, a tuple of these and of (batch, columns).
            y: float32 (batch, classes) where it `softens`. seed: (2,) whole numbers, another one for each step.

        Returns:
            x, y
        """
        several = isinstance(x, tuple)
        x = list(x) if several else [x]
        seeds = tf.unstack(tf.random.experimental.stateless_split(seed, 6))
        pictures = [n for n, part in enumerate(x) if part.shape.rank == 4]
        if self.chunk_frames:
            starts = _uniform(seeds[0], tf.shape(y)[:1])
            for n in pictures:
                x[n] = chunk(x[n], starts, self.chunk_frames)
        for n in pictures if self.freq_shift else ():
            x[n] = shifted(x[n], self.freq_shift, seeds[4])
        for n in pictures if self.equalise else ():
            x[n] = equalised(x[n], self.equalise, seeds[5])
        if self.mixup:
            x, y = mixed(x, y, self.mixup, seeds[1])
        for widest, axis, seed_of in ((self.freq_mask, 1, seeds[2]), (self.time_mask, 2, seeds[3])):
            for n in pictures if widest else ():
                x[n] = masked(x[n], widest, axis, seed_of)
        if self.label_smoothing:
            y = y * (1 - self.label_smoothing) + self.label_smoothing / tf.cast(tf.shape(y)[1], y.dtype)
        return (tuple(x) if several else x[0]), y


NONE = Augmentation()


def chunk(x, starts, frames):
    """A part of each picture: (batch, bins, all frames, channels) -> (batch, bins, frames, channels).

    Args:
        starts: (batch,), 0 for the first chunk that fits, below 1.
    """
    first = tf.cast(starts * tf.cast(tf.shape(x)[2] - frames + 1, tf.float32), tf.int32)
    return tf.gather(x, first[:, None] + tf.range(frames), axis=2, batch_dims=1)


def shifted(x, farthest, seed):
    """Pictures moved up or down, the edge repeated: another key, another voice.

    Args:
        x: float32 (batch, bins, frames, channels). farthest: share of the bins.
    """
    bins = tf.shape(x)[1]
    most = tf.cast(tf.cast(bins, tf.float32) * farthest, tf.int32)
    by = tf.random.stateless_uniform(tf.shape(x)[:1], seed, -most, most + 1, tf.int32)
    return tf.gather(x, tf.clip_by_value(tf.range(bins) + by[:, None], 0, bins - 1), axis=1, batch_dims=1)


def equalised(x, deviation, seed):
    """Pictures with a smooth random curve of gain over their bins: another recording, another master.

    Args:
        x: float32 (batch, bins, frames, channels), levels 0..255. deviation: of the gain, as a share of that range.
    """
    knots = 255 * deviation * tf.random.stateless_normal((tf.shape(x)[0], KNOTS, 1, 1), seed)
    return x + tf.image.resize(knots, (tf.shape(x)[1], 1))


def mixed(x, y, alpha, seed):
    """Each row of a batch with another of it, in parts that Beta(alpha, alpha) says; labels likewise.

    Args:
        x: [float32 (batch, ...)] of each input. y: float32 (batch, classes).
    """
    of_beta, of_order = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
    a, b = tf.unstack(_log_gamma(of_beta, (2, tf.shape(y)[0]), alpha))
    order = tf.random.experimental.stateless_shuffle(tf.range(tf.shape(y)[0]), of_order)

    def mix(part):
        share = tf.reshape(tf.sigmoid(a - b), [-1] + [1] * (part.shape.rank - 1))
        return share * part + (1 - share) * tf.gather(part, order)

    return [mix(part) for part in x], mix(y)


def masked(x, widest, axis, seed):
    """Pictures with a random stripe across `axis` at their own mean level.

    Args:
        x: float32 (batch, bins, frames, channels). widest: share of the axis. axis: 1, bins, or 2, frames.
    """
    of_width, of_place = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
    size = tf.cast(tf.shape(x)[axis], tf.float32)
    width = _uniform(of_width, (tf.shape(x)[0], 1)) * widest * size
    start = _uniform(of_place, (tf.shape(x)[0], 1)) * (size - width)
    cells = tf.range(size)[None]
    inside = (cells >= start) & (cells < start + width)
    inside = inside[:, :, None, None] if axis == 1 else inside[:, None, :, None]
    return tf.where(inside, tf.reduce_mean(x, axis=(1, 2), keepdims=True), x)


def _log_gamma(seed, shape, alpha):
    """Logarithms of numbers of a gamma distribution; of a small alpha the numbers themselves are 0 in float32."""
    of_gamma, of_power = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
    greater = tf.random.stateless_gamma(shape, of_gamma, alpha + 1)
    return tf.math.log(greater) + tf.math.log(1 - _uniform(of_power, shape)) / alpha


def _uniform(seed, shape):
    return tf.random.stateless_uniform(shape, seed)
