"""The way in for a class: the address of this machine in its network, and a QR code of it, for the terminal."""

import io
import os
import socket

import segno

EVERYWHERE = ("0.0.0.0", "::", "")
WITHOUT_HTTPS = (
    "Browsers give the camera to secure pages only. Over http:// a class can choose photos; for the camera, start\n"
    "with --ssl-certfile and --ssl-keyfile, as --help says."
)


def own_address() -> str | None:
    """This machine's address in its local network, or None if it is in none. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("10.255.255.255", 1))  # only asks which way a packet would go
            found = probe.getsockname()[0]
        except OSError:
            return None
    return None if found.startswith("127.") or found == "0.0.0.0" else found


def invitation(bound: str, port: int, secure: bool) -> str:
    """What to show a class when the server listens at `bound`; empty if other machines cannot reach it."""
    if os.environ.get("SPACE_ID"):
        return ""  # it listens everywhere, and its visitors come by its own address
    address = own_address() if bound.strip("[]") in EVERYWHERE else bound
    if address is None or address in ("localhost", "::1") or address.startswith("127."):
        return ""
    host = f"[{address}]" if ":" in address.strip("[]") else address
    url = f"http{'s' if secure else ''}://{host}:{port}/"
    drawn = io.StringIO()
    segno.make(url, error="m").terminal(drawn, border=2, compact=True)
    return f"{drawn.getvalue()}* For a class in this network: {url}" + ("" if secure else f"\n{WITHOUT_HTTPS}")
