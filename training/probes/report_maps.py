"""The page's sections on maps and on films from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from cxr_core.heatmap import MAP_LABEL
from training.evaluation import page
from training.evaluation.plots import new_figure, png_of
from training.probes.copies import Copies
from training.probes.external import ExternalFilm
from training.probes.map_checks import SHIFT_PX, STEPS
from training.probes.report_parts import jpeg_figure, number, share
from training.probes.tables import MASSES


def maps_section(result: Mapping[str, Any], copies: Copies) -> Iterator[str]:
    """Deletion and insertion, stability, randomised weights, the mean map."""
    maps = result["maps"]
    yield page.paragraph(f"Over {maps['n']} films with a map to show ({MAP_LABEL}).")
    curves = maps["deletion_insertion"]
    if curves is None:
        yield page.paragraph("Not measured: no film was called positive.")
        return
    yield page.heading("Deletion and insertion (Petsiuk et al., RISE, BMVC 2018)", 3)
    yield page.paragraph(
        f"Area under the probability while the pixels that an order puts first are deleted (to the film's mean) or "
        f"inserted (into its blurred copy), in {STEPS} steps. A useful map has a low deletion and a high insertion. "
        "A grey patch can itself look like an opacity, so deletion is the harder of the two for a finding that is one."
    )
    names = (("the map", "by_map"), ("centred Gaussian, no map", "by_centre"), ("random cells", "by_chance"))
    rows = [(name, number(curves[key]["deletion"]), number(curves[key]["insertion"])) for name, key in names]
    yield page.table(("Order of pixels", "Deletion", "Insertion"), rows, (1, 2))
    yield page.heading(f"Stability under a shift by {SHIFT_PX} pixels", 3)
    shift = maps["stability"]
    yield page.paragraph(
        f"Rank correlation of the map with the shifted-back map of the shifted film, mean of four directions: median "
        f"{shift['median']:.3f}, 5th percentile {shift['lowest_twentieth']:.3f}."
    )
    yield page.heading("Randomised weights (Adebayo et al., NeurIPS 2018)", 3)
    stages = maps["randomised_weights"]
    if stages is None:
        yield page.paragraph(f"Not measured: {maps['randomised_weights_reason']}.")
    else:
        yield page.paragraph(
            "Rank correlation of the map with that of the same network after the weights of its last layers were "
            "shuffled, mean of several draws. A map that stays as it was does not show what the network learnt."
        )
        yield page.table(
            ("Shuffled", "Layers", "Median", "5th percentile", "Blank maps"),
            (
                (s["words"], str(s["layers"]), number(c["median"]), number(c["lowest_twentieth"]), share(s, "blank"))
                for s in stages["stages"]
                if (c := s["correlation"])
            ),
            (1, 2, 3, 4),
        )
    yield page.heading("Mean map", 3)
    yield page.paragraph("Where the network looks anyhow: mean over the films called so, each relative to its maximum.")
    yield page.grid("cases", (_mean_map(name, cam) for name, cam in copies.mean_maps.items()))


def _mean_map(name: str, cam: npt.NDArray[np.float32]) -> str:
    figure = new_figure(3.4, 3)
    axes = figure.subplots()
    image = axes.imshow(cam, cmap="viridis", vmin=0)
    axes.set_axis_off()
    figure.colorbar(image, ax=axes, shrink=0.85)
    caption = f"{name}: mean map, native grid {cam.shape[0]} x {cam.shape[1]}"
    return page.figure(png_of(figure), caption, caption)


def external_section(result: Mapping[str, Any], films: Sequence[ExternalFilm]) -> Iterator[str]:
    """The table, the counts, and the mass inside boxes."""
    external = result["external"]
    if external is None:
        yield page.paragraph("Not measured: no folder of films from elsewhere was given.")
        return
    yield page.note(
        f"{external['n']} films: a look, no accuracy. The domain and population gates are off for the answers; what "
        "they would say stands beside. The classes are the other data set's own, and nothing here is averaged with "
        "the rest."
    )
    yield page.table(
        ("Film", "Class there", "Called", "P", "Age", "Population", "In domain", "Verdict"),
        (_external_row(film) for film in films),
        (3, 4),
    )
    for given, answers in external["counts"].items():
        told = ", ".join(f"{count} {name}" for name, count in answers.items() if name != "withheld")
        yield page.paragraph(f"{given}: {told}; verdict withheld for {answers['withheld']}.")
    boxed = [film for film in films if film.mass is not None]
    if boxed:
        yield page.heading("Mass of the map inside the boxes", 3)
        yield page.paragraph(
            "Share of the map's sum inside the data set's boxes (Wang et al., Score-CAM, CVPR workshops 2020), against "
            "the mean map of the held-out films, a centred Gaussian of a quarter of the side, and the area of the "
            f"boxes. In {external['boxes']['map_over_centre']} of {len(boxed)} films the map holds more than the "
            "Gaussian."
        )
        yield page.table(
            ("Film", "Map", "Mean map", "Centred Gaussian", "Area"),
            (
                (film.file, *(share(asdict(film.mass), key) for key in MASSES))
                for film in boxed
                if film.mass is not None
            ),
            (1, 2, 3, 4),
        )
        yield page.grid(
            "cases",
            (
                jpeg_figure(film.picture, f"{film.file}: white, the data set's boxes; right, the map ({MAP_LABEL})")
                for film in boxed
                if film.picture is not None
            ),
        )


def _external_row(film: ExternalFilm) -> tuple[str, ...]:
    prediction = film.result.prediction
    age = "unknown" if film.age_years is None else f"{film.age_years:g}"
    if prediction is None:
        return film.file, film.given_class, film.result.status, "", age, "", "", film.result.reason or ""
    withheld = prediction.verdict_withheld
    verdict = f"withheld: {withheld.replace('_', ' ')}" if withheld else prediction.verdict or ""
    domain = f"{'yes' if prediction.in_domain else 'no'} ({prediction.domain_score:.2f})"
    if prediction.domain_reason:
        domain += f", {prediction.domain_reason}"
    return (
        film.file,
        film.given_class,
        film.called or "",
        f"{prediction.probability:.3f}",
        age,
        prediction.population,
        domain,
        verdict,
    )
