"""Programs that train the shipped models from public data sets and simulated scans.

They need the extra `train`. From a folder DATA with the data sets to the models, in this order:
`training.pictures DATA WORK`, then `training.masses`, `training.mass_confidence`, `training.ducts`,
`training.duct_confidence` and `training.nonmass`, each with WORK, then `training.labels` and
`training.confidence DATA`. `training.texture DATA` fits the model of texture on its own.
`training.false_alarm` prints a table for `usmicro.foci.false_alarm`.

Values that were "chosen by judgement" were not compared with other values in a recorded
measurement.
"""
