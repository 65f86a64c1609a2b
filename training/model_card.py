"""The model card of a bundle, with the items of TRIPOD+AI (BMJ 2024) and CLAIM 2024 that apply to a model alone.

After Mitchell et al., Model Cards for Model Reporting (FAT* 2019).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from training.card_figures import figures_section, number
from training.input_batches import CHESTLESS

Json = Mapping[str, Any]


def model_card(manifest: Json, config: Json, fitted: Json) -> str:
    """Markdown for MODEL_CARD.md out of the manifest with its metrics, the run's configuration and its results."""
    kaggle = "rscbjbr9sj" in manifest["training_data"]
    parts = [
        f"# {manifest['name']} {manifest['version']}",
        f"{manifest['description']}. **Research use; not a medical device, not for diagnosis.**",
        _answer(manifest, fitted, kaggle),
        _population(manifest, kaggle),
        _training(manifest, config, fitted, kaggle),
        figures_section(manifest, f"Recipes tried{'' if kaggle else ', on other films'}: docs/training-trials.md."),
        _limits(manifest, config["settings"], kaggle),
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
    epochs = _counted(settings["epochs"], "epoch")
    if settings["model"] == "mobilenetv2":
        epochs = f"{settings['epochs']} + {_counted(settings['fine_tuning_epochs'], 'epoch')}"
    several = f", mean of {found['seeds']} seeds" if found.get("seeds", 1) > 1 else ""
    lines = [
        "## The recipe on patients and file numbers left out",
        f"The network fitted anew ({epochs}) without each part in turn and judged on it, never on the hold-out. Figures after",
        f"calibration on the part itself{several}. Other recipes that were tried: docs/training-trials.md.",
        "",
        "| left out | films | accuracy | loss | AUC |",
        "|---|---|---|---|---|",
    ]
    rows = dict(found["parts"])
    if "out_of_fold" in found:
        rows["all folds together"] = found["out_of_fold"]
    for name, figures in rows.items():
        after = figures["calibrated"]
        accuracy, loss = number(after["accuracy"], True), number(after["loss"], False)
        lines.append(f"| {name} | {figures['n']} | {accuracy} | {loss} | {number(after['auc'], False)} |")
    if kinds := {**found.get("stratum", {}), **found.get("stream", {})}:
        told = "; ".join(f"{name} {number(kind['accuracy'], True)} of {kind['n']}" for name, kind in kinds.items())
        lines += ["", f"Right out of fold, by kind and series of file names: {told}."]
    return "\n".join(lines)


def probes_section(found: Json) -> str:
    """What probes.json says of shortcuts and maps."""
    plain = found["unchanged"]
    lines = [
        "## Shortcuts and maps",
        f"On {found['n']} films (accuracy {number(plain['accuracy'], True)} unchanged). The lines were set before any model was measured.",
        "",
        *(f"- {line['what']}: {line['words']}" for line in found["lines"]),
        "",
        "| changed copy | accuracy | loss | answers that flip |",
        "|---|---|---|---|",
    ]
    for copy in found["perturbations"]:
        accuracy, flips = number(copy["accuracy"], True), number(copy["flip_rate"], True)
        lines.append(f"| {copy['words']} | {accuracy} | {number(copy['loss'], False)} | {flips} |")
    known = [baseline for baseline in found["baselines"] if baseline["accuracy"] is not None]
    if known:
        told = "; ".join(
            f"{baseline['words']}: {number(baseline['accuracy'], True)}, AUC {number(baseline['auc'], False)}"
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


def _answer(manifest: Json, fitted: Json, kaggle: bool) -> str:
    names = [label["name"] for label in manifest["labels"]]
    positive, thresholds = manifest["positive"], manifest["thresholds"]
    fixed = f"Temperature {manifest['temperature']:.3f}. Fixed on the calibration patients, who were not trained on."
    if positive is not None:
        low, high = manifest["indeterminate"]
        negative = next(label for label in manifest["labels"] if label["name"] != positive)
        asked = f"""The calibrated probability of {positive} in one frontal chest film, at a prevalence of {manifest["prevalence"]:g}, and one of three
answers: {positive}, {negative["name"]}, indeterminate. {negative["name"]} means: {negative["meaning"]}."""
        points = [
            f"Threshold {thresholds[positive]:.3f}: {manifest['threshold_rule']}.",
            f"Indeterminate from {low:.3f} to {high:.3f}; {fixed[0].lower()}{fixed[1:]}",
        ]
        ruled_out = "pneumonia" if kaggle else positive
    elif manifest["task"] == "multi_label":
        asked = f"""The calibrated probability of each of {len(names)} findings in one frontal chest film, each at a prevalence of {manifest["prevalence"]:g}, and whether it
reaches the finding's threshold. Several may be there at once. None of them reaching it does not mean a healthy chest."""
        points = [f"Thresholds: {manifest['threshold_rule']}.", *_meanings(manifest), fixed]
        ruled_out = "any finding"
    else:
        asked = f"""The calibrated probability of each of {len(names)} classes in one frontal chest film, each as frequent as the others, and the likeliest
class: {", ".join(names)}. It always names one, whatever else the film shows."""
        points = [f"Answer: {manifest['threshold_rule']}.", *_meanings(manifest), fixed]
        ruled_out = "any class"
    points += [*fitted.get("notes", ()), "The verdict is withheld outside the population and out of domain."]
    listed = "\n".join(f"- {point}" for point in points)
    return f"""## What it answers
{asked}

{listed}

It is meant for research on such films and for showing how an answer comes about. It must not be used to diagnose, to triage, to
rule {ruled_out} out, on other ages, on other regions or views, or as a measure of severity."""


def _meanings(manifest: Json) -> list[str]:
    """What each label means, with its threshold where it has one."""
    thresholds = manifest["thresholds"]
    cuts = {name: f", from {cut:.3f} on" for name, cut in thresholds.items()}
    return [f"{label['name']}{cuts.get(label['name'], '')}: {label['meaning']}" for label in manifest["labels"]]


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
    epochs = _counted(settings["epochs"], "epoch")
    if settings["model"] == "mobilenetv2":
        epochs += f" of the head, {settings['fine_tuning_epochs']} of fine-tuning"
    versions = ", ".join(f"{name} {number}" for name, number in config["versions"].items())
    return f"""## Training
{manifest["training_data"]}. {labels}

| part | films | patient groups |
|---|---|---|
| training | {films["train"]} ({shares}) | {patients["train"]} |
| calibration | {films["calibration"]} | {patients["calibration"]} |
| hold-out | {films["holdout"]} | {patients["holdout"]} |

{_parts(settings)}{epochs}, Adam, {_loss(manifest, settings)}, batches of {settings["batch_size"]}, weights averaged
over the steps, seed {settings["seed"]}; {_augmentation(manifest, settings)}.{base}
Versions: {versions}. Fingerprint of the training files: `{manifest["training_fingerprint"]}`; their digests are in `training_files.txt`."""


def _parts(settings: Json) -> str:
    """How films came into the parts."""
    if settings["split"] == "official":
        return (
            "The parts are the publisher's: train, val for calibration (where there is none, a share of train, by a hash of"
            " the group's name),\ntest as hold-out. They share no patient group; exact duplicates dropped outside test.\n"
        )
    return "Parts share no patient group; a group's part follows from a hash of its name; exact duplicates dropped.\n"


def _loss(manifest: Json, settings: Json) -> str:
    """What the steps minimised, and what weighed how much in it."""
    several = manifest["task"] == "multi_label"
    text = "sigmoid cross-entropy of every finding" if several else "sparse categorical cross-entropy"
    if settings["label_smoothing"]:
        text += f" with {settings['label_smoothing']:g} of label smoothing"
    if settings["teacher_share"]:
        text += f", {100 * settings['teacher_share']:.0f} % of the target from models that had not seen the film"
    if several:
        return f"{text}, films with a finding weighing as much as those\nwithout it, but a film at most 20 times"
    return f"{text}, classes weighing alike"


def _augmentation(manifest: Json, settings: Json) -> str:
    if not settings["augmented"]:
        return "films not augmented"
    text = (
        "augmented in position, stretch, tone, sharpness and compression, with noise, with corners and borders covered or"
        " taken from\nother films, never flipped"
    )
    if manifest["task"] == "single_label":
        text += f"; {100 * CHESTLESS:.0f} % of the films shown without a chest, with a label drawn by lot"
    return text


def _limits(manifest: Json, settings: Json, kaggle: bool) -> str:
    rows, columns = manifest["map_grid"]
    text = f"""## Maps and limits
Grad-CAM on a grid of {rows} x {columns}: model attention, not a lesion outline; comparable only within one image."""
    if kaggle:
        text += """
Shortcuts that the data set invites: in the originals the aspect ratio, the sharpness and burnt-in letters differ between the
classes. `cxr-train probe` measures how far the answers hang on them, and where the maps lie."""
    else:
        text += """
Shortcuts (letters, borders, sharpness, the scanner of a class) are likely where classes come from different places; `cxr-train probe`
measures how far the answers hang on them, and where the maps lie."""
    if not settings["augmented"]:
        return text
    text += """
Against shortcuts films were squashed to a square, stretched and blurred in training, and their corners and borders covered or
taken from other films."""
    if manifest["task"] == "single_label":
        text += """ Films without a chest were shown with a label drawn by lot. So the probe that erases the chest's centre is one
that was trained on: passing it shows that the training took, not that the answers rest on the lungs."""
    return text


def _counted(count: int, unit: str) -> str:
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
