"""`python -m tests.isolated_network COMMAND …`: runs a command on a network of its own, whose every way out is counted.

The network has the loopback interface and one tunnel with the default route, to which nothing answers (Linux: tun(4),
network_namespaces(7)). Whatever a process sends beyond loopback, name look-ups and proxies included, arrives at the tunnel. The
last line on stderr is JSON with the destinations. It needs root.
"""

import fcntl
import ipaddress
import json
import os
import struct
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

_TUNSETIFF = 0x400454CA
_TUN_WITHOUT_HEADER = 0x0001 | 0x1000
_SET_UP = (
    "ip link set lo up && echo 1 >/proc/sys/net/ipv6/conf/out/disable_ipv6 && ip addr add 10.99.0.2/24 dev out && "
    "ip link set out up && ip route add default via 10.99.0.1"
)
PROXY = "http://10.99.0.9:3128"
"""What the command finds as its proxy: a library that obeys it is counted too."""


@dataclass(frozen=True)
class Counted:
    """How a command ended, and what it sent beyond loopback: packets by `address:port`."""

    code: int
    out: str
    err: str
    sent: dict[str, int]


def why_not() -> str:
    """Why no network can be made here; empty when one can."""
    if os.getuid() != 0:
        return "a network of its own needs root"
    if not Path("/dev/net/tun").exists():
        return "there is no /dev/net/tun"
    tried = subprocess.run(["unshare", "--net", "true"], capture_output=True, text=True, check=False)
    return tried.stderr.strip() if tried.returncode else ""


def run(command: list[str], environment: dict[str, str], timeout: float) -> Counted:
    """Run `command` there."""
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), PROXY)
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run(
        ["unshare", "--net", sys.executable, "-m", "tests.isolated_network", *command],
        capture_output=True,
        text=True,
        timeout=timeout,
        env=environment | proxies | {"PYTHONPATH": str(root)},
        check=False,
    )
    lines = done.stderr.strip().splitlines()
    return Counted(done.returncode, done.stdout, "\n".join(lines[:-1]), json.loads(lines[-1])["sent"])


def main() -> int:
    """Set the network up, run the command, and print what left."""
    tunnel = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
    fcntl.ioctl(tunnel, _TUNSETIFF, struct.pack("16sH", b"out", _TUN_WITHOUT_HEADER))
    subprocess.run(["sh", "-c", _SET_UP], check=True)
    sent: Counter[str] = Counter()
    threading.Thread(target=_count, args=(tunnel, sent), daemon=True).start()
    code = subprocess.run(sys.argv[1:], check=False).returncode
    print(json.dumps({"sent": sent}), file=sys.stderr)
    return code


def _count(tunnel: int, sent: "Counter[str]") -> None:
    while packet := os.read(tunnel, 65536):
        if packet[0] >> 4 == 4 and len(packet) >= 20:
            start = (packet[0] & 15) * 4
            port = struct.unpack_from(">H", packet, start + 2)[0] if len(packet) >= start + 4 else 0
            sent[f"{ipaddress.ip_address(packet[16:20])}:{port}"] += 1


if __name__ == "__main__":
    sys.exit(main())
