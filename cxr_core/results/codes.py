"""Every code that result objects hold, with where it is defined. A test looks each of them up.

Meanings are those of PS3.16; dciodvfy compares none of them.
"""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from cxr_core.bundle import Label

# PS3.16 TID 1500 and what it includes. Codes that highdicom's templates write themselves are not repeated here.
REPORT_TITLE = Code("126000", "DCM", "Imaging Measurement Report")  # CID 7021
LANGUAGE = Code("en-US", "RFC5646", "English (United States)")  # CID 5000
DEVICE = Code("121007", "DCM", "Device")  # CID 270
PROCEDURE_REPORTED = Code("121058", "DCM", "Procedure reported")  # TID 1500
CHEST_IMAGING = Code("413815006", "SCT", "Chest imaging")
IMAGING_MEASUREMENTS = Code("126010", "DCM", "Imaging Measurements")  # TID 1500
QUALITATIVE_EVALUATIONS = Code("C0034375", "UMLS", "Qualitative Evaluations")  # TID 1500

# One measurement group (TID 1501).
CHEST = Code("816094009", "SCT", "Chest")  # CID 4031
CERTAINTY = Code("111012", "DCM", "Certainty of Finding")  # CID 6048; 111013 is Certainty of Impression
PERCENT = Code("%", "UCUM", "Percent")  # CID 83
INTERPRETATION = Code("363713009", "SCT", "Has interpretation")
POSITIVE = Code("10828004", "SCT", "Positive")  # CID 250
NEGATIVE = Code("260385009", "SCT", "Negative")  # CID 250
INDETERMINATE = Code("82334004", "SCT", "Indeterminate")  # CID 4220
COMMENT = Code("121106", "DCM", "Comment")
SOURCE_OF_MEASUREMENT = Code("121112", "DCM", "Source of Measurement")  # CID 7551

#: Purpose of Reference Code of the source image of a Secondary Capture.
SOURCE_IMAGE = Code("121322", "DCM", "Source image for image processing operation")  # CID 7202

#: Coding Scheme Designator of what no standard names: why a verdict was withheld, labels without a code. "99" marks
#: a private scheme (PS3.16 section 8.2).
PRIVATE_SCHEME = "99CXRASSISTANT"
WITHHELD_DOMAIN = Code("WITHHELD_DOMAIN", PRIVATE_SCHEME, "Verdict withheld: image out of the model's domain")
WITHHELD_POPULATION = Code("WITHHELD_PATIENT", PRIVATE_SCHEME, "Verdict withheld: model not validated for this patient")


def private_scheme() -> Dataset:
    """The item of Coding Scheme Identification Sequence that declares our scheme (PS3.3 C.12.1.1.4.2)."""
    item = Dataset()
    item.CodingSchemeDesignator = PRIVATE_SCHEME
    item.CodingSchemeName = "CXR assistant: withheld verdicts, labels of models"
    item.CodingSchemeResponsibleOrganization = "CXR assistant"
    return item


def finding_of(label: Label) -> Code:
    """The concept of a label: the bundle's code, or the label itself in our own scheme."""
    if label.code is not None:
        return Code(label.code.value, label.code.scheme, label.code.meaning)
    return Code(label.name, PRIVATE_SCHEME, label.meaning[:64])


def code_item(code: Code) -> Dataset:
    """A code as an item of a code sequence (PS3.3 Table 8.8-1)."""
    item = Dataset()
    item.CodeValue = code.value
    item.CodingSchemeDesignator = code.scheme_designator
    item.CodeMeaning = code.meaning
    return item
