"""The LiteRT graph gives what Keras and a GradientTape give; unproved tails, and graphs that differ, are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from cxr_core.classifier import LiteRtGraph, Outputs
from training.graph import ExportError, compare, keras_outputs, tail_of, to_litert

pytestmark = [pytest.mark.training, pytest.mark.filterwarnings("default")]


def random_inputs(n: int, low: float = 0) -> np.ndarray:
    return np.random.default_rng(1).uniform(low, 1, (n, 150, 150, 3)).astype(np.float32)


def with_trained_statistics(model: keras.Model) -> keras.Model:
    """Fresh BatchNormalization is nearly the identity, so that a graph without it would pass too."""
    rng = np.random.default_rng(3)
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            with_trained_statistics(layer)
        if isinstance(layer, layers.BatchNormalization):
            gamma, beta, mean, variance = (weight.shape for weight in layer.weights)
            layer.set_weights(
                [
                    rng.uniform(0.5, 1.5, gamma) * rng.choice([-1, 1], gamma, p=[0.2, 0.8]),
                    rng.normal(0, 0.3, beta),
                    rng.normal(0, 0.3, mean),
                    rng.uniform(0.2, 2, variance),
                ]
            )
    return model


def cnn(*tail: Any, body: tuple[Any, ...] = (), classes: int = 3, seed: int = 1) -> keras.Sequential:
    """A small CNN: body, Conv2D and the tail, or the tail that is served today."""
    keras.utils.set_random_seed(seed)
    behind = tail or (
        layers.Conv2D(4, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dropout(0.5),
        layers.Dense(8, activation="relu"),
        layers.Dense(classes),
    )
    return keras.Sequential([keras.Input((150, 150, 3)), layers.MaxPooling2D(), *body, *behind])


def mobilenet_v2(classes: int) -> keras.Sequential:
    keras.utils.set_random_seed(1)
    base = keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=(150, 150, 3))
    return keras.Sequential(
        [
            keras.Input((150, 150, 3)),
            base,
            layers.GlobalAveragePooling2D(),
            layers.Dropout(0.2),
            layers.Dense(classes),
        ]
    )


def differences(
    model: keras.Sequential, path: Path, inputs: np.ndarray, task: Any = "single_label"
) -> dict[str, float]:
    to_litert(model, path)
    return compare(LiteRtGraph(path, 1), model, inputs, task)


TAILS: dict[str, Callable[[], keras.Sequential]] = {
    # VALID pooling drops the last row of an odd map.
    "even map, 74 x 74": lambda: cnn(
        body=(layers.Conv2D(4, 2, padding="same"), layers.ZeroPadding2D(((1, 0), (1, 0))))
    ),
    "odd map, 73 x 73": cnn,
    "map that is not square": lambda: cnn(body=(layers.Cropping2D(((0, 7), (0, 0))),)),
    "windows that overlap, and padding": lambda: cnn(
        layers.Conv2D(4, 3, activation="relu"),
        layers.MaxPooling2D(3, strides=2, padding="same"),
        layers.Flatten(),
        layers.Dense(8, activation="relu"),
        layers.Dense(3),
    ),
    "no pooling": lambda: cnn(
        layers.Conv2D(4, 3, activation="relu"), layers.Flatten(), layers.Dense(8, activation="relu"), layers.Dense(3)
    ),
    "no hidden layer": lambda: cnn(
        layers.Conv2D(4, 3, activation="relu"), layers.MaxPooling2D(), layers.Flatten(), layers.Dense(3)
    ),
    "average, then a hidden layer": lambda: cnn(
        layers.Conv2D(4, 3, activation="relu"),
        layers.GlobalAveragePooling2D(),
        layers.Dense(8, activation="relu"),
        layers.Dense(3),
    ),
    "normalised before the ReLU": lambda: cnn(
        layers.Conv2D(4, 3, use_bias=False),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dense(8, activation="relu"),
        layers.Dense(3),
        body=(layers.Conv2D(4, 3, use_bias=False), layers.BatchNormalization(), layers.Activation("relu")),
    ),
    "normalised behind the ReLU": lambda: cnn(
        layers.Conv2D(4, 3, activation="relu"),
        layers.BatchNormalization(),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dense(8, activation="relu"),
        layers.Dense(3),
        body=(layers.Conv2D(4, 3, activation="relu"), layers.BatchNormalization(), layers.SpatialDropout2D(0.5)),
    ),
}


@pytest.mark.parametrize("make", TAILS.values(), ids=TAILS.keys())
def test_graph_gives_what_keras_and_the_gradient_give(make: Callable[[], keras.Sequential], tmp_path: Path) -> None:
    model = with_trained_statistics(make())
    assert keras_outputs(model, random_inputs(4)).maps.max(axis=(2, 3)).any(axis=1).all()  # there is what to compare
    found = differences(model, tmp_path / "model.tflite", random_inputs(4))
    assert found["probability"] < 1e-5
    assert found["maps_relative"] < 1e-3
    assert found["embedding_relative"] < 1e-4
    assert [path.name for path in tmp_path.iterdir()] == ["model.tflite"]


@pytest.fixture(scope="module")
def mobilenet(tmp_path_factory: pytest.TempPathFactory) -> tuple[keras.Sequential, Path]:
    """MobileNetV2 with random weights and statistics, five classes; reloaded, as export gets it."""
    folder = tmp_path_factory.mktemp("mobilenet")
    with_trained_statistics(mobilenet_v2(5)).save(folder / "model.keras")
    model = keras.models.load_model(folder / "model.keras")
    to_litert(model, folder / "model.tflite")
    return model, folder / "model.tflite"


@pytest.mark.parametrize("task", ["single_label", "multi_label"])
def test_mobilenet_v2(mobilenet: tuple[keras.Sequential, Path], task: Any) -> None:
    model, path = mobilenet
    found = compare(LiteRtGraph(path, 1), model, random_inputs(27, -1), task)
    assert found["films"] == 27
    assert found["probability"] < 1e-4
    assert found["maps_relative"] < 2e-3


def test_batches_of_any_size_have_the_shapes_that_are_served(mobilenet: tuple[keras.Sequential, Path]) -> None:
    graph, inputs = LiteRtGraph(mobilenet[1], 1), random_inputs(3, -1)
    three, one = graph(inputs), graph(inputs[2:])
    assert (three.logits.shape, three.maps.shape, three.embedding.shape) == ((3, 5), (3, 5, 5, 5), (3, 1280))
    for name in Outputs.__slots__:
        alone, among = getattr(one, name)[0], getattr(three, name)[2]
        np.testing.assert_allclose(alone, among, atol=1e-4 * np.abs(among).max())
    assert three.maps.min() >= 0


def test_weights_are_stored_once_and_halved_on_request(
    mobilenet: tuple[keras.Sequential, Path], tmp_path: Path
) -> None:
    model, path = mobilenet
    to_litert(model, tmp_path / "half.tflite", half=True)
    weights = model.count_params()
    assert path.stat().st_size < 4 * weights * 1.05
    assert (tmp_path / "half.tflite").stat().st_size < 2 * weights * 1.1
    inputs = random_inputs(2, -1)
    whole, half = (LiteRtGraph(p, 1)(inputs).logits for p in (path, tmp_path / "half.tflite"))
    np.testing.assert_allclose(half, whole, atol=0.05 * np.abs(whole).max())
    assert (half != whole).any()


def test_graph_without_maps_gives_the_same_logits(tmp_path: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter

    model, inputs = cnn(), random_inputs(2)
    to_litert(model, tmp_path / "model.tflite", maps=False)
    outputs = Interpreter(str(tmp_path / "model.tflite")).get_signature_runner()(inputs=inputs)
    assert list(outputs) == ["logits"]
    np.testing.assert_allclose(outputs["logits"], model(inputs), atol=1e-4)


def test_reference_is_the_gradient_by_differences() -> None:
    """The tape's map of a model whose gradient is plain: A is the input itself, doubled, and the head is by hand."""
    model = cnn(layers.Conv2D(3, 1, use_bias=False), layers.GlobalAveragePooling2D(), layers.Dense(2))
    model.layers[1].set_weights([2 * np.eye(3, dtype=np.float32)[None, None]])
    kernel = np.array([[1, -1], [2, 0], [-0.5, 0.5]], np.float32)
    model.layers[-1].set_weights([kernel, np.zeros(2, np.float32)])
    inputs = random_inputs(2)
    features = 2 * inputs.reshape(2, 75, 2, 75, 2, 3).max(axis=(2, 4))
    expected = np.maximum(np.moveaxis(features @ kernel, -1, 1), 0) / 75**2
    found = keras_outputs(model, inputs)
    np.testing.assert_allclose(found.maps, expected, rtol=1e-4, atol=1e-8)
    np.testing.assert_allclose(found.embedding, features.mean(axis=(1, 2)), rtol=1e-4)


def test_graph_of_other_weights_is_refused(tmp_path: Path) -> None:
    to_litert(cnn(seed=1), tmp_path / "model.tflite")
    with pytest.raises(ExportError, match="off in probability"):
        compare(LiteRtGraph(tmp_path / "model.tflite", 1), cnn(seed=2), random_inputs(4), "single_label")


def test_graph_that_answers_nan_is_refused(tmp_path: Path) -> None:
    model = cnn(classes=2)
    model.layers[-1].bias.assign([np.nan, np.nan])
    with pytest.raises(ExportError, match="nan off in probability"):
        differences(model, tmp_path / "model.tflite", random_inputs(2))


@pytest.mark.parametrize("part", ["maps", "embedding"])
@pytest.mark.parametrize("wrong", [1.02, np.nan])
def test_graph_with_right_probabilities_and_wrong_rest_is_refused(part: str, wrong: float) -> None:
    """Found in any image, behind the first batch too."""
    model, inputs = cnn(), random_inputs(30)
    right = keras_outputs(model, inputs)

    def graph(batch: np.ndarray) -> Outputs:
        outputs = keras_outputs(model, batch)
        getattr(outputs, part)[-1] *= wrong if np.array_equal(batch[-1], inputs[-1]) else 1
        return outputs

    assert right.maps[-1].max() > 0
    with pytest.raises(ExportError, match=f"off in .*{'nan' if wrong != wrong else '0.02'} in its {part}"):
        compare(graph, model, inputs, "single_label")  # type: ignore[arg-type]


def test_probabilities_are_those_of_the_task() -> None:
    """A logit more in every class is nothing to a softmax and all to sigmoids."""
    model, inputs = cnn(), random_inputs(2)
    shifted = keras_outputs(model, inputs)
    shifted.logits[:] += 1
    assert compare(lambda _: shifted, model, inputs, "single_label")["probability"] < 1e-6  # type: ignore[arg-type]
    with pytest.raises(ExportError, match="off in probability"):
        compare(lambda _: shifted, model, inputs, "multi_label")  # type: ignore[arg-type]


def test_failed_conversion_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))

    def fail(_: str) -> None:
        assert any(temporary.iterdir())
        raise RuntimeError("no conversion")

    monkeypatch.setattr("tensorflow.lite.TFLiteConverter.from_saved_model", fail)
    with pytest.raises(RuntimeError, match="no conversion"):
        to_litert(cnn(), tmp_path / "model.tflite")
    assert [path.name for path in tmp_path.rglob("*")] == ["temporary"]


@pytest.mark.parametrize(
    ("tail", "found"),
    [
        (lambda: [layers.AveragePooling2D(2), layers.Flatten(), layers.Dense(2)], "Conv2D, AveragePooling2D, Flatten"),
        (
            lambda: [layers.MaxPooling2D(), layers.MaxPooling2D(), layers.Flatten(), layers.Dense(2)],
            "MaxPooling2D, Max",
        ),
        (lambda: [layers.GlobalMaxPooling2D(), layers.Dense(2)], "GlobalMaxPooling2D, Dense"),
        (lambda: [layers.GlobalAveragePooling2D(keepdims=True), layers.Dense(2)], "GlobalAveragePooling2D, Dense"),
        (lambda: [layers.LeakyReLU(), layers.Flatten(), layers.Dense(2)], "LeakyReLU"),
        (lambda: [layers.Flatten(), layers.Dense(2), layers.Softmax()], "Dense, Softmax"),
        (
            lambda: [
                layers.Flatten(),
                layers.Dense(4, activation="relu"),
                layers.Dense(4, activation="relu"),
                layers.Dense(2),
            ],
            "Dense, Dense, Dense",
        ),
        (
            lambda: [
                layers.Flatten(),
                layers.Dense(4, activation="relu"),
                layers.BatchNormalization(),
                layers.Dense(2),
            ],
            "BatchNormalization, Dense",
        ),
        (lambda: [layers.Flatten(), layers.Dense(8, activation="tanh"), layers.Dense(2)], "activations tanh, linear"),
        (lambda: [layers.Flatten(), layers.Dense(2, activation="softmax")], "activations softmax"),
    ],
)
def test_tail_without_proved_map_is_refused(tail: Callable[[], list[keras.Layer]], found: str) -> None:
    with pytest.raises(ExportError, match=f"{found}.*expected a Conv2D feature map"):
        tail_of(cnn(layers.Conv2D(4, 3, activation="relu"), *tail()))


def test_networks_without_a_single_way_are_refused() -> None:
    inputs = keras.Input((150, 150, 3))
    a, b = (layers.Conv2D(2, 3)(inputs) for _ in range(2))
    branches = layers.Dense(2)(layers.GlobalAveragePooling2D()(layers.Add()([a, b])))
    with pytest.raises(ExportError, match=r"a Functional model; expected a keras\.Sequential"):
        tail_of(keras.Model(inputs, branches))
    base = keras.Model(inputs, layers.Add()([a, b]))
    with pytest.raises(ExportError, match="ends in Functional, GlobalAveragePooling2D, Dense"):
        tail_of(keras.Sequential([keras.Input((150, 150, 3)), base, layers.GlobalAveragePooling2D(), layers.Dense(2)]))
