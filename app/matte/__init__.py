"""From the network's mask to an alpha at frame size: steadied in time, refined along the frame's edges.

    mask (h, w) float32 ──► temporal.steady ──► refine.Refiner ──► alpha (H, W) uint8

State that survives a frame (`temporal.Memory`) is passed in and returned.
"""
