"""What C-GET proposes: a peer can send only objects whose class and coding were proposed before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydicom import uid

if TYPE_CHECKING:
    from dicom_node.peers.pdus import Proposal

#: Radiographs: each coding in a context of its own, so that a peer sends the coding that it holds.
RADIOGRAPH_CLASSES = (
    uid.ComputedRadiographyImageStorage,
    uid.DigitalXRayImageStorageForPresentation,
    uid.DigitalXRayImageStorageForProcessing,
    uid.SecondaryCaptureImageStorage,
)
RADIOGRAPH_SYNTAXES = (
    uid.ExplicitVRLittleEndian,
    uid.ImplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
    uid.DeflatedExplicitVRLittleEndian,
    uid.RLELossless,
    uid.JPEGBaseline8Bit,
    uid.JPEGExtended12Bit,
    uid.JPEGLossless,
    uid.JPEGLosslessSV1,
    uid.JPEGLSLossless,
    uid.JPEGLSNearLossless,
    uid.JPEG2000Lossless,
    uid.JPEG2000,
)

#: What else a study with radiographs may hold: results of any kind, doses, priors of other modalities.
OTHER_CLASSES = (
    uid.MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    uid.MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    uid.MultiFrameTrueColorSecondaryCaptureImageStorage,
    uid.MultiFrameSingleBitSecondaryCaptureImageStorage,
    uid.GrayscaleSoftcopyPresentationStateStorage,
    uid.ColorSoftcopyPresentationStateStorage,
    uid.PseudoColorSoftcopyPresentationStateStorage,
    uid.BlendingSoftcopyPresentationStateStorage,
    uid.AdvancedBlendingPresentationStateStorage,
    uid.BasicTextSRStorage,
    uid.EnhancedSRStorage,
    uid.ComprehensiveSRStorage,
    uid.Comprehensive3DSRStorage,
    uid.ExtensibleSRStorage,
    uid.ChestCADSRStorage,
    uid.KeyObjectSelectionDocumentStorage,
    uid.XRayRadiationDoseSRStorage,
    uid.SegmentationStorage,
    uid.ParametricMapStorage,
    uid.RawDataStorage,
    uid.EncapsulatedPDFStorage,
    uid.EncapsulatedCDAStorage,
    uid.CTImageStorage,
    uid.EnhancedCTImageStorage,
    uid.MRImageStorage,
    uid.EnhancedMRImageStorage,
    uid.UltrasoundImageStorage,
    uid.UltrasoundMultiFrameImageStorage,
    uid.XRayAngiographicImageStorage,
    uid.XRayRadiofluoroscopicImageStorage,
    uid.DigitalMammographyXRayImageStorageForPresentation,
    uid.DigitalMammographyXRayImageStorageForProcessing,
    uid.NuclearMedicineImageStorage,
    uid.PositronEmissionTomographyImageStorage,
    uid.VLPhotographicImageStorage,
)
OTHER_SYNTAXES = (uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian)
_MAX_CONTEXTS = 128


def retrievable(get_sop_class: str, extra_sop_classes: Sequence[str]) -> list[Proposal]:
    """The contexts of a C-GET. What does not fit into an association is left off from the end of OTHER_CLASSES."""
    from dicom_node.peers.pdus import Proposal

    others = dict.fromkeys((*extra_sop_classes, *OTHER_CLASSES))
    proposals = [
        Proposal(get_sop_class, OTHER_SYNTAXES),
        *(Proposal(a, (syntax,), as_scp=True) for a in RADIOGRAPH_CLASSES for syntax in RADIOGRAPH_SYNTAXES),
        *(Proposal(a, OTHER_SYNTAXES, as_scp=True) for a in others if a not in RADIOGRAPH_CLASSES),
    ]
    return proposals[:_MAX_CONTEXTS]
