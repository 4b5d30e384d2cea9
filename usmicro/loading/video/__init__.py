"""Loading of video files and of video streams in DICOM files."""
