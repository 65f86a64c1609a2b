"""One process, several GPUs of one machine, or several machines: tf.distribute strategies by name."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import tensorflow as tf

from cxr_core.errors import CxrError
from training.settings import Distribution


class DistributionError(CxrError):
    """A distribution that the environment does not describe."""


def strategy_of(distribution: Distribution) -> tf.distribute.Strategy:
    """The strategy. Raises DistributionError when TF_CONFIG does not describe the workers, or the port is taken."""
    if distribution == "mirrored":
        return tf.distribute.MirroredStrategy()
    if distribution == "multiworker":
        worker_of(distribution)
        try:
            return tf.distribute.MultiWorkerMirroredStrategy()
        except tf.errors.OpError as error:
            raise _lost() from error
    return tf.distribute.get_strategy()


def worker_of(distribution: Distribution) -> int:
    """The number of this process among the workers; 0, the chief's, is that of a single process.

    Raises DistributionError.
    """
    if distribution != "multiworker":
        return 0
    try:
        config = json.loads(os.environ["TF_CONFIG"])
        workers, task = config["cluster"]["worker"], config["task"]
        index = int(task["index"])
        known = task["type"] == "worker" and list(config["cluster"]) == ["worker"] and 0 <= index < len(workers)
    except (KeyError, ValueError, TypeError) as error:
        raise _without_cluster() from error
    if not known:
        raise _without_cluster()
    return index


def _without_cluster() -> DistributionError:
    return DistributionError(
        "no cluster of workers in the environment variable TF_CONFIG",
        'JSON like {"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": "worker", "index": 0}}',
        "set it on every machine, with the machine's own index",
    )


def is_chief(distribution: Distribution) -> bool:
    """Whether this process writes the run folder: the first worker does, alone. Raises DistributionError."""
    return worker_of(distribution) == 0


@contextmanager
def lost_workers_named() -> Iterator[None]:
    """Turn what TensorFlow raises when another worker is gone into one line."""
    try:
        yield
    except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.DeadlineExceededError) as error:
        raise _lost() from error


def _lost() -> DistributionError:
    return DistributionError(
        "a cluster that came apart or did not come together",
        "every worker of TF_CONFIG running, each on its own free port",
        "give the same command on every machine again: it goes on after the last whole epoch",
    )


def agree(strategy: tf.distribute.Strategy, told: Mapping[str, str]) -> None:
    """Compare what decides the run with the other workers, so that none trains something else or waits for ever.

    Raises DistributionError, in every worker alike.
    """
    digests = [int(hashlib.sha256(text.encode()).hexdigest()[:15], 16) for text in told.values()]
    mine = strategy.experimental_distribute_values_from_function(lambda context: tf.constant([digests], tf.int64))
    everybodys = strategy.gather(mine, axis=0).numpy()
    differing = [name for name, column in zip(told, everybodys.T, strict=True) if len(set(column)) > 1]
    if differing:
        raise DistributionError(
            f"workers that differ in {' and '.join(differing)}",
            "the same command, data and run folder on every machine",
            "share the run folder, or copy its checkpoint from the first worker's machine to the others",
        )
