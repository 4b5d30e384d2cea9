"""Loading of DICOM files and of instances on a DICOMweb server."""
