"""The model card of a bundle, after Mitchell et al., Model Cards for Model Reporting, FAT* 2019."""

from __future__ import annotations

from typing import Any


def model_card(manifest: dict[str, Any], config: dict[str, Any]) -> str:
    """Markdown for MODEL_CARD.md out of the manifest (with its metrics) and the run's configuration."""
    figures = manifest["metrics"]["holdout"]
    low, high = figures["ci95"]["auc"]
    positive = manifest["positive"]
    band = manifest["indeterminate"]
    films, settings = config["films"], config["settings"]
    (tn, fp), (fn, tp) = figures["confusion_matrix"]
    return f"""# {manifest["name"]} {manifest["version"]}

{manifest["description"]}. **Research use; not a medical device, not for diagnosis.**

## What it answers
The calibrated probability of {positive} in one frontal chest film, at a prevalence of {manifest["prevalence"]:g}, and one of
three answers: {positive}, NORMAL, indeterminate. NORMAL means: no pneumonia pattern found by this model; nothing else was assessed.

- Threshold {manifest["thresholds"][positive]:.3f}: {manifest["threshold_rule"]}.
- Indeterminate from {band[0]:.3f} to {band[1]:.3f}; temperature {manifest["temperature"]:.3f}. Both fixed on validation patients.
- The verdict is withheld outside the population and out of domain.

## Population
{manifest["population"]["description"].capitalize()}, frontal films, one hospital. It is not validated for anyone else. Published work
found that models of these training films do not carry over to other hospitals, even for children of the same age.

## Training
{manifest["training_data"]}. {films["train"]} films for training ({100 * manifest["training_prevalence"]:.0f} % {positive}), {films["validation"]} to calibrate,
{films["holdout"]} held out, without a common patient, in blocks of file numbers; exact duplicates dropped. {settings["epochs"]} epochs, Adam,
sparse categorical cross-entropy, batches of {settings["batch_size"]}, classes weighted equally, seed {settings["seed"]}; augmented in position, tone and quality, never flipped.
Fingerprint of the training files: `{manifest["training_fingerprint"]}`.

## Figures on the held-out patients
{figures["n"]} films of {figures["patients"]} patient groups. Every film counts, withheld ones too.

| figure | value |
|---|---|
| AUC | {figures["auc"]:.4f} (95 % by patient bootstrap {low:.4f} to {high:.4f}) |
| accuracy at the threshold | {figures["accuracy"]:.4f} |
| log loss of the calibrated probability | {figures["loss"]:.4f} |
| sensitivity, specificity | {figures["sensitivity"]:.4f}, {figures["specificity"]:.4f} |
| true negative, false positive, false negative, true positive | {tn}, {fp}, {fn}, {tp} |
| indeterminate | {figures["indeterminate"]} |
| withheld as out of domain | {figures["withheld_out_of_domain"]} |

## Maps
Grad-CAM on a grid of {manifest["map_grid"][0]} x {manifest["map_grid"][1]}: model attention, not a lesion outline; comparable only within one image.
"""
