"""The networks in Keras, and how each is trained. All take (n, 150, 150, 3) and give logits (n, classes)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
from keras import layers

from cxr_core.errors import CxrError
from cxr_core.preprocess import INPUT_SIDE, InputScaling

INPUT_SHAPE = (INPUT_SIDE, INPUT_SIDE, 3)


class BaseWeightsError(CxrError):
    """Base weights that cannot be had or do not fit."""


@dataclass(frozen=True, slots=True)
class Phase:
    """One stretch of training with its own optimizer."""

    name: str
    epochs: int
    learning_rate: float
    """Of Adam at the start; falls to 0 along a cosine."""

    first_trainable: str | None = None
    """Name of the base's first layer that learns; None: the whole network, or with a base its head alone."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """A network that can be asked for by name."""

    name: str
    description: str
    scaling: InputScaling
    build: Callable[[int, str], tuple[keras.Sequential, str]]
    """(classes, base weights) to the network and a note on where its base comes from."""

    phases: Callable[[int, int], tuple[Phase, ...]]
    """(epochs, fine-tuning epochs) to the phases."""

    has_base: bool = False
    """Whether it looks at base weights."""


def sequential_cnn(classes: int = 2) -> keras.Sequential:
    """The Sequential CNN: Conv2D and MaxPooling2D in turn, Flatten, Dense.

    Batch normalisation folds into the convolutions when the network is exported.
    """
    stages: list[keras.Layer] = []
    for filters in (16, 32, 64, 128):
        stages += [
            layers.Conv2D(filters, 3, use_bias=False, kernel_initializer="he_normal"),
            # Synchronised, so that two replicas normalise by the whole batch as one would.
            layers.BatchNormalization(momentum=0.9, synchronized=True),
            layers.ReLU(),
            layers.MaxPooling2D(),
        ]
    return keras.Sequential(
        [
            keras.Input(INPUT_SHAPE),
            *stages,
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(256, activation="relu"),
            layers.Dense(classes),
        ],
        name="cnn",
    )


def check_base_weights(base_weights: str) -> None:
    """Raises BaseWeightsError where a file is named that is not there."""
    if base_weights not in ("imagenet", "none") and not Path(base_weights).is_file():
        raise BaseWeightsError(
            f"no file {base_weights}", "imagenet, none, or a file of weights", "correct --base-weights"
        )


def mobilenet_v2(classes: int = 2, base_weights: str = "imagenet") -> tuple[keras.Sequential, str]:
    """MobileNetV2 (Sandler et al., CVPR 2018), GlobalAveragePooling2D, Dense; and where the base comes from.

    `base_weights`: "imagenet" (Keras downloads it once), "none", or a file of weights without the top.

    Raises
    ------
    BaseWeightsError
        The file is not there or does not fit, or the download failed.
    """
    note = "random weights"
    if base_weights in ("imagenet", "none"):
        try:
            weights = None if base_weights == "none" else base_weights
            base = keras.applications.MobileNetV2(include_top=False, weights=weights, input_shape=INPUT_SHAPE)
        except Exception as error:  # Keras raises a bare Exception around whatever the download ran into
            raise BaseWeightsError(
                "ImageNet weights that cannot be downloaded here",
                "an internet connection, once",
                "name a file of MobileNetV2 weights without top by --base-weights FILE, or train without: "
                "--base-weights none",
            ) from error
        if weights:
            note = "ImageNet, Keras's own weights"
    else:
        check_base_weights(base_weights)
        base = keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=INPUT_SHAPE)
        path = Path(base_weights)
        try:
            base.load_weights(path)
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BaseWeightsError(
                f"{base_weights}, whose weights do not fit MobileNetV2",
                "a .weights.h5 file of keras.applications.MobileNetV2(include_top=False, alpha=1.0)",
                "check the file",
            ) from error
        note = f"{path.name}, SHA-256 {digest}"
    network = keras.Sequential(
        [
            keras.Input(INPUT_SHAPE),
            base,
            layers.GlobalAveragePooling2D(),
            layers.Dropout(0.3),
            layers.Dense(classes),
        ],
        name="mobilenetv2",
    )
    return network, note


ARCHITECTURES = {
    "cnn": Architecture(
        "cnn",
        "Sequential CNN (Conv2D, MaxPooling2D, Flatten, Dense)",
        "zero_to_one",
        lambda classes, _: (sequential_cnn(classes), "none"),
        lambda epochs, _: (Phase("fit", epochs, 1e-3),),
    ),
    "mobilenetv2": Architecture(
        "mobilenetv2",
        "MobileNetV2 transfer model (GlobalAveragePooling2D, Dense)",
        "minus_one_to_one",
        mobilenet_v2,
        lambda epochs, fine_tuning: (
            Phase("head", epochs, 1e-3),
            Phase("fine-tuning", fine_tuning, 2e-4, first_trainable=FINE_TUNED_FROM),
        ),
        has_base=True,
    ),
}
#: Fine-tuning begins at this block of the MobileNetV2 base.
FINE_TUNED_FROM = "block_3_expand"


def set_trainable(network: keras.Sequential, first_trainable: str | None) -> None:
    """Let learn what a phase says. Batch normalisation of a base keeps its statistics throughout.

    With `first_trainable` None a nested base is frozen and everything else learns.
    """
    network.trainable = True
    for layer in network.layers:
        if not isinstance(layer, keras.Model):
            continue
        learning = False
        for part in layer.layers:
            learning = learning or part.name == first_trainable
            part.trainable = learning and not isinstance(part, layers.BatchNormalization)
