"""The sample studies that are shipped in resources/samples: drawn chests that the steps treat differently.

They test the chain: two children, an adult, a lateral view, an upside-down film. A model's scores on drawings mean
nothing, so no verdict is promised for any of them. A demonstration also takes the one real film that can be installed.

`python -m cxr_core.samples FOLDER` writes them again.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
from pydicom.dataset import FileDataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGLSLossless

from cxr_core.phantom import PhantomSettings, phantom_dataset

#: The one chest film that PyPI's pydicom-data ships: CR, 15 bits, MONOCHROME1, an adult.
REAL_FILM = "RG1_UNCR.dcm"
NO_REAL_FILM = "pydicom-data is not installed, so its real chest film is left out (extra: demo)."
NOTE = "Drawn chests (synthetic-...) test the chain from file to picture; the model's scores on them mean nothing."
"""What the scores of drawn chests are worth."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample study of one image."""

    file: str
    settings: PhantomSettings
    age: str
    view: str = "PA"
    photometric: str = "MONOCHROME2"
    upside_down: bool = False


SAMPLES = (
    Sample("synthetic-1-child.dcm", PhantomSettings(640, 720, seed=1), "003Y"),
    Sample(
        "synthetic-2-child-opacity.dcm", PhantomSettings(640, 720, opacity=1.0, seed=2), "004Y", "AP", "MONOCHROME1"
    ),
    Sample("synthetic-3-adult.dcm", PhantomSettings(640, 720, opacity=0.6, seed=3), "051Y"),
    Sample("synthetic-4-lateral.dcm", PhantomSettings(640, 720, lateral=True, seed=4), "004Y", "LL"),
    Sample("synthetic-5-upside-down.dcm", PhantomSettings(640, 720, seed=5), "005Y", upside_down=True),
)


def sample_folder() -> Path:
    """The folder of the shipped samples."""
    return Path(str(files("resources"))) / "samples"


def real_film() -> Path | None:
    """The real chest film; None where pydicom-data is not installed."""
    try:
        import data_store  # noqa: F401  # pydicom-data registers itself under this name
        from pydicom.data import get_testdata_file
    except ImportError:
        return None
    path = get_testdata_file(REAL_FILM, download=False)
    return Path(str(path)) if path else None


def sample_dataset(number: int) -> FileDataset:
    """Sample `number` (from 1), uncompressed."""
    sample = SAMPLES[number - 1]
    dataset = phantom_dataset(sample.settings, number, age=sample.age, view=sample.view, photometric=sample.photometric)
    if sample.upside_down:
        dataset.PixelData = np.rot90(dataset.pixel_array, 2).tobytes()
    return dataset


def write_samples(folder: Path) -> None:
    """Write all samples, JPEG-LS lossless, to keep the repository small."""
    import imagecodecs

    folder.mkdir(parents=True, exist_ok=True)
    for number, sample in enumerate(SAMPLES, start=1):
        dataset = sample_dataset(number)
        packed = bytes(imagecodecs.jpegls_encode(dataset.pixel_array))
        dataset.PixelData = encapsulate([packed])
        dataset.file_meta.TransferSyntaxUID = JPEGLSLossless
        dataset.save_as(folder / sample.file, enforce_file_format=True)


if __name__ == "__main__":
    write_samples(Path(sys.argv[1]))
