"""The installed command `cxr`: its JSON contract key by key, exit codes, entry points, and its other commands."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from cxr_core.classifier import Classifier
from cxr_core.demo import run_demo
from cxr_core.phantom import PhantomSettings, display_values
from cxr_core.pipeline import Pipeline
from cxr_core.predict_command import run
from cxr_core.reading import Source
from cxr_core.samples import sample_folder
from cxr_core.settings import Settings
from tests.bundle_builder import SHIPPED, copy_bundle
from tests.dicom_builder import LOSSY, TRANSFER_SYNTAXES, build

CXR = Path(sys.executable).with_name("cxr")
CHILD = "synthetic-1-child.dcm"

#: Every key of a line, in its order, and the types that its value may have.
TYPES: dict[str, tuple[type, ...]] = {
    "path": (str,),
    "sop_instance_uid": (str, type(None)),
    "status": (str,),
    "reason": (str, type(None)),
    "warnings": (list,),
    "label": (str, type(None)),
    "probability": (float, type(None)),
    "probabilities": (dict, type(None)),
    "prevalence": (float, type(None)),
    "findings": (list,),
    "verdict": (str, type(None)),
    "verdict_withheld": (str, type(None)),
    "in_domain": (bool, type(None)),
    "domain_score": (float, type(None)),
    "population": (str, type(None)),
    "model": (dict, type(None)),
    "heatmap": (str, type(None)),
    "milliseconds": (dict,),
}


@pytest.fixture(autouse=True)
def no_other_models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CXR_MODELS", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data-home"))


def cxr(*words: str | bytes | Path, cwd: Path | None = None, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the command; no run may print a traceback."""
    done = subprocess.run([CXR, *words], capture_output=True, text=True, timeout=120, cwd=cwd, errors="surrogateescape")
    assert "Traceback" not in done.stderr + done.stdout
    assert done.returncode == code, done.stdout + done.stderr
    return done


def refuse_constant(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


def lines(*words: str | bytes | Path, cwd: Path | None = None, code: int = 0) -> list[dict[str, Any]]:
    """The objects of `cxr predict --json`; standard output holds nothing else."""
    done = cxr("predict", "--json", *words, cwd=cwd, code=code)
    found = [json.loads(line, parse_constant=refuse_constant) for line in done.stdout.splitlines()]
    for line in found:
        check_types(line)
    return found


def check_types(line: dict[str, Any]) -> None:
    assert list(line) == list(TYPES)
    for key, types in TYPES.items():
        assert type(line[key]) in types, key
    assert all(isinstance(warning, str) for warning in line["warnings"])
    assert set(line["milliseconds"]) == {"read", "preprocess", "infer"}
    assert all(value is None or (type(value) is float and value >= 0) for value in line["milliseconds"].values())
    assert line["status"] in ("predicted", "refused", "failed")
    if line["status"] == "predicted":
        assert line["reason"] is None
        assert set(line["model"]) == {"name", "version", "sha256"}
        assert re.fullmatch(r"[0-9a-f]{64}", line["model"]["sha256"])
        assert re.fullmatch(r"\d+\.\d+\.\d+", line["model"]["version"])
        assert set(line["probabilities"]) == {"NORMAL", "PNEUMONIA"}
        assert sum(line["probabilities"].values()) == pytest.approx(1)
        assert line["probability"] == line["probabilities"]["PNEUMONIA"]
        assert 0 < line["prevalence"] < 1
        (finding,) = line["findings"]
        assert list(finding) == ["label", "probability", "threshold", "positive"]
        assert finding["label"] == "PNEUMONIA"
        assert finding["probability"] == line["probability"]
        assert finding["positive"] is (line["probability"] >= finding["threshold"])
        assert line["label"] == ("PNEUMONIA" if finding["positive"] else "NORMAL")
        assert line["verdict"] in ("NORMAL", "PNEUMONIA", "INDETERMINATE", None)
        assert (line["verdict"] is None) == (line["verdict_withheld"] is not None)
        assert line["verdict_withheld"] in (None, "out_of_domain", "population")
        assert line["population"] in ("inside", "outside", "unknown")
    else:
        assert line["reason"]
        assert len(line["reason"].splitlines()) == 1
        unknown = set(TYPES) - {"path", "sop_instance_uid", "status", "reason", "warnings", "findings", "milliseconds"}
        assert all(line[key] is None for key in unknown)
        assert line["findings"] == []


@pytest.fixture
def child(tmp_path: Path) -> Path:
    """A synthetic film of a child."""
    return Path(shutil.copy(sample_folder() / CHILD, tmp_path / "film.dcm"))


@functools.cache
def stored_film() -> np.ndarray:
    """The pixels of a synthetic film, 12 bits."""
    film = display_values(PhantomSettings(rows=640, columns=720, seed=1))
    return np.rint(film * 4095).astype(np.int32)


# --- predict: the contract ---


def test_samples_are_told_apart_by_age_view_and_orientation() -> None:
    """Not by what the model says of a drawing: its scores on them mean nothing, and change with every model."""
    found = {Path(line["path"]).name: line for line in lines(sample_folder())}
    child, adult = found[CHILD], found["synthetic-3-adult.dcm"]
    lateral, turned = found["synthetic-4-lateral.dcm"], found["synthetic-5-upside-down.dcm"]
    assert (child["status"], child["population"]) == ("predicted", "inside")
    assert child["in_domain"] is (child["domain_score"] <= 1)
    assert child["sop_instance_uid"].startswith("2.25.")
    assert child["model"]["name"] == "cnn"
    assert child["heatmap"] is None
    assert all(value > 0 for value in child["milliseconds"].values())
    assert (adult["status"], adult["verdict"]) == ("predicted", None)
    assert adult["population"] == "outside"
    assert adult["label"] is not None
    assert any("not validated for this patient" in warning for warning in adult["warnings"])
    assert (lateral["status"], lateral["model"]) == ("refused", None)
    assert "lateral" in lateral["reason"]
    assert lateral["sop_instance_uid"].startswith("2.25.")
    assert (turned["verdict"], turned["verdict_withheld"], turned["in_domain"]) == (None, "out_of_domain", False)
    assert turned["domain_score"] > 1
    assert any("out of domain" in warning for warning in turned["warnings"])


def test_failed_file_and_the_rest_goes_on(tmp_path: Path, child: Path) -> None:
    (tmp_path / "bad.dcm").write_bytes(b"no film")
    bad, good = lines("bad.dcm", "film.dcm", cwd=tmp_path, code=1)
    assert (bad["path"], bad["status"], bad["sop_instance_uid"]) == ("bad.dcm", "failed", None)
    assert (good["path"], good["status"]) == ("film.dcm", "predicted")


def test_refusal_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "hand.dcm").write_bytes(build(BodyPartExamined="HAND"))
    (line,) = lines(tmp_path / "hand.dcm")
    assert line["status"] == "refused"


def test_missing_path_beside_one_that_exists(child: Path) -> None:
    missing = child.with_name("nowhere.dcm")
    first, film, last = lines(missing, child, missing, code=1)
    assert (first["path"], first["status"]) == (str(missing), "failed")
    assert "No such file" in first["reason"]
    assert (film["path"], film["status"]) == (str(child), "predicted")
    assert last["status"] == "failed"


def test_relaxed_rule_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.dcm").write_bytes(build(ViewPosition="LL"))
    (tmp_path / "b.dcm").write_bytes(build(ViewPosition="LL", BodyPartExamined="HAND"))
    lateral, hand = lines(tmp_path, "--accept", "view")
    assert lateral["status"] == "predicted"
    assert any(warning.startswith("accepted by setting although: lateral view") for warning in lateral["warnings"])
    assert hand["status"] == "refused"
    both = lines(tmp_path, "--accept", "view", "--accept", "body_part")
    assert [line["status"] for line in both] == ["predicted", "predicted"]


def test_population_may_warn() -> None:
    (line,) = lines(sample_folder() / "synthetic-3-adult.dcm", "--population", "warn")
    assert line["verdict"] is not None
    assert line["verdict_withheld"] is None
    assert line["population"] == "outside"
    assert any("not validated for this patient" in warning for warning in line["warnings"])


def test_prevalence_of_the_site(child: Path) -> None:
    (own,), (site,) = lines(child), lines(child, "--prevalence", "0.02")
    manifest = json.loads((SHIPPED / "bundle.json").read_text())
    assert (own["prevalence"], site["prevalence"]) == (manifest["prevalence"], 0.02)
    assert site["probability"] < own["probability"]
    assert site["findings"][0]["threshold"] < own["findings"][0]["threshold"]
    assert (site["label"], site["verdict"]) == (own["label"], own["verdict"])
    assert "at a prevalence of 2 %" in cxr("predict", child, "--prevalence", "0.02").stdout
    assert "at a prevalence" not in cxr("predict", child).stdout


def test_prevalence_of_a_bundle_that_is_not_two_class(tmp_path: Path, child: Path) -> None:
    changes = {"task": "multi_label", "positive": None, "indeterminate": None}
    folder = copy_bundle(tmp_path / "many", **changes, thresholds={"NORMAL": 0.5, "PNEUMONIA": 0.5})
    done = cxr("predict", child, "--model", folder, "--prevalence", "0.1", code=2)
    assert "a prevalence for model cnn" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_path_that_cannot_be_looked_at_and_the_rest_goes_on(options: list[str], tmp_path: Path, child: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    words = ("n" * 300, "loop", "/dev/zero", "film.dcm", "--heatmap-dir", "out")
    done = cxr("predict", *options, *words, cwd=tmp_path, code=1)
    assert done.stderr == ""
    assert done.stdout.count("failed") >= 3
    assert len(list((tmp_path / "out").iterdir())) == 1


def test_model_by_folder_and_by_name(tmp_path: Path, child: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = copy_bundle(tmp_path / "models" / "other", name="other_net", version="3.2.1")
    (by_folder,) = lines(child, "--model", folder)
    assert (by_folder["model"]["name"], by_folder["model"]["version"]) == ("other_net", "3.2.1")
    monkeypatch.setenv("CXR_MODELS", str(tmp_path / "models"))
    (by_name,) = lines(child, "--model", "other_net")
    assert by_name["model"] == by_folder["model"]
    assert lines(child)[0]["model"]["name"] == "cnn"


# --- predict: the same film by every entry point ---


@pytest.fixture(scope="module")
def expected() -> float:
    result, _ = Pipeline(Classifier())(Source("bytes", lambda: build(stored_film())))
    assert result.prediction is not None
    return result.prediction.probability


def test_same_probability_by_path_folder_zip_and_dicomdir(tmp_path: Path, expected: float) -> None:
    folder = tmp_path / "study" / "deep"
    folder.mkdir(parents=True)
    film = folder / "film.dcm"
    records = {"StudyTime": "120000", "StudyID": "1", "SeriesNumber": 1, "InstanceNumber": 1}
    film.write_bytes(build(stored_film(), **records))
    archive = tmp_path / "archive.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.write(film, "deep/film.dcm")
        packed.writestr("readme.txt", "beside the films")
    # In a process of its own: pydicom leaves temporary folders to the end of the process and warns then.
    child = "import sys; from pydicom.fileset import FileSet; f = FileSet(); f.add(sys.argv[1]); f.write(sys.argv[2])"
    subprocess.run([sys.executable, "-c", child, film, tmp_path / "media"], check=True, timeout=60)
    found = {line["path"]: line for line in lines("study", "archive.zip", "media/DICOMDIR", film, cwd=tmp_path)}
    in_media = [path for path in found if path.startswith("media/") and (tmp_path / path).is_file()]
    assert len(in_media) == 1
    assert set(found) == {"study/deep/film.dcm", "archive.zip!deep/film.dcm", str(film), *in_media}
    for line in found.values():
        assert line["probability"] == pytest.approx(expected, abs=1e-6), line["path"]


def test_same_probability_in_every_lossless_transfer_syntax(tmp_path: Path, expected: float) -> None:
    lossless = [name for name in TRANSFER_SYNTAXES if name not in LOSSY]
    for name in lossless:
        (tmp_path / f"{name}.dcm").write_bytes(build(stored_film(), syntax=name))
    found = {Path(line["path"]).stem: line["probability"] for line in lines(tmp_path)}
    assert sorted(found) == sorted(lossless)
    for name, probability in found.items():
        # JPEG 2000 is reduced by its wavelets, everything else by area.
        assert probability == pytest.approx(expected, abs=0.02 if "2" in name else 1e-6), name


def test_same_probability_as_monochrome1_png_and_other_header(tmp_path: Path, expected: float) -> None:
    film = stored_film()
    (tmp_path / "inverted.dcm").write_bytes(build(4095 - film, photometric="MONOCHROME1"))
    (tmp_path / "bare.dcm").write_bytes(build(film, syntax="implicit", meta=False))
    Image.fromarray((film * 16).astype(np.uint16)).save(tmp_path / "film.png")
    for line in lines(tmp_path):
        assert line["probability"] == pytest.approx(expected, abs=0.005), line["path"]


def test_jpeg_and_png_without_header(tmp_path: Path) -> None:
    grey = Image.fromarray((stored_film() >> 4).astype(np.uint8))
    grey.save(tmp_path / "a.jpg", quality=95)
    grey.save(tmp_path / "b.png")
    grey.convert("RGB").save(tmp_path / "c.jpeg", quality=95)
    noise = np.random.default_rng(1).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "d.png")
    jpeg, png, rgb, colour = lines(tmp_path)
    for line in (jpeg, png, rgb):
        assert line["status"] == "predicted"
        assert line["sop_instance_uid"] is None
        assert line["population"] == "unknown"
        assert any("patient age unknown" in warning for warning in line["warnings"])
    assert jpeg["probability"] == pytest.approx(png["probability"], abs=0.02)
    assert "lossy compressed" in jpeg["warnings"]
    assert "lossy compressed" not in png["warnings"]
    assert (colour["status"], "colour" in colour["reason"]) == ("refused", True)


def test_file_name_that_is_no_utf8(tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/film-\xff\xe9.dcm"
    Path(os.fsdecode(name)).write_bytes(build())
    typed, found = lines(name, tmp_path)
    assert os.fsencode(typed["path"]) == os.fsencode(found["path"]) == name
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run([CXR, "predict", name], capture_output=True, env=environment, timeout=60)
    assert done.returncode == 0, done.stderr
    assert rb"film-\udcff\udce9.dcm: " in done.stdout


# --- predict: for people, pictures, pipes ---


def test_text_for_people() -> None:
    out = cxr("predict", sample_folder()).stdout.splitlines()
    heads = [line for line in out if line.startswith(str(sample_folder()))]
    assert len(heads) == 5
    assert sum(": refused: lateral view" in line for line in heads) == 1
    (adult,) = [line for line in heads if "3-adult" in line]
    assert "Verdict withheld" in adult
    (turned,) = [line for line in heads if "5-upside-down" in line]
    assert "Verdict withheld, out of domain: looks rotated by 180 degrees" in turned
    assert out[-2:] == ["4 predicted, 1 refused", "Research use, not for diagnosis."]


def test_heatmaps_open_and_are_named_without_patient_data(tmp_path: Path) -> None:
    (tmp_path / "SYNTHETIC^TEST SYNTHETIC-T.dcm").write_bytes(build(stored_film()[:, ::-1]))
    out = tmp_path / "pictures" / "deep"
    found = lines(tmp_path / "SYNTHETIC^TEST SYNTHETIC-T.dcm", sample_folder(), "--heatmap-dir", out)
    named = [line["heatmap"] for line in found]
    assert [line["status"] for line in found if line["heatmap"] is None] == ["refused"]
    written = sorted(str(path) for path in out.iterdir())
    assert sorted(name for name in named if name) == written
    for path in written:
        assert re.fullmatch(r"[0-9a-f]{12}\.cnn\.png", Path(path).name)
        picture = cv2.imread(path)
        assert picture is not None
        assert picture.shape[0] > 640
        data = Path(path).read_bytes()
        assert b"SYNTHETIC" not in data
        assert b"tEXt" not in data


def test_same_pixels_with_another_answer_are_another_picture(tmp_path: Path) -> None:
    for age in ("003Y", "051Y"):
        (tmp_path / f"{age}.dcm").write_bytes(build(stored_film(), PatientAge=age))
    (tmp_path / "again.dcm").write_bytes(build(stored_film(), PatientAge="003Y"))
    child, adult, again = (line["heatmap"] for line in lines(tmp_path, "--heatmap-dir", tmp_path / "pictures"))
    assert child == again != adult


def test_pictures_inside_the_folder_are_not_taken_for_films(tmp_path: Path, child: Path) -> None:
    words = (".", "--heatmap-dir", "pictures")
    for _ in range(2):
        assert [line["path"] for line in lines(*words, cwd=tmp_path)] == ["./film.dcm"]
    (line,) = lines("pictures", "--heatmap-dir", "pictures", cwd=tmp_path)
    assert line["status"] == "refused", "typed itself, it is looked at"


def test_heatmap_folder_that_cannot_be_made(tmp_path: Path, child: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    done = cxr("predict", child, "--heatmap-dir", tmp_path / "taken" / "out", code=2)
    assert len(done.stderr.splitlines()) == 1
    assert "expected a folder to write to" in done.stderr


def test_overlay_that_cannot_be_written_fails_its_image_only(tmp_path: Path, child: Path) -> None:
    out = tmp_path / "out"
    (named,) = [line["heatmap"] for line in lines(child, "--heatmap-dir", out)]
    Path(named).unlink()
    (Path(named) / "in the way").mkdir(parents=True)
    found = lines(child, sample_folder() / "synthetic-3-adult.dcm", "--heatmap-dir", out, code=1)
    assert [line["status"] for line in found] == ["failed", "predicted"]
    assert "its overlay cannot be written" in found[0]["reason"]
    assert (found[0]["heatmap"], found[0]["sop_instance_uid"] is None) == (None, False)
    assert found[1]["heatmap"] is not None


def test_overlay_without_memory_fails_its_image_only(child: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def render(*arguments: object) -> np.ndarray:
        calls.append(arguments)
        if len(calls) == 1:
            raise MemoryError
        return np.zeros((9, 9, 3), np.uint8)

    monkeypatch.setattr("cxr_core.predict_command.render_overlay", render)
    failed = run([str(child), str(child)], None, Settings(), child.parent / "out", as_json=True)
    assert (failed, len(calls)) == (1, 2)


def test_heatmap_folder_that_cannot_be_written_to_is_found_first(child: Path) -> None:
    done = cxr("predict", child, "--heatmap-dir", "/proc/self", code=2)
    assert done.stdout == ""
    assert "expected a folder to write to" in done.stderr


@pytest.mark.parametrize("words", [["predict"], ["predict", "--json"], ["models"], ["models", "cnn"], ["doctor"]])
def test_output_that_cannot_be_written_is_one_line(words: list[str], child: Path) -> None:
    typed = [child] if words[0] == "predict" else []
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([CXR, *words, *typed], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("cxr: the output cannot be written (No space left on device)")


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_reader_that_goes_away(options: list[str]) -> None:
    command = [CXR, "predict", *options, *[sample_folder()] * 4]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        stderr = process.stderr.read()
        assert process.wait(60) == 0
    assert stderr.strip() in (b"", b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.")


def test_nothing_of_the_patient_is_printed(tmp_path: Path) -> None:
    name, number = "SYNTHETIC^NAMED", "SYNTHETIC-NUMBER"
    values = {"PatientName": name, "PatientID": number, "PatientBirthDate": "20230405", "PatientAge": "ABC"}
    (tmp_path / "a.dcm").write_bytes(build(**values))
    (tmp_path / "b.dcm").write_bytes(build(**values, Rows=None))
    (tmp_path / "c.dcm").write_bytes(build(**values, Modality="CT"))
    for options in ([], ["--json"]):
        done = cxr("predict", tmp_path, *options, code=1)
        for text in (name, number, "20230405"):
            assert text not in done.stdout + done.stderr


# --- exit codes for wrong usage ---


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["predict"], "PATHS"),
        (["predict", "nowhere.dcm"], "nowhere.dcm"),
        (["predict", ""], "an empty path"),
        (["predict", "film.dcm", ""], "an empty path"),
        (["predict", "film.dcm", "--prevalence", "1"], "a share between 0 and 1"),
        (["predict", "nowhere.dcm", "neither.dcm"], "nowhere.dcm"),
        (["predict", "film.dcm", "--no-such-option"], "--no-such-option"),
        (["predict", "film.dcm", "--accept", "everything"], "everything"),
        (["predict", "film.dcm", "--population", "ignore"], "ignore"),
        (["predict", "film.dcm", "--threads", "0"], "--threads"),
        (["predict", "film.dcm", "--model", "resnet"], "no model named resnet"),
        (["predict", "film.dcm", "--model", "./nowhere"], "bundle.json"),
        (["no-such-command"], "no-such-command"),
    ],
)
def test_wrong_usage_is_2(words: list[str], told: str, child: Path) -> None:
    done = cxr(*words, cwd=child.parent, code=2)
    assert told.lower() in done.stderr.lower()
    assert done.stdout == ""


# --- the other commands ---


def test_version_and_help() -> None:
    assert re.fullmatch(r"cxr \d+\.\d+\.\d+\n", cxr("--version").stdout)
    words = cxr("--help").stdout
    assert all(command in words for command in ("predict", "models", "doctor", "demo"))


def test_models_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy_bundle(tmp_path / "older", version="0.0.1", name="older_net")
    monkeypatch.setenv("CXR_MODELS", str(tmp_path))
    out = cxr("models").stdout
    manifest = json.loads((SHIPPED / "bundle.json").read_text())
    assert f"cnn {manifest['version']} (default): {manifest['description']}" in out
    assert "older_net 0.0.1: " in out
    assert "AUC" in out
    assert manifest["population"]["description"] in out
    found = [json.loads(line) for line in cxr("models", "--json").stdout.splitlines()]
    assert {(line["name"], line["default"]) for line in found} >= {("cnn", True), ("older_net", False)}
    shipped = next(line for line in found if line["default"])
    assert shipped["folder"] == str(SHIPPED)
    assert shipped["metrics"] == manifest["metrics"]
    assert re.fullmatch(r"[0-9a-f]{64}", shipped["sha256"])


def test_card_of_a_model() -> None:
    assert cxr("models", "cnn").stdout.strip() == (SHIPPED / "MODEL_CARD.md").read_text(encoding="utf-8").strip()


def test_unknown_model_has_no_card() -> None:
    done = cxr("models", "resnet", code=2)
    assert "no model named resnet; expected one of: " in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_damaged_model_is_told_beside_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = copy_bundle(tmp_path / "wreck", name="wreck", version="9.0.0")
    (folder / "model.tflite").write_bytes(b"not a graph")
    monkeypatch.setenv("CXR_MODELS", str(tmp_path))
    done = cxr("models", code=1)
    assert "model.tflite of bundle wreck was changed" in done.stderr
    assert "cnn" in done.stdout


@pytest.mark.parametrize(
    ("holdout", "told"),
    [
        ({"n": 785, "auc": 0.5}, "AUC 0.500 on 785 films"),
        ({"auc": {"A": 0.5}, "loss": 0.25, "patients": 9}, "log loss 0.250 on 9 patients"),
        ({"accuracy": 0.954, "n": 785, "patients": 343}, "accuracy 95.4 % on 785 films of 343 patients"),
        ({"n": 5}, "5 films"),
        ({}, None),
        ("none", None),
    ],
)
def test_figures_of_a_bundle_are_told_as_far_as_it_has_them(
    holdout: object, told: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_bundle(tmp_path / "other", name="other", metrics={"holdout": holdout})
    monkeypatch.setenv("CXR_MODELS", str(tmp_path))
    out = cxr("models").stdout.splitlines()
    start = next(i for i, line in enumerate(out) if line.startswith("other "))
    held_out = [line for line in out[start : start + 3] if line.startswith("  held out")]
    assert held_out == ([] if told is None else [f"  held out   {told}"])


def without(folder: Path, module: str, code: str) -> dict[str, str]:
    """An environment in which a module cannot be imported."""
    path = folder / "shadow" / f"{module}.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(code)
    return os.environ | {"PYTHONPATH": str(path.parent)}


_LIBRARY = 'raise ImportError("libgthread-2.0.so.0: cannot open shared object file: No such file or directory")'
_GONE = "raise ModuleNotFoundError(\"No module named 'gone'\", name='gone')"


@pytest.mark.parametrize(
    ("module", "package", "code", "remedy"),
    [
        ("cv2", "opencv-python-headless", _LIBRARY, "run `apt-get install -y libglib2.0-0`"),
        ("cv2", "opencv-python-headless", "raise AttributeError('_ARRAY_API not found')", "-m pip install"),
        ("ai_edge_litert", "ai-edge-litert", _GONE, "pip install --force-reinstall ai-edge-litert`"),
        ("imagecodecs", "imagecodecs", _GONE, "pip install --force-reinstall imagecodecs`"),
        ("platformdirs", "platformdirs", _GONE, "pip install --force-reinstall platformdirs`"),
    ],
)
def test_doctor_and_predict_without_a_part(
    module: str, package: str, code: str, remedy: str, tmp_path: Path, child: Path
) -> None:
    environment = without(tmp_path, module, code)
    options = {"capture_output": True, "text": True, "timeout": 60, "env": environment}
    done = subprocess.run([CXR, "doctor"], **options)
    assert (done.returncode, done.stderr) == (1, "")
    (broken,) = [line for line in done.stdout.splitlines() if line.startswith("broken")]
    assert f"{package} cannot be loaded" in broken
    assert remedy in broken
    if module == "imagecodecs":
        return  # loaded for a compressed film only
    if "AttributeError" in code:
        return
    done = subprocess.run([CXR, "predict", child], **options)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("cxr: a part that it needs cannot be loaded (")
    assert line.endswith("see `cxr doctor`")


def test_doctor() -> None:
    out = cxr("doctor").stdout
    assert "The command `cxr predict` works." in out
    assert re.search(
        r"^ok +model cnn [0-9.]+, used when none is named: digests and golden pair agree", out, re.MULTILINE
    )
    assert re.search(r"^ok +numpy \d", out, re.MULTILINE)
    assert re.search(r"^ok +decoders", out, re.MULTILINE)


@pytest.mark.parametrize("damage", ["model.tflite", "golden.npz", "bundle.json"])
def test_doctor_finds_a_damaged_bundle(damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = copy_bundle(tmp_path / "wreck", name="wreck")
    (folder / damage).write_bytes(b"{}")
    monkeypatch.setenv("CXR_MODELS", str(tmp_path))
    out = cxr("doctor", code=1).stdout
    (broken,) = [line for line in out.splitlines() if line.startswith("broken")]
    assert str(folder) in broken
    assert damage in broken
    assert "is broken, see above" in out


def test_demo_writes_pictures(tmp_path: Path) -> None:
    out = tmp_path / "pictures"
    done = cxr("demo", "--out", out, cwd=tmp_path)
    last = Path(done.stdout.splitlines()[-1])
    assert last.is_absolute()
    assert cv2.imread(str(last)) is not None
    assert len(list(out.glob("*.png"))) >= 4
    assert "withheld" in done.stdout
    assert "not for diagnosis" in done.stdout
    assert "scores on them mean nothing" in " ".join(done.stdout.split())


def test_demo_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    done = cxr("demo", "--out", tmp_path / "taken", code=2)
    assert len(done.stderr.splitlines()) == 1
    assert "expected a folder to write to" in done.stderr


def test_demo_of_which_nothing_is_predicted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.dcm").write_bytes(b"no film")
    monkeypatch.setattr("cxr_core.demo.real_film", lambda: None)
    monkeypatch.setattr("cxr_core.demo.sample_folder", lambda: tmp_path)
    assert run_demo(tmp_path / "out") == (None, 1)
    assert "failed" in capsys.readouterr().out
