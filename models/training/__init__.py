"""The recipe that makes the weights: prepare (labels) → train → export. See the model cards for the commands."""
