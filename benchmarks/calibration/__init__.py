"""What calibration to a hospital gives that the models have not seen."""
