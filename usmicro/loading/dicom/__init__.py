"""DICOM files and DICOMweb addresses."""
