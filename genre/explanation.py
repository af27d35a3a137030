"""What a run looks at: the cells of a picture that speak for a genre, and the filters of the first convolutions.

Source: Selvaraju et al., "Grad-CAM: visual explanations from deep networks via gradient-based localization", 2017,
    https://arxiv.org/abs/1610.02391.
"""

import math
from typing import NamedTuple

from genre import networks
from genre.backend import keras, tf
from genre.command_line import CallError
from genre.inputs import alone

import numpy as np

FEWEST = 4  # cells along an axis; a map of fewer says too little of where


class Grid(NamedTuple):
    """Where the cells of a map lie along one axis of the picture: cell n around `first + n * step`, in its cells."""

    step: float
    first: float

    def ends(self, cells):
        """The two edges of a map of so many cells, where 0 is the picture's first edge and its cells are 1 wide."""
        edge = self.first + 0.5 - self.step / 2
        return edge, edge + cells * self.step


class Map(NamedTuple):
    """What the maps of one convolution say of one picture.

    `evidence` is float32 (classes, bins', frames'), at least 0; `source` is the number of the network's input whose
    picture it is of; `name` is for people.
    """

    evidence: np.ndarray
    bins: Grid
    frames: Grid
    source: int
    name: str


class Filters(NamedTuple):
    """A first convolution: `weights` is float32 (filters, channels, bins, frames), the highest frequency in row 0.

    `bins` and `frames` are the height and the length of a filter in cells of the picture of input `source`, with the
    gaps of a dilated one; `name` is for people.
    """

    weights: np.ndarray
    bins: float
    frames: float
    source: int
    name: str


def grad_cam(run, x, classes):
    """Where in its pictures the run sees each of some classes, by the last convolutions that still say where.

    Args:
        run: runs.Run. x: for each of its inputs a row, uint8 (1, bins, frames, channels) or float32 (1, columns).
        classes: their numbers.

    Returns:
        [Map], one for each branch of convolutions; whether the network also decides on what goes past them

    Raises:
        CallError: the run has no network, or one without convolutions.
    """
    graph = _Graph(run)
    targets = graph.targets()
    tensors = [tensor for tensor, _ in targets]
    fronts = [networks.within(run.model, run.info["script"], each, of_chunks=True) for each in graph.core.inputs]
    standardised = [front(alone([part.astype(np.float32) for part in x]), training=False) for front in fronts]
    network = keras.Model(graph.core.inputs, [*tensors, graph.core.outputs[0]])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(standardised)  # or else nothing is recorded of layers that do not train
        *maps, logits = network(standardised, training=False)
        scores = [tf.reduce_sum(logits[:, number]) for number in classes]  # of all chunks, if it takes such
    evidence = [[] for _ in maps]
    for score in scores:
        for found, of_map, gradient in zip(evidence, maps, tape.gradient(score, maps), strict=True):
            gradient, of_map = (_four_axes(part.numpy()) for part in (gradient, of_map))
            weights = gradient.mean(axis=(1, 2), keepdims=True)  # of each filter
            found.append(np.maximum((weights * of_map).sum(axis=-1), 0))
    found = []
    for each, (tensor, name) in zip(evidence, targets, strict=True):
        bins, frames, source = graph.places(tensor)
        each, frames = _side_by_side(np.stack(each), frames, run, source)
        found.append(Map(each, bins, frames, source, name))
    return found, graph.goes_past(tensors)


def _side_by_side(evidence, grid, run, source):
    """Maps of the chunks of a piece, (classes, chunks, bins', frames') -> (classes, bins', all frames'), and its grid.

    Where chunks overlap, that counts whose middle is nearest.
    """
    if not networks.cuts_chunks(run.model):
        return evidence[:, 0], grid
    frames, chunks = run.info["inputs"][source]["input_shape"][1], run.model.get_layer("chunks")
    starts = np.array(chunks.starts(frames))
    whole = Grid(grid.step, (grid.step - 1) / 2)
    at = whole.first + grid.step * np.arange(math.ceil(frames / grid.step))
    nearest = np.abs(at[:, None] - starts - chunks.frames / 2).argmin(axis=1)
    cells = np.round((at - starts[nearest] - grid.first) / grid.step).astype(int).clip(0, evidence.shape[3] - 1)
    return np.moveaxis(evidence[:, nearest, :, cells], 0, -1), whole


def filters(run):
    """The first convolutions of a run, those that see its pictures: [Filters].

    Raises:
        CallError: as `grad_cam`.
    """
    graph, found = _Graph(run), []
    for convolution in graph.convolutions:
        if any(other in graph.convolutions for other in graph.before(convolution)):
            continue
        bins, frames, source = graph.places(_one(convolution.input))
        kernel = convolution.get_weights()[0]
        kernel = kernel if kernel.ndim == 4 else kernel[None]  # (bins, frames, channels, filters)
        weights = _as_pictures(kernel, graph.shapes[source])
        dilation = ((1,) + tuple(convolution.dilation_rate))[-2:]
        height, length = ((size - 1) * gap + 1 for size, gap in zip(kernel.shape[:2], dilation, strict=True))
        height = weights.shape[2] if weights.shape[2] != kernel.shape[0] else height * bins.step
        found.append(Filters(weights, height, length * frames.step, source, convolution.name))
    return found


def _as_pictures(kernel, shape):
    """A kernel (bins, frames, channels, filters) -> (filters, channels, bins, frames) of pictures of a shape."""
    bins, _, channels = shape
    if len(kernel) == 1 and kernel.shape[2] == bins * channels:  # a network along time, whose channels are the bins
        kernel = np.moveaxis(kernel[0].reshape(kernel.shape[1], bins, channels, -1), 0, 1)
    elif channels == 1:
        kernel = kernel.sum(axis=2, keepdims=True)  # of copies of the picture, such as red, green and blue
    return kernel.transpose(3, 2, 0, 1)


class _Graph:
    """The network of a run's script as tensors, and the operations between them."""

    def __init__(self, run):
        self.core = run.model.get_layer(run.info["script"])
        self.shapes = [tuple(x.shape[1:]) for x in self.core.inputs]
        self.operations = keras.Model(self.core.inputs, self.core.outputs).operations
        self.makers = {id(x): op for op in self.operations for x in keras.tree.flatten(op.output)}
        self.takers = {}
        for op in self.operations:
            for x in _inputs(op):
                self.takers.setdefault(id(x), []).append(op)
        self.convolutions = [op for op in self.operations if hasattr(op, "kernel_size")]
        if not self.convolutions:
            script = run.info["script"]
            raise CallError(f"{run.folder} has no convolution ({script}.py), so there is no map; name a run that has")

    def before(self, op):
        """All operations that an operation's output depends on."""
        found, waiting = [], [op]
        while waiting:
            new = [self.makers[id(x)] for x in _inputs(waiting.pop())]
            new = [each for each in new if each not in found]
            found += new
            waiting += new
        return found

    def targets(self):
        """[(tensor, its name)]: of each branch of convolutions the last maps with enough cells; a tensor once."""
        found = {}
        feeding = {id(op) for convolution in self.convolutions for op in self.before(convolution)}
        for last in self.convolutions:
            if id(last) in feeding:  # another convolution follows
                continue
            before = self.before(last)
            branch = [op for op in self.convolutions if op is last or op in before]
            maps = [self.settled(op) for op in branch]
            cells = np.array([_cells(x) for x in maps])
            enough = np.flatnonzero(np.all(cells >= np.minimum(cells.max(axis=0), FEWEST), axis=1))
            chosen = enough[-1] if len(enough) else 0
            bins, frames = cells[chosen]
            name = f"convolution {chosen + 1} of {len(branch)} ({branch[chosen].name}), {bins} x {frames} cells"
            found.setdefault(id(maps[chosen]), (maps[chosen], name))
        return list(found.values())

    def settled(self, convolution):
        """A convolution's output behind its normalisation, activation and sum with a shortcut, in the same cells."""
        x = convolution.output
        while len(takers := self.takers.get(id(x), [])) == 1 and _is_cellwise(takers[0]) and _same(x, takers[0].output):
            x = takers[0].output
        return x

    def goes_past(self, tensors):
        """Whether the output depends on an input by a way that leads through none of these tensors."""
        barred, waiting = {id(x) for x in tensors}, list(self.core.inputs)
        seen = set(barred)
        while waiting:
            x = waiting.pop()
            if x is self.core.outputs[0]:
                return True
            new = [y for op in self.takers.get(id(x), []) for y in keras.tree.flatten(op.output) if id(y) not in seen]
            seen.update(map(id, new))
            waiting += new
        return False

    def places(self, x):
        """(Grid of the bins, Grid of the frames, number of the input) of a map, from the layers in front of it."""
        grids = [Grid(1, 0), Grid(1, 0)]
        stretched = False
        while _inputs(op := self.makers[id(x)]):
            before = _inputs(op)[0]
            if not stretched and (window := _window(op, before, x)):
                grids = [Grid(g.step * s, g.first * s + offset) for g, (s, offset) in zip(grids, window, strict=True)]
            elif not stretched and not _same(before, x):  # resized, or other axes: what is left covers the picture
                stretched, cells = True, _cells(x)
            x = before
        source = next(number for number, each in enumerate(self.core.inputs) if each is x)
        if stretched:
            ratios = [whole / part for whole, part in zip(_cells(x), cells, strict=True)]
            grids = [Grid(g.step * r, (g.first + 0.5) * r - 0.5) for g, r in zip(grids, ratios, strict=True)]
        return *grids, source


def _window(op, before, after):
    """For bins and frames (step, offset) of a convolution, a pool or padding; None of any other operation.

    Its output's cell n is around its input's cell n * step + offset.
    """
    if isinstance(op, keras.layers.ZeroPadding2D | keras.layers.ZeroPadding1D):
        sides = op.padding if isinstance(op.padding[0], tuple | list) else (op.padding,)
        return ([(1, 0)] + [(1, -side[0]) for side in sides])[-2:]
    size = getattr(op, "kernel_size", getattr(op, "pool_size", None))
    if size is None:
        return None
    dilation = getattr(op, "dilation_rate", 1)
    found = []
    for part in range(2):
        axis = part - 2  # of the tuples, from their end: those of a network along time have only the frames
        if -axis > len(size):
            found.append((1, 0))
            continue
        gap = dilation[axis] if isinstance(dilation, tuple) else dilation
        reach, step = (size[axis] - 1) * gap, op.strides[axis]
        cells, made = _cells(before)[axis], _cells(after)[axis]
        padded = {"valid": 0, "same": max((made - 1) * step + reach + 1 - cells, 0) // 2, "causal": reach}[op.padding]
        found.append((step, reach / 2 - padded))
    return found


def _is_cellwise(op):
    """Whether each cell of an operation's output, if they are as many as before, is of that cell of its input."""
    if hasattr(op, "kernel_size") or isinstance(op, keras.layers.Permute):
        return False
    return isinstance(op, keras.layers.BatchNormalization) or not getattr(op, "weights", None)


def _inputs(op):
    return [] if isinstance(op, keras.layers.InputLayer) else keras.tree.flatten(op.input)


def _one(x):
    return keras.tree.flatten(x)[0]


def _cells(x):
    """(bins, frames) of a tensor of maps; a sequence has one bin, anything else one cell."""
    return ((1, 1) + tuple(x.shape[1:-1]))[-2:]


def _same(x, y):
    return len(x.shape) == len(y.shape) and x.shape[1:-1] == y.shape[1:-1]


def _four_axes(maps):
    return maps if maps.ndim == 4 else maps[:, None]
