"""What the demo is started with: its options, checked before anything is loaded, and the names that it answers to."""

import argparse
import importlib.util
import os
import socket
import ssl

from train.task import UsageError

PORT = 7860
CAMERA = """\
Why https: Browsers give the camera to secure pages only, which are those on this machine (http://127.0.0.1) and those
by https. Other machines, such as a class's phones, can choose photos over http; for their cameras make a certificate
  openssl req -x509 -newkey rsa:2048 -nodes -days 90 -subj /CN=class -keyout key.pem -out cert.pem
and start with
  python -m demo --host 0.0.0.0 --ssl-certfile cert.pem --ssl-keyfile key.pem
Browsers warn of a certificate that nobody vouches for: choose to go on."""


def read_options(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line's options: host, port, share, ssl_certfile, ssl_keyfile, root_path, mcp.

    Raises UsageError for what the server could not start with.
    """
    parser = argparse.ArgumentParser(
        prog="python -m demo", description="Start the demo in the browser.", epilog=CAMERA,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--port", type=int, help=f"default: GRADIO_SERVER_PORT, else {PORT}")
    parser.add_argument("--host", help="default: GRADIO_SERVER_NAME, else 127.0.0.1; 0.0.0.0 lets a class in")
    parser.add_argument("--share", action="store_true", help="a public link through Gradio's servers, for 72 hours")
    parser.add_argument("--ssl-certfile", help="serve https, which a camera needs on other machines")
    parser.add_argument("--ssl-keyfile", help="the certificate's key")
    parser.add_argument("--root-path", help="the path under which a proxy shows the demo, such as /digits (default: "
                        "GRADIO_ROOT_PATH)")  # fmt: skip
    parser.add_argument("--mcp", action="store_true", help="the readers as tools for programs, by MCP")
    options = parser.parse_args(arguments)
    if options.mcp and not importlib.util.find_spec("mcp"):
        raise UsageError("--mcp needs one more package: pip install 'gradio[mcp]'")
    options.host = options.host or os.environ.get("GRADIO_SERVER_NAME") or "127.0.0.1"
    options.root_path = _root_path(options.root_path or os.environ.get("GRADIO_ROOT_PATH", ""))
    options.port = _port(options.port)
    _check_free(options.host, options.port)
    _check_certificate(options.ssl_certfile, options.ssl_keyfile)
    return options


def _port(port: int | None) -> int:
    try:
        port = port if port is not None else int(os.environ.get("GRADIO_SERVER_PORT") or PORT)
    except ValueError:
        port = 0
    if not 0 < port < 65536:
        raise UsageError("the port must be a whole number from 1 to 65535")
    return port


def _check_free(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise UsageError(
                f"port {port} on {host} cannot be used ({error.strerror}); try --port {port + 1}"
            ) from None


def _root_path(path: str) -> str:
    path = path.rstrip("/")
    if path and (not path.startswith("/") or path.startswith("//") or set(path) & set("?#%\\ ")):
        raise UsageError(f"--root-path must be a path such as /digits, not {path}")
    return path


def _check_certificate(certificate: str | None, key: str | None) -> None:
    if key and not certificate:
        raise UsageError("--ssl-keyfile goes with --ssl-certfile")
    if not certificate:
        return
    for file in filter(None, (certificate, key)):
        try:
            open(file, "rb").close()
        except OSError as error:
            raise UsageError(f"{file} cannot be read: {error.strerror}") from None
    try:  # nobody is asked for a password, for nobody may be there to answer
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key, lambda: "")
    except (OSError, ValueError) as error:
        pair = f"{certificate} and {key} are no certificate and its key" if key else f"{certificate} has no key"
        reason = getattr(error, "reason", None)
        why = f" ({reason.replace('_', ' ').lower()})" if reason else ""
        raise UsageError(f"{pair}, in PEM and without a password{why}") from None


def names_of(bound: str) -> set[str]:
    """The Host names that a server at `bound` answers to; "*" stands for all addresses of this machine.

    More, such as a proxy's, come from DIGITS_AND_SIGNS_HOSTS, parted by commas.
    """
    names = {name.strip().lower() for name in os.environ.get("DIGITS_AND_SIGNS_HOSTS", "").split(",")} - {""}
    if space := os.environ.get("SPACE_HOST"):
        names.add(space.lower())
    bare = bound.strip("[]").lower()
    if bare in ("0.0.0.0", "::", ""):
        names |= {"*", "0.0.0.0", "[::]"}
    elif bare not in ("127.0.0.1", "localhost", "::1"):
        names |= {bare, f"[{bare}]"}
    return names
