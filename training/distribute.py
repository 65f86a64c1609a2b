"""One process, several GPUs of one machine, or several machines: tf.distribute strategies by name."""

from __future__ import annotations

import json
import os

import tensorflow as tf

from cxr_core.errors import CxrError
from training.settings import Distribution


class DistributionError(CxrError):
    """A distribution that the environment does not describe."""


def strategy_of(distribution: Distribution) -> tf.distribute.Strategy:
    """The strategy. Raises DistributionError when TF_CONFIG does not describe the workers."""
    if distribution == "mirrored":
        return tf.distribute.MirroredStrategy()
    if distribution == "multiworker":
        try:
            config = json.loads(os.environ["TF_CONFIG"])
            known = len(config["cluster"]["worker"]) > 0 and config["task"]["index"] >= 0
        except (KeyError, ValueError, TypeError) as error:
            raise _without_cluster() from error
        if not known:
            raise _without_cluster()
        return tf.distribute.MultiWorkerMirroredStrategy()
    return tf.distribute.get_strategy()


def _without_cluster() -> DistributionError:
    return DistributionError(
        "no cluster in the environment variable TF_CONFIG",
        'JSON like {"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": "worker", "index": 0}}',
        "set it on every machine, with the machine's own index",
    )


def is_chief(distribution: Distribution) -> bool:
    """Whether this process writes the run folder: the first worker does, alone."""
    if distribution != "multiworker":
        return True
    return bool(json.loads(os.environ["TF_CONFIG"])["task"]["index"] == 0)
