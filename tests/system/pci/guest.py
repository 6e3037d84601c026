# SPDX-License-Identifier: BSD-3-Clause
"""A QEMU guest with an IOMMU: booted in a network namespace, driven by command lines over a serial port."""

import os
import re
import socket
import subprocess
import tempfile
import time

NICS = {
    "e1000": "e1000",
    "virtio": "virtio-net-pci,iommu_platform=on,disable-legacy=on",
}
FIRST_SLOT = 3


class GuestError(RuntimeError):
    """The guest did not do in time what it was told; carries the end of its console."""


class Guest:
    """Each NIC is (kind, tap name, MAC); the n-th stands in the guest at PCI address 0000:00:(3+n).0. Those without a tap share a hub."""

    def __init__(self, namespace, image, nics, memory=1408, cpus=2):
        self.work = tempfile.TemporaryDirectory(prefix="turnpike-guest-")
        self.console = os.path.join(self.work.name, "console")
        agent = os.path.join(self.work.name, "agent")
        command = [
            "ip", "netns", "exec", namespace, "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max",
            "-machine", "q35,kernel-irqchip=split", "-device", "intel-iommu,intremap=on,caching-mode=on",
            "-smp", str(cpus), "-m", str(memory), "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-kernel", os.path.join(image, "vmlinuz"), "-initrd", os.path.join(image, "initramfs.gz"),
            "-append", "console=ttyS0 intel_iommu=on panic=-1 quiet",
            "-serial", f"file:{self.console}", "-serial", f"unix:{agent},server=on,wait=off",
        ]
        for index, (kind, tap, mac) in enumerate(nics):
            cable = f"tap,id=n{index},ifname={tap},script=no,downscript=no" if tap else f"hubport,id=n{index},hubid=0"
            command += ["-netdev", cable,
                        "-device", f"{NICS[kind]},netdev=n{index},mac={mac},addr=0x{FIRST_SLOT + index:x}"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.sequence = 0
        self.pending = b""
        try:
            self.agent = self._connect(agent, time.monotonic() + 20)
            self._read_until("ready", time.monotonic() + 120)
        except Exception:
            self.stop()
            raise

    def _connect(self, path, deadline):
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise GuestError(f"qemu ended: {self.process.stderr.read().decode()}")
            try:
                agent = socket.socket(socket.AF_UNIX)
                agent.connect(path)
                return agent
            except OSError:
                agent.close()
                time.sleep(0.1)
        raise GuestError("qemu made no serial port")

    def _read_until(self, mark, deadline):
        pattern = re.compile(rb"@@%s (\d+)\r?\n" % mark.encode())
        while not (match := pattern.search(self.pending)):
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise GuestError(f"guest silent; console:\n{self.console_tail()}\noutput so far: {self.pending!r}")
            self.agent.settimeout(remaining)
            try:
                chunk = self.agent.recv(65536)
            except TimeoutError:
                continue
            if not chunk:
                raise GuestError(f"guest ended; console:\n{self.console_tail()}")
            self.pending += chunk
        output, self.pending = self.pending[: match.start()], self.pending[match.end():]
        return int(match.group(1)), output.decode(errors="replace").replace("\r\n", "\n")

    def console_tail(self, lines=40):
        try:
            with open(self.console, errors="replace") as console:
                return "".join(console.readlines()[-lines:])
        except OSError:
            return ""

    def run(self, command, timeout=60, check=True):
        """Runs one shell command line in the guest; gives its output (stdout and stderr together)."""
        self.sequence += 1
        self.agent.sendall(f"{self.sequence} {command}\n".encode())
        code, output = self._read_until(str(self.sequence), time.monotonic() + timeout)
        if check and code != 0:
            raise GuestError(f"guest: `{command}` gave {code}:\n{output}")
        return output

    def wait_for(self, command, timeout):
        """Repeats a command until it succeeds; gives its output."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                return self.run(command, timeout=max(deadline - time.monotonic(), 1))
            except GuestError:
                if time.monotonic() >= deadline or self.process.poll() is not None:
                    raise
                time.sleep(0.2)

    def bind_vfio(self, count, hugepages=288):
        """Gives every NIC to vfio-pci and reserves 2 MiB hugepages; gives the NICs' PCI addresses."""
        addresses = [f"0000:00:{FIRST_SLOT + index:02x}.0" for index in range(count)]
        self.run(f"echo {hugepages} >/proc/sys/vm/nr_hugepages")
        for address in addresses:
            device = f"/sys/bus/pci/devices/{address}"
            self.run(f"echo vfio-pci >{device}/driver_override && echo {address} >/sys/bus/pci/drivers_probe")
            self.run(f"test -e {device}/iommu_group && test -e /sys/bus/pci/drivers/vfio-pci/{address}")
        return addresses

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stderr.close()
        if hasattr(self, "agent"):
            self.agent.close()
        self.work.cleanup()
