"""What leaves the program: pictures, reports, DICOM objects, anonymised copies."""
