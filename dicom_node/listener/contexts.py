"""The presentation contexts that are offered: SOP classes and the transfer syntaxes that cxr_core decodes."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import pydicom.uid as uid
from pynetdicom.presentation import PresentationContext, build_context
from pynetdicom.sop_class import StorageCommitmentPushModel, Verification  # type: ignore[attr-defined]

_UNCOMPRESSED = (uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian, uid.ExplicitVRBigEndian)
#: What cxr_core.reading decodes; High-Throughput JPEG 2000 and video are not in it. In order of preference, for a
#: sender that leaves the choice to us: cheapest to decode first, nothing lossy before anything lossless.
TRANSFER_SYNTAXES = (
    *_UNCOMPRESSED,
    uid.DeflatedExplicitVRLittleEndian,
    uid.RLELossless,
    uid.JPEGLosslessSV1,
    uid.JPEGLossless,
    uid.JPEGLSLossless,
    uid.JPEG2000Lossless,
    uid.JPEG2000,
    uid.JPEGLSNearLossless,
    uid.JPEGExtended12Bit,
    uid.JPEGBaseline8Bit,
)
#: Radiographs (PS3.4 B.5). Multi-frame Secondary Capture is not among them: intake refuses several frames, and a
#: sender is told so before it has sent them.
IMAGE_CLASSES = (
    uid.ComputedRadiographyImageStorage,
    uid.DigitalXRayImageStorageForPresentation,
    uid.DigitalXRayImageStorageForProcessing,
    uid.SecondaryCaptureImageStorage,
)
#: What else we send: a PACS that forwards whole studies sends it back, and an error for each would stop its queue.
RESULT_CLASSES = (uid.Comprehensive3DSRStorage, uid.GrayscaleSoftcopyPresentationStateStorage)
STORAGE_CLASSES = frozenset(map(str, (*IMAGE_CLASSES, *RESULT_CLASSES)))


@cache
def offered_contexts(*, storage: bool, commitment: bool) -> list[PresentationContext]:
    """Verification always; storage and storage commitment as told. One list for all associations: read-only."""
    contexts = [build_context(Verification, list(_UNCOMPRESSED))]
    if storage:
        contexts += _contexts(IMAGE_CLASSES, TRANSFER_SYNTAXES)
        contexts += _contexts(RESULT_CLASSES, (*_UNCOMPRESSED, uid.DeflatedExplicitVRLittleEndian))
    if commitment:
        context = build_context(StorageCommitmentPushModel, list(_UNCOMPRESSED))
        # An archive that reports on a new association is the SCP there, and asks for that role (PS3.4 J.3.3).
        context.scu_role = context.scp_role = True
        contexts.append(context)
    return contexts


def _contexts(classes: Iterable[str], syntaxes: Iterable[str]) -> list[PresentationContext]:
    return [build_context(sop_class, list(syntaxes)) for sop_class in classes]
