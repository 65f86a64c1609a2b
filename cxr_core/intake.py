"""Step 2: is this a frontal chest radiograph for presentation? Header facts only; unknown values warn.

The SOP class alone decides nothing but FOR PROCESSING: many CR films travel as Secondary Capture.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from cxr_core.chest_image import HeaderFacts
from cxr_core.settings import IntakeSettings

#: Modalities of a radiograph (PS3.3 C.7.3.1.1.1).
RADIOGRAPHY = frozenset({"CR", "DX", "RG"})
#: Modalities of a secondary capture, taken when the body part says CHEST.
CAPTURE = frozenset({"OT", "SC"})

#: Defined terms of Modality (PS3.3 C.7.3.1.1.1, current and retired). No other value is quoted: in a damaged header
#: the patient's name may stand there.
_MODALITIES = frozenset(
    "ANN AR AS ASMT AU BDUS BI BMD CD CF CFM CP CR CS CT CTPROTOCOL DD DF DG DM DMS DOC DS DX EC ECG EEG EMG EOG "
    "EPS ES FA FID FS GM HC HD IO IOL IVOCT IVUS KER KO LEN LP LS M3D MA MG MR MS NM OAM OCT OP OPM OPR OPT "
    "OPTBSV OPTENF OPV OSS OT PA PLAN POS PR PT PX REG RESP RF RG RTDOSE RTIMAGE RTINTENT RTPLAN RTRAD RTRECORD "
    "RTSEGANN RTSTRUCT RWV SC SEG SM SMR SR SRF ST STAIN TEXTUREMAP TG US VA VF VS XA XAPROTOCOL XC".split()
)

#: SOP classes that are for processing whatever the intent says (PS3.4 B.5).
_FOR_PROCESSING_CLASSES = frozenset({"1.2.840.10008.5.1.4.1.1.1.1.1"})
_RADIOGRAPH_CLASSES = frozenset({"1.2.840.10008.5.1.4.1.1.1", "1.2.840.10008.5.1.4.1.1.1.1"})

#: View Position (PS3.3 C.8.7.1.1.1, C.8.11.5), with spellings met in practice.
_FRONTAL_POSITIONS = frozenset({"PA", "AP", "FRONTAL"})
_OTHER_POSITIONS = {
    "LL": "lateral",
    "RL": "lateral",
    "LAT": "lateral",
    "LLAT": "lateral",
    "RLAT": "lateral",
    "LATERAL": "lateral",
    "LEFTLATERAL": "lateral",
    "RIGHTLATERAL": "lateral",
    "LLD": "decubitus",
    "RLD": "decubitus",
    "LLO": "oblique",
    "RLO": "oblique",
    "LAO": "oblique",
    "RAO": "oblique",
    "LPO": "oblique",
    "RPO": "oblique",
    "OBLIQUE": "oblique",
}
#: Frontal views of CID 4010 DX View (PS3.16) as SNOMED CT, and the retired codes of the same views: postero-anterior
#: (R-40888, in early editions R-10214), antero-posterior, frontal. A test holds them against pydicom's dictionary.
_FRONTAL_CODES = frozenset({"272479007", "399348003", "399033003", "R-40888", "R-10214", "R-10206", "R-10202"})
#: Coding schemes that hold the retired SNOMED codes (PS3.16 section 8).
_RETIRED_SCHEMES = frozenset({"SNM3", "99SDM"})

#: Codes of the chest: SNOMED CT, and the retired SRT codes (PS3.16 Annex L).
_CHEST_CODES = frozenset({"816094009", "51185008", "39607008", "T-D3000", "T-28000"})
#: Body Part Examined of other parts (PS3.16 Annex L, Tables L-1 and L-3, where it is a text).
_OTHER_PARTS = frozenset(
    "ABDOMEN ABDOMENPELVIS ACJOINT ADRENAL ANKLE ANUS AORTA ARM AXILLA BACK BILEDUCT BLADDER BRAIN BREAST BUTTOCK "
    "CALCANEUS CALF CAROTID CEREBELLUM CERVIX CHEEK CHESTABDOMEN CHESTABDPELVIS CIRCLEOFWILLIS CLAVICLE COCCYX COLON "
    "CORNEA CORONARYARTERY CSPINE CTSPINE DUODENUM EAR ELBOW ESOPHAGUS EXTREMITY EYE EYELID FACE FEMUR FIBULA FINGER "
    "FOOT FOREARM GALLBLADDER HAND HEAD HEADNECK HIP HUMERUS IAC ILEUM ILIUM JAW JEJUNUM KIDNEY KNEE LARYNX LEG LIVER "
    "LSPINE LSSPINE MANDIBLE MAXILLA MOUTH NECK NECKCHEST NECKCHESTABDOMEN NECKCHESTABDPELV NECKCHESTABDPELVIS NOSE "
    "ORBIT OVARY PANCREAS PAROTID PATELLA PELVIS PENIS PHARYNX PROSTATE RADIUS RECTUM RIB RIBS SACRUM SCALP SCAPULA "
    "SCLERA SCROTUM SHOULDER SIJOINT SKULL SPINE SPLEEN SSPINE STERNUM STOMACH SUBMANDIBULAR TESTIS THIGH "
    "THORACOLUMBARSPINE THUMB THYMUS THYROID TIBIA TIBIAFIBULA TLSPINE TMJ TOE TONGUE TRACHEA TSPINE ULNA ULNARADIUS "
    "UPPERARM URETER URETHRA UTERUS VAGINA VULVA WHOLEBODY WRIST ZYGOMA".split()
)

#: Share of coloured pixels above which a picture is a colour picture.
MAX_COLOUR_SHARE = 0.01


@dataclass(frozen=True, slots=True)
class Intake:
    """The decision on one image."""

    refusal: str | None
    """Why the image is refused, in words; None when it is accepted."""

    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Finding:
    rule: str
    """Name out of INTAKE_RULES, or "" for a rule that cannot be relaxed."""

    text: str
    refuses: bool = True


def examine(facts: HeaderFacts, settings: IntakeSettings) -> Intake:
    """Accept, or refuse with the first reason; every doubt becomes a warning."""
    warnings = []
    for finding in _findings(facts, settings):
        if not finding.refuses:
            warnings.append(finding.text)
        elif finding.rule in settings.relaxed:
            warnings.append(f"accepted by setting although: {finding.text}")
        else:
            return Intake(finding.text, tuple(warnings))
    return Intake(None, tuple(warnings))


def _findings(facts: HeaderFacts, settings: IntakeSettings) -> Iterator[_Finding]:
    if facts.container == "dicom":
        yield from _modality(facts)
        yield from _body_part(facts)
        yield from _view(facts)
        if facts.presentation_intent == "FOR PROCESSING" or facts.sop_class_uid in _FOR_PROCESSING_CLASSES:
            yield _Finding("for_processing", "FOR PROCESSING image; send its FOR PRESENTATION twin")
        if not facts.has_pixels:
            yield _Finding("", "object without pixel data")
    else:
        yield _Finding("", f"{facts.container.upper()} picture without DICOM header: body part, view unknown", False)
    if facts.frames > 1:
        yield _Finding("", f"multi-frame object of {facts.frames} frames; a single-frame radiograph is needed")
    if min(facts.rows, facts.columns) < settings.min_side:
        size = f"{facts.rows} x {facts.columns} pixels"
        yield _Finding("", f"image of {size}; at least {settings.min_side} on either side are needed")
    if facts.colour_share > MAX_COLOUR_SHARE:
        yield _Finding("", f"colour picture ({100 * facts.colour_share:.0f} % of its pixels); a radiograph is grey")
    if facts.lossy:
        yield _Finding("", "lossy compressed", False)
    if facts.age_years is None:
        yield _Finding("", "patient age unknown", False)


def _modality(facts: HeaderFacts) -> Iterator[_Finding]:
    if facts.modality in RADIOGRAPHY or (facts.modality in CAPTURE and _is_chest(facts)):
        return
    if facts.modality is None and facts.sop_class_uid in _RADIOGRAPH_CLASSES:
        yield _Finding("modality", "Modality missing, taken as radiography from the SOP class", False)
    elif facts.modality in CAPTURE:
        yield _Finding("modality", f"Modality {facts.modality} without Body Part Examined CHEST")
    else:
        yield _Finding("modality", f"Modality {_modality_shown(facts.modality)}; CR, DX or RG is needed")


def _body_part(facts: HeaderFacts) -> Iterator[_Finding]:
    if _is_chest(facts):
        return
    part, region = facts.body_part, facts.anatomic_region
    if part is None and region is not None:
        meaning = _meaning(region, "cid4031")
        if meaning is not None:
            yield _Finding("body_part", f"Anatomic Region {meaning}; the chest is needed")
        else:
            yield _Finding("body_part", "body part unknown (Anatomic Region of unknown code)", False)
    elif part is None:
        yield _Finding("body_part", "body part unknown (Body Part Examined missing)", False)
    elif _is_other_part(part):
        yield _Finding("body_part", f"Body Part Examined {_shown(part)}; CHEST is needed")
    else:
        yield _Finding("body_part", "body part unknown (Body Part Examined is no defined term)", False)


def _is_chest(facts: HeaderFacts) -> bool:
    if facts.body_part is not None:
        named = re.match(r"(CHEST|THORAX|LUNGS?)(?![A-Z])", facts.body_part) is not None
        return named and not _is_other_part(facts.body_part)
    return facts.anatomic_region is not None and facts.anatomic_region[0] in _CHEST_CODES


def _is_other_part(part: str) -> bool:
    """CHEST ABDOMEN is CHESTABDOMEN, which shows more than a chest."""
    return re.sub(r"[^A-Z]", "", part) in _OTHER_PARTS


def _meaning(code: tuple[str, str], group: Literal["cid4010", "cid4031"]) -> str | None:
    """The meaning of a code of CID 4010 DX View or CID 4031 Common Anatomic Region (PS3.16), else None.

    As SNOMED CT, or as a retired SNOMED code, which pydicom maps. The sender's own Code Meaning may say anything.
    """
    from pydicom.sr.codedict import codes
    from pydicom.sr.coding import Code

    value, scheme = code
    sought = Code(value, "SRT" if scheme in _RETIRED_SCHEMES else scheme, "")
    return next((concept.meaning for concept in getattr(codes, group).concepts.values() if concept == sought), None)


def _view(facts: HeaderFacts) -> Iterator[_Finding]:
    position = re.sub(r"[^A-Z]", "", facts.view_position or "")
    code = facts.view_code
    frontal_position = position in _FRONTAL_POSITIONS
    frontal_code = code is not None and code[0] in _FRONTAL_CODES
    meaning = None if code is None or frontal_code else _meaning(code, "cid4010")
    if position in _OTHER_POSITIONS:
        yield _view_refusal(_OTHER_POSITIONS[position], f"View Position {position}")
    elif meaning is not None and code is not None and not frontal_position:
        yield _view_refusal(meaning, f"View Code {_shown(code[0])}")
    elif meaning is not None:
        yield _Finding("view", f"View Position {position} contradicts the View Code ({meaning})", False)
    elif not frontal_position and not frontal_code:
        yield _Finding("view", "view unknown (neither View Position nor View Code Sequence says PA or AP)", False)


def _view_refusal(view: str, source: str) -> _Finding:
    return _Finding("view", f"{view} view ({source}); a frontal film, PA or AP, is needed")


def _modality_shown(value: str | None) -> str:
    return _shown(value) if value is None or value in _MODALITIES else "of no defined term"


def _shown(value: str | None) -> str:
    """A coded value as it may stand in a log: short, and nothing but the characters of a Code String."""
    return "missing" if value is None else re.sub(r"[^A-Z0-9 _.\-]", "?", value)[:16]
