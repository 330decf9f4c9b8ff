"""The four calls of Linux's V4L2 that a writer needs, and their structures.

The structures are those of `linux/videodev2.h`, which never change (they are the kernel's interface).
"""

from __future__ import annotations

import ctypes
import fcntl

CAP_VIDEO_OUTPUT = 0x2
YU12 = int.from_bytes(b"YU12", "little")
"""V4L2_PIX_FMT_YUV420: planar Y, U, V, what others call I420."""

_CAP_DEVICE_CAPS = 0x80000000
_BUF_TYPE_VIDEO_OUTPUT = 2
_FIELD_NONE = 1
_COLORSPACE_SRGB = 8
_YCBCR_ENC_601 = 1
_QUANTIZATION_LIM_RANGE = 2

_WRITE, _READ = 1, 2


class v4l2_capability(ctypes.Structure):
    """What a node is and can."""

    _fields_ = (
        ("driver", ctypes.c_char * 16),
        ("card", ctypes.c_char * 32),
        ("bus_info", ctypes.c_char * 32),
        ("version", ctypes.c_uint32),
        ("capabilities", ctypes.c_uint32),
        ("device_caps", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32 * 3),
    )

    @property
    def in_force(self) -> int:
        """The capabilities of this node; `capabilities` may be those of all nodes of the hardware."""
        caps: int = self.device_caps if self.capabilities & _CAP_DEVICE_CAPS else self.capabilities
        return caps

    @property
    def label(self) -> str:
        """The name that people see."""
        card: bytes = self.card
        return card.decode("utf-8", "replace")


class v4l2_pix_format(ctypes.Structure):
    """Size and layout of a picture."""

    _fields_ = (
        ("width", ctypes.c_uint32),
        ("height", ctypes.c_uint32),
        ("pixelformat", ctypes.c_uint32),
        ("field", ctypes.c_uint32),
        ("bytesperline", ctypes.c_uint32),
        ("sizeimage", ctypes.c_uint32),
        ("colorspace", ctypes.c_uint32),
        ("priv", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("ycbcr_enc", ctypes.c_uint32),
        ("quantization", ctypes.c_uint32),
        ("xfer_func", ctypes.c_uint32),
    )


class _format_union(ctypes.Union):
    # Other members hold pointers, so the union is aligned like one.
    _fields_ = (("pix", v4l2_pix_format), ("raw", ctypes.c_uint8 * 200), ("pointer", ctypes.c_void_p))


class v4l2_format(ctypes.Structure):
    """A picture format of one queue."""

    _fields_ = (("type", ctypes.c_uint32), ("fmt", _format_union))


class _fract(ctypes.Structure):
    _fields_ = (("numerator", ctypes.c_uint32), ("denominator", ctypes.c_uint32))


class _outputparm(ctypes.Structure):
    _fields_ = (
        ("capability", ctypes.c_uint32),
        ("outputmode", ctypes.c_uint32),
        ("timeperframe", _fract),
        ("extendedmode", ctypes.c_uint32),
        ("writebuffers", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32 * 4),
    )


class _parm_union(ctypes.Union):
    _fields_ = (("output", _outputparm), ("raw", ctypes.c_uint8 * 200))


class v4l2_streamparm(ctypes.Structure):
    """Rate of one queue."""

    _fields_ = (("type", ctypes.c_uint32), ("parm", _parm_union))


def _request(direction: int, number: int, size: int) -> int:
    return direction << 30 | size << 16 | ord("V") << 8 | number


QUERYCAP = _request(_READ, 0, ctypes.sizeof(v4l2_capability))
S_FMT = _request(_READ | _WRITE, 5, ctypes.sizeof(v4l2_format))
STREAMON = _request(_WRITE, 18, ctypes.sizeof(ctypes.c_int))
S_PARM = _request(_READ | _WRITE, 22, ctypes.sizeof(v4l2_streamparm))


def query(handle: int) -> v4l2_capability:
    """What an open node is.

    Raises:
        OSError: it is no video node.
    """
    capability = v4l2_capability()
    fcntl.ioctl(handle, QUERYCAP, capability)
    return capability


def set_output_format(handle: int, width: int, height: int) -> v4l2_pix_format:
    """Ask for I420 pictures of a size on the output queue; the answer is what the driver decided.

    Raises:
        OSError: the node has no output queue, or another program holds its format.
    """
    wanted = v4l2_format(type=_BUF_TYPE_VIDEO_OUTPUT)
    pix = wanted.fmt.pix
    pix.width, pix.height, pix.pixelformat, pix.field = width, height, YU12, _FIELD_NONE
    pix.bytesperline, pix.sizeimage = width, width * height * 3 // 2
    pix.colorspace, pix.ycbcr_enc, pix.quantization = _COLORSPACE_SRGB, _YCBCR_ENC_601, _QUANTIZATION_LIM_RANGE
    fcntl.ioctl(handle, S_FMT, wanted)
    decided: v4l2_pix_format = wanted.fmt.pix
    return decided


def set_output_rate(handle: int, fps: float) -> None:
    """Tell readers how many pictures a second to expect.

    Raises:
        OSError: the driver does not take it.
    """
    parm = v4l2_streamparm(type=_BUF_TYPE_VIDEO_OUTPUT)
    # Thousandths carry the rates of television (29.97) well enough.
    parm.parm.output.timeperframe.numerator, parm.parm.output.timeperframe.denominator = 1000, round(1000 * fps)
    fcntl.ioctl(handle, S_PARM, parm)


def start_output(handle: int) -> None:
    """Start the output queue.

    Raises:
        OSError: the driver refuses.
    """
    fcntl.ioctl(handle, STREAMON, ctypes.c_int(_BUF_TYPE_VIDEO_OUTPUT))
