"""The DICOM service that objects are sent to: who may send, how much, and what is answered."""
