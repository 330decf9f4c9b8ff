"""The networks' definitions (torch). Only these, the training and the evaluation may import torch."""
