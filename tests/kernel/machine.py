"""A guest with Debian's kernel, emulated: a camera (vivid), a loopback device, and the host's files under it.

The kernel, its headers and the source of v4l2loopback are fetched as Debian packages and unpacked into build/kernel; on
the host nothing is installed and no module is loaded. The guest's root is the host's, read-only, with a layer of memory
on top, so that the virtual environment and every program of the host run in it.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "kernel"
HERE = Path(__file__).resolve().parent

MEMORY, PROCESSORS = 4096, 2
"""MB for the guest, of which Chromium and the layer of memory need most; as many processors as a small host has."""

VIVID = "n_devs=1 vid_cap_nr=0 num_inputs=1 input_types=0 node_types=0x1 no_error_inj=1"
"""One webcam at /dev/video0 and nothing else."""

OWN = ("/tmp", "/run", "/dev", "/proc", "/sys")
"""What the guest mounts over the host's."""

LOOPBACK = (ROOT / "packaging" / "linux" / "modprobe.d" / "greenroom-v4l2loopback.conf").read_text()
"""The loopback device as it is set up for users."""

_DRIVERS = ("virtio_pci", "9pnet_virtio", "9p", "overlay", "virtio_rng", "vivid", "v4l2loopback")


@dataclass(frozen=True)
class Machine:
    """A guest that can be booted.

    Attributes:
        kernel, initramfs: what it boots.
    """

    kernel: Path
    initramfs: Path

    def run(self, job: str, out: Path, seconds: float) -> str:
        """Boot, run a shell script as root in the project's folder, and power off; returns the console's text.

        Args:
            job: the script.
            out: this folder is /run/out in the guest.
            seconds: until the guest is ended by force.

        Raises:
            subprocess.TimeoutExpired: it took longer.
        """
        (out / "job").write_text(_JOB.format(root=ROOT, job=job))
        shares = []
        for tag, path, access in (("root", "/", ",readonly=on,multidevs=remap"), ("out", out, "")):
            shares += ["-fsdev", f"local,id={tag},path={path},security_model=none{access}"]
            shares += ["-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag}"]
        options = "console=ttyS0 quiet loglevel=3 panic=-1 mitigations=off nokaslr no_timer_check"
        command = ["qemu-system-x86_64", "-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max"]
        command += ["-smp", str(PROCESSORS), "-m", str(MEMORY), "-nodefaults", "-nographic", "-serial", "stdio"]
        command += ["-no-reboot", "-kernel", str(self.kernel), "-initrd", str(self.initramfs), "-append", options]
        command += [*shares, "-device", "virtio-rng-pci"]
        console = out / "console.log"
        with console.open("wb") as log:
            subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=seconds, check=True)
        return console.read_text(errors="replace")


_JOB = """export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp LANG=C.UTF-8
cd {root}
{job}
sync
echo o >/proc/sysrq-trigger
sleep 60
"""


def build() -> Machine:
    """Fetch and build what the guest boots; what is there already is used again.

    Raises:
        subprocess.CalledProcessError: a package cannot be fetched, or the module cannot be built.
        RuntimeError: the guest would not see the project.
    """
    if hidden := [folder for folder in OWN if ROOT.is_relative_to(folder)]:
        raise RuntimeError(f"the guest has a {hidden[0]} of its own, which hides {ROOT}: clone the project elsewhere")
    version = _depends("linux-image-amd64", r"linux-image-(\S+)")
    folder = BUILD / version
    machine = Machine(folder / "boot" / f"vmlinuz-{version}", folder / "initramfs")
    sources = [HERE / "init", Path(__file__), ROOT / "packaging/linux/modprobe.d/greenroom-v4l2loopback.conf"]
    if machine.initramfs.exists() and all(s.stat().st_mtime < machine.initramfs.stat().st_mtime for s in sources):
        return machine
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        _unpack(version, folder)
        _build_loopback(version, folder)
        (folder / "complete").touch()
    _pack(version, folder, machine.initramfs)
    return machine


def _unpack(version: str, folder: Path) -> None:
    headers = f"linux-headers-{version}"
    packages = [f"linux-image-{version}", headers, "v4l2loopback-dkms"]
    packages += [_depends(headers, r"(linux-headers-\S+-common)"), _depends(headers, r"(linux-kbuild-\S+)")]
    subprocess.run(["apt-get", "download", "-q=2", *packages], cwd=folder, check=True)
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg-deb", "--extract", package, folder], check=True)
        package.unlink()


def _build_loopback(version: str, folder: Path) -> None:
    source = next((folder / "usr" / "src").glob("v4l2loopback-*"))
    headers = folder / "usr" / "src" / f"linux-headers-{version}"
    makefile = headers / "Makefile"
    # It names the headers that all variants share by where they would be installed.
    makefile.write_text(re.sub(r"(?m)^include /usr", f"include {folder}/usr", makefile.read_text()))
    make = ["make", "-s", "-C", str(headers), f"M={source}", "modules"]
    subprocess.run(make, check=True)
    shutil.copy(source / "v4l2loopback.ko", folder / "lib" / "modules" / version)
    subprocess.run(["/sbin/depmod", "-b", str(folder), version], check=True)


def _pack(version: str, folder: Path, initramfs: Path) -> None:
    """Make the initramfs: busybox, the modules in the order in which they load, and `init`."""
    tree = folder / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    for name in ("bin", "proc", "sys", "dev", "new", "lower", "layer", "modules"):
        (tree / name).mkdir(parents=True)
    shutil.copy("/bin/busybox", tree / "bin")
    (tree / "bin" / "sh").symlink_to("busybox")
    shutil.copy(HERE / "init", tree / "init")
    (tree / "init").chmod(0o755)
    files: dict[Path, None] = {}
    for driver in _DRIVERS:
        show = ["/sbin/modprobe", "-d", str(folder), "-S", version, "--show-depends", "--ignore-install", driver]
        shown = subprocess.run(show, check=True, capture_output=True, text=True).stdout
        files |= {Path(line.split()[1]): None for line in shown.splitlines() if line.startswith("insmod")}
    loopback = re.search(r"(?m)^options v4l2loopback (.*)$", LOOPBACK)
    assert loopback, "the modprobe file sets no options"
    options = {"vivid.ko": VIVID, "v4l2loopback.ko": loopback[1]}
    order = ""
    for file in files:
        shutil.copy(file, tree / "modules")
        order += f"{file.name} {options.get(file.name, '')}\n"
    (tree / "modules" / "order").write_text(order)
    pack = f"find . | cpio --quiet -o -H newc | gzip -1 >{initramfs}.new && mv {initramfs}.new {initramfs}"
    subprocess.run(["sh", "-c", pack], cwd=tree, check=True)


def _depends(package: str, pattern: str) -> str:
    """The name (or its part in brackets) of what a package depends on."""
    listed = subprocess.run(["apt-cache", "depends", package], check=False, capture_output=True, text=True)
    found = re.search(rf"Depends: {pattern}", listed.stdout)
    if not found:
        raise RuntimeError(f"apt knows no {package}. This test needs Debian on x86-64; try: apt-get update")
    return found[1]
