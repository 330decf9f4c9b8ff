"""By what our virtual camera is known: publishing gives it these marks, and capturing leaves what bears them alone."""

from __future__ import annotations

NAME = "Greenroom"
"""What people see in their list of cameras."""

LOOPBACK_DRIVER = "v4l2 loopback"
"""The kernel module that makes a camera of what a program writes."""
