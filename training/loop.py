"""The training loop: one step function for one process, several GPUs and several machines.

Keras 3's own `fit` fails under MultiWorkerMirroredStrategy (keras-team/keras#20585), and cannot be resumed within
the last digit; this loop can.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from cxr_core.preprocess import INPUT_SIDE, InputScaling
from training.input_batches import Batch

FloatArray = npt.NDArray[np.float32]
Task = Literal["single_label", "multi_label"]

#: Share of the old value that the running average of the weights keeps in a step (Polyak and Juditsky, 1992).
AVERAGING = 0.99


@dataclass(frozen=True, slots=True)
class LossSettings:
    """What the steps minimise."""

    task: Task
    label_smoothing: float = 0.0
    teacher_share: float = 0.0
    """Share of a teacher's probabilities in the targets (Hinton, Vinyals, Dean, Distilling the Knowledge, 2015)."""


def model_inputs(greys: tf.Tensor, scaling: InputScaling) -> tf.Tensor:
    """(n, 150, 150) display values to (n, 150, 150, 3), as preprocess.scaled does."""
    values = greys * 2.0 - 1.0 if scaling == "minus_one_to_one" else greys
    return tf.repeat(values[..., tf.newaxis], 3, axis=-1)


class Loop:
    """Trains one network for one phase.

    Parameters
    ----------
    network : keras.Sequential
        Gives logits (n, classes); made inside `strategy.scope()`.
    optimizer : keras.optimizers.Optimizer
        With use_ema, the average of the weights is what is validated and kept; made inside the scope, too.
    loss : LossSettings
    scaling : str
        Of the network's input.
    strategy : tf.distribute.Strategy
    """

    def __init__(
        self,
        network: keras.Sequential,
        optimizer: keras.optimizers.Optimizer,
        loss: LossSettings,
        scaling: InputScaling,
        strategy: tf.distribute.Strategy,
    ) -> None:
        self.network, self.optimizer, self.strategy = network, optimizer, strategy
        self._loss, self._scaling = loss, scaling
        with strategy.scope():
            optimizer.build(network.trainable_variables)
        # One trace for batches of any size: the workers' collective operations are numbered while tracing.
        rows, each = (None, network.output_shape[-1]), (None,)
        several = loss.task == "multi_label"
        signature = [
            tf.TensorSpec((None, INPUT_SIDE, INPUT_SIDE)),
            tf.TensorSpec(rows) if several else tf.TensorSpec(each, tf.int64),
            tf.TensorSpec(rows if several else each),
            tf.TensorSpec(rows),
        ]
        self._step = tf.function(self._distributed_step, input_signature=signature)
        self._forward = tf.function(
            lambda greys: network(model_inputs(greys, scaling), training=False), reduce_retracing=True
        )

    def train(self, batches: Iterable[Batch]) -> dict[str, float]:
        """One pass; mean weighted loss and accuracy over it, from the predictions that the steps were made with."""
        totals = np.zeros(3)
        for batch in batches:
            parts = (batch.greys, batch.targets, batch.weights.astype(np.float32), batch.teacher)
            totals += self._step(*map(tf.constant, parts)).numpy()
        loss, correct, count = totals
        return {"loss": loss / max(count, 1), "accuracy": correct / max(count, 1)}

    def logits(self, greys: Iterable[FloatArray]) -> FloatArray:
        """Logits (n, classes) of inputs given in batches (b, 150, 150)."""
        return np.concatenate([self._forward(tf.constant(part)).numpy() for part in greys])

    def variables(self) -> list[Any]:
        """Everything that a checkpoint holds: weights, statistics, random states, optimizer with its average."""
        return [*self.network.variables, *self.optimizer.variables]

    def averaged(self, work: Callable[[], Any]) -> Any:
        """The result of `work` done with the averaged weights; the weights are then as before."""
        kept = [variable.numpy() for variable in self.network.trainable_variables]
        self.keep_average()
        try:
            return work()
        finally:
            for variable, value in zip(self.network.trainable_variables, kept, strict=True):
                variable.assign(value)

    def keep_average(self) -> None:
        """Put the average in the place of the weights."""
        with self.strategy.scope():
            self.optimizer.finalize_variable_values(self.network.trainable_variables)

    def _distributed_step(self, *arguments: Any) -> tf.Tensor:
        """One step on all replicas: (sum of losses, correct, count) over the whole batch, shape (3,)."""
        parts = self.strategy.run(self._replica_step, args=arguments)
        return self.strategy.reduce(tf.distribute.ReduceOp.SUM, parts, axis=None)

    def _replica_step(self, *batch: Any) -> tf.Tensor:
        """This replica's share of the batch, which every replica is given whole.

        Shares may differ by one: filled up to equal ones, a batch would change the statistics of normalisation. Of a
        batch too small for all replicas each takes the whole, and counts it in part.
        """
        size = tf.shape(batch[0])[0]
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        replicas = self.strategy.num_replicas_in_sync
        counted: Any = 1.0
        if replicas > 1:
            small = size < replicas
            first = tf.where(small, 0, size * replica // replicas)
            end = tf.where(small, size, size * (replica + 1) // replicas)
            batch = tuple(part[first:end] for part in batch)
            counted = tf.where(small, 1 / replicas, 1.0)
        greys, targets, weights, teacher = batch
        with tf.GradientTape() as tape:
            logits = self.network(model_inputs(greys, self._scaling), training=True)
            losses = self._losses(logits, targets, weights, teacher) * counted
            # The optimizer sums the replicas' gradients, so each divides by the whole batch.
            loss = tf.reduce_sum(losses) / tf.cast(size, tf.float32)
        gradients = tape.gradient(loss, self.network.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.network.trainable_variables, strict=True))
        if self._loss.task == "multi_label":
            right = tf.reduce_mean(tf.cast((logits >= 0) == (targets > 0.5), tf.float32), axis=-1)
        else:
            right = tf.cast(tf.argmax(logits, axis=-1) == targets, tf.float32)
        count = tf.cast(tf.shape(greys)[0], tf.float32)
        return tf.stack([tf.reduce_sum(losses), tf.reduce_sum(right) * counted, count * counted])

    def _losses(self, logits: Any, targets: Any, weights: Any, teacher: Any) -> Any:
        """The loss of every example, (n,)."""
        settings = self._loss
        if settings.task == "multi_label":
            soft = targets * (1 - settings.label_smoothing) + settings.label_smoothing / 2
            soft = self._mixed(soft, teacher, tf.reduce_any(teacher > 0, axis=-1, keepdims=True))
            each = tf.nn.sigmoid_cross_entropy_with_logits(soft, logits)
            return tf.reduce_mean(each * weights, axis=-1)
        if settings.label_smoothing == 0 and settings.teacher_share == 0:
            each = keras.losses.sparse_categorical_crossentropy(targets, logits, from_logits=True)
            return each * weights
        classes = logits.shape[-1]
        soft = tf.one_hot(targets, classes)
        soft = soft * (1 - settings.label_smoothing) + settings.label_smoothing / classes
        soft = self._mixed(soft, teacher, tf.reduce_sum(teacher, axis=-1, keepdims=True) > 0)
        return keras.losses.categorical_crossentropy(soft, logits, from_logits=True) * weights

    def _mixed(self, soft: Any, teacher: Any, taught: Any) -> Any:
        share = self._loss.teacher_share * tf.cast(taught, tf.float32)
        return soft * (1 - share) + teacher * share


def validation_figures(logits: FloatArray, targets: npt.NDArray[Any], task: Task) -> dict[str, float]:
    """Accuracy, log loss, and macro AUC where every class is there, of logits (n, classes)."""
    from scipy.special import expit, softmax
    from sklearn.metrics import log_loss, roc_auc_score

    if task == "multi_label":
        p = expit(logits.astype(np.float64))
        clipped = np.clip(p, 1e-12, 1 - 1e-12)
        loss = -np.mean(targets * np.log(clipped) + (1 - targets) * np.log(1 - clipped))
        both = [i for i in range(targets.shape[1]) if 0 < targets[:, i].sum() < len(targets)]
        auc = float(np.mean([roc_auc_score(targets[:, i], p[:, i]) for i in both])) if both else float("nan")
        return {"accuracy": float(np.mean((p >= 0.5) == (targets > 0.5))), "loss": float(loss), "auc": auc}
    p = softmax(logits.astype(np.float64), axis=1)
    classes = list(range(logits.shape[1]))
    auc = float("nan")
    if len(np.unique(targets)) == len(classes):
        auc = float(roc_auc_score(targets, p[:, 1] if len(classes) == 2 else p, multi_class="ovr", labels=classes))
    return {
        "accuracy": float(np.mean(p.argmax(axis=1) == targets)),
        "loss": float(log_loss(targets, p, labels=classes)),
        "auc": auc,
    }
