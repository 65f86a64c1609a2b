"""Where results go: a DICOM peer, a DICOMweb service, a folder. Each is asked and sent to in the same way."""
