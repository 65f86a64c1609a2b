"""The model card of a bundle, with the items of TRIPOD+AI (BMJ 2024) and CLAIM 2024 that apply to a model alone.

After Mitchell et al., Model Cards for Model Reporting (FAT* 2019).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

Json = Mapping[str, Any]

#: Rows of the table of figures: key, words, digits after the point, whether a share printed in per cent.
_ROWS = (
    ("auc", "AUC", False),
    ("accuracy", "accuracy at the threshold", True),
    ("accuracy_argmax", "accuracy of the likelier answer", True),
    ("loss", "log loss of the calibrated probability", False),
    ("recall", "recall (sensitivity)", True),
    ("specificity", "specificity", True),
    ("precision", "precision", True),
    ("f1", "F1", True),
    ("average_precision", "average precision", False),
    ("brier", "Brier score", False),
    ("ece", "expected calibration error, 15 bins", False),
)


def model_card(manifest: Json, config: Json, fitted: Json) -> str:
    """Markdown for MODEL_CARD.md out of the manifest with its metrics, the run's configuration and its results."""
    kaggle = "rscbjbr9sj" in manifest["training_data"]
    parts = [
        f"# {manifest['name']} {manifest['version']}",
        f"{manifest['description']}. **Research use; not a medical device, not for diagnosis.**",
        _answer(manifest),
        _population(manifest, kaggle),
        _training(manifest, config, fitted, kaggle),
        _figures(manifest),
        _limits(manifest, kaggle),
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def with_section(card: str, section: str) -> str:
    """The card with a section in the place of the one of the same heading, else at its end."""
    parts = {part.partition("\n")[0]: part.strip() for part in re.split(r"\n(?=## )", card.strip())}
    parts[section.partition("\n")[0]] = section.strip()
    return "\n\n".join(parts.values()) + "\n"


def trials_section(found: Json) -> str:
    """What cross_validation.json says of the recipe."""
    settings = found["settings"]
    epochs = f"{settings['epochs']} epochs"
    if settings["model"] == "mobilenetv2":
        epochs = f"{settings['epochs']} + {settings['fine_tuning_epochs']} epochs"
    lines = [
        "## The recipe on patients and file numbers left out",
        f"The network fitted anew ({epochs}) without each part in turn and judged on it, never on the hold-out. Figures after",
        "calibration on the part itself. Other recipes that were tried: docs/training-trials.md.",
        "",
        "| left out | films | accuracy | loss | AUC |",
        "|---|---|---|---|---|",
    ]
    rows = dict(found["parts"])
    if "out_of_fold" in found:
        rows["all folds together"] = found["out_of_fold"]
    for name, figures in rows.items():
        after = figures["calibrated"]
        accuracy, loss = _number(after["accuracy"], True), _number(after["loss"], False)
        lines.append(f"| {name} | {figures['n']} | {accuracy} | {loss} | {_number(after['auc'], False)} |")
    if kinds := {**found.get("stratum", {}), **found.get("stream", {})}:
        told = "; ".join(f"{name} {_number(kind['accuracy'], True)} of {kind['n']}" for name, kind in kinds.items())
        lines += ["", f"Right out of fold, by kind and series of file names: {told}."]
    return "\n".join(lines)


def probes_section(found: Json) -> str:
    """What probes.json says of shortcuts and maps."""
    plain = found["unchanged"]
    lines = [
        "## Shortcuts and maps",
        f"On {found['n']} films (accuracy {_number(plain['accuracy'], True)} unchanged). The lines were set before any model was measured.",
        "",
        *(f"- {line['what']}: {line['words']}" for line in found["lines"]),
        "",
        "| changed copy | accuracy | loss | answers that flip |",
        "|---|---|---|---|",
    ]
    for copy in found["perturbations"]:
        accuracy, flips = _number(copy["accuracy"], True), _number(copy["flip_rate"], True)
        lines.append(f"| {copy['words']} | {accuracy} | {_number(copy['loss'], False)} | {flips} |")
    known = [baseline for baseline in found["baselines"] if baseline["accuracy"] is not None]
    if known:
        told = "; ".join(
            f"{baseline['words']}: {_number(baseline['accuracy'], True)}, AUC {_number(baseline['auc'], False)}"
            for baseline in known
        )
        lines += ["", f"What can be told without looking at lungs: {told}."]
    external = found["external"]
    if external:
        boxes = external["boxes"]
        lines += [
            "",
            f"On {external['n']} films from elsewhere, mostly of adults, gate off: the map has more of its mass in the marked boxes than a"
            f"\ncentred spot has in {boxes['map_over_centre']} of {boxes['n']} films with boxes.",
        ]
    return "\n".join(lines)


def _answer(manifest: Json) -> str:
    names = [label["name"] for label in manifest["labels"]]
    positive = manifest["positive"]
    if positive is None:
        kind = (
            "The probability of each finding" if manifest["task"] == "multi_label" else "The probability of each class"
        )
        return f"## What it answers\n{kind} in one frontal chest film: {', '.join(names)}; temperature {manifest['temperature']:.3f}."
    low, high = manifest["indeterminate"]
    negative = next(name for name in names if name != positive)
    return f"""## What it answers
The calibrated probability of {positive} in one frontal chest film, at a prevalence of {manifest["prevalence"]:g}, and one of three
answers: {positive}, {negative}, indeterminate. {negative} means: {manifest["labels"][names.index(negative)]["meaning"]}.

- Threshold {manifest["thresholds"][positive]:.3f}: {manifest["threshold_rule"]}.
- Indeterminate from {low:.3f} to {high:.3f}; temperature {manifest["temperature"]:.3f}. Fixed on the calibration patients, who were not trained on.
- The verdict is withheld outside the population and out of domain.

It is meant for research on such films and for showing how an answer comes about. It must not be used to diagnose, to triage, to
rule pneumonia out, on other ages, on other regions or views, or as a measure of severity."""


def _population(manifest: Json, kaggle: bool) -> str:
    text = f"## Population\n{manifest['population']['description'].capitalize()}, frontal films."
    if kaggle:
        text += (
            " One hospital (Guangzhou Women and Children's Medical Center). Sex, exact age, scanner, view and severity"
            " of each\nchild are unknown, so fairness between groups cannot be assessed. It is not validated for anyone"
            " else: published work found that\nmodels of these films do not carry over to other hospitals, even for"
            " children of the same age (Xin, Li, Yi 2021)."
        )
    return text


def _training(manifest: Json, config: Json, fitted: Json, kaggle: bool) -> str:
    settings, films, patients = config["settings"], fitted["films"], fitted["patients"]
    shares = ", ".join(f"{name} {100 * share:.0f} %" for name, share in fitted["training_shares"].items())
    labels = (
        "Labels: the publisher's folders, graded by two physicians, the test folder checked by a third"
        " (Kermany et al., Cell 2018); no laboratory confirmation is published."
        if kaggle
        else "Labels: as the data set gives them."
    )
    base = "" if fitted["base"] == "none" else f"\nBase of the network: {fitted['base']}."
    epochs = f"{settings['epochs']} epochs"
    if settings["model"] == "mobilenetv2":
        epochs = f"{settings['epochs']} epochs of the head, {settings['fine_tuning_epochs']} of fine-tuning"
    teacher = (
        f"; {100 * settings['teacher_share']:.0f} % of the target from models that had not seen the film"
        if settings["teacher_share"]
        else ""
    )
    versions = ", ".join(f"{name} {number}" for name, number in config["versions"].items())
    return f"""## Training
{manifest["training_data"]}. {labels}

| part | films | patient groups |
|---|---|---|
| training | {films["train"]} ({shares}) | {patients["train"]} |
| calibration | {films["calibration"]} | {patients["calibration"]} |
| hold-out | {films["holdout"]} | {patients["holdout"]} |

Parts share no patient group; a group's part follows from a hash of its name; exact duplicates dropped. {epochs}, Adam, sparse
categorical cross-entropy with {settings["label_smoothing"]:g} of label smoothing{teacher}, batches of {settings["batch_size"]}, classes weighing alike, weights averaged
over the steps, seed {settings["seed"]}; augmented in position, stretch, tone, sharpness and compression, with noise, with corners and
borders covered or taken from other films, never flipped.{base}
Versions: {versions}. Fingerprint of the training files: `{manifest["training_fingerprint"]}`; their digests are in `training_files.txt`."""


def _figures(manifest: Json) -> str:
    figures = manifest["metrics"].get("holdout")
    if not figures:
        return "## Figures\nThe data set has no hold-out; none are given."
    lines = [
        "## Figures on the held-out patients",
        f"{figures['n']} films of {figures['patients']} patient groups, in no training or calibration of this model. Every film"
        " counts, those with a withheld\nverdict too. 95 % intervals by bootstrap over patients. Recipes tried: docs/training-trials.md.",
        "",
        "| figure | value | 95 % interval |",
        "|---|---|---|",
    ]
    for key, words, share in _ROWS:
        if figures.get(key) is None:
            continue
        bounds = figures["ci95"].get(key)
        interval = f"{_number(bounds[0], share)} to {_number(bounds[1], share)}" if bounds else "not defined"
        lines.append(f"| {words} | {_number(figures[key], share)} | {interval} |")
    if manifest["positive"] is not None:
        (tn, fp), (fn, tp) = figures["confusion_matrix"]
        lines.append(f"| true negative, false positive, false negative, true positive | {tn}, {fp}, {fn}, {tp} | |")
        null = figures["ece_null"]
        lines.append(
            f"| calibration error that a perfect model would show here | {null['mean']:.3f} | up to {null['p95']:.3f} |"
        )
    lines.append(f"| indeterminate | {figures['indeterminate']} | |")
    lines.append(f"| verdict withheld as out of domain | {figures['withheld']['out_of_domain']} | |")
    agreement = manifest["metrics"]["agreement_with_keras"]
    lines += [
        "",
        f"The graph against Keras over {agreement['films']} films: {agreement['probability']:.1g} in probability,"
        f" {agreement['maps_relative']:.1g} in the maps.",
    ]
    return "\n".join(lines)


def _limits(manifest: Json, kaggle: bool) -> str:
    rows, columns = manifest["map_grid"]
    text = f"""## Maps and limits
Grad-CAM on a grid of {rows} x {columns}: model attention, not a lesion outline; comparable only within one image."""
    if kaggle:
        text += """
Shortcuts that the data set invites: in the originals the aspect ratio, the sharpness and burnt-in letters differ between the
classes. Films are squashed to a square, stretched, blurred and covered in training against that; `cxr-train probe` measures what
is left of it, and where the maps lie."""
    return text


def _number(value: float, share: bool) -> str:
    if math.isnan(value):
        return "not defined"
    return f"{100 * value:.1f} %" if share else f"{value:.3f}"
