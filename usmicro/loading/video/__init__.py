"""Video files, decoded by the FFmpeg in OpenCV."""
