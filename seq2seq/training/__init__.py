"""Networks of the literature trained on a data set, where it is; weights that `run` takes."""
