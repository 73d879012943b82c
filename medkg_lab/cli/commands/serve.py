"""`medkg-lab serve | mcp`."""

import argparse
import sys
from pathlib import Path

from medkg_lab import exit_codes
from medkg_lab.cli.numbers import between
from medkg_lab.cli.output import print_json, print_note
from medkg_lab.errors import LabError


class StreamClosed(LabError):
    """The protocol goes over stdin and stdout, and one of them is closed. Let the client start `medkg-lab mcp` with both, or use
    `medkg-lab serve --mcp`."""

    exit_code = exit_codes.USAGE


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", common: argparse.ArgumentParser) -> None:
    """Add the commands."""
    serve = commands.add_parser("serve", parents=[common], help="offer the lab over HTTP (OpenAPI 3.1), until Ctrl-C")
    serve.add_argument("--host", default="127.0.0.1", help="where to listen (default 127.0.0.1); another needs TLS")
    serve.add_argument("--port", type=between(0, 65535), default=8642, help="the port, 0 for a free one (default 8642)")
    serve.add_argument("--tls-certificate", type=Path, metavar="FILE", help="the server's certificates, in PEM")
    serve.add_argument("--tls-key", type=Path, metavar="FILE", help="the key of the certificate, in PEM")
    serve.add_argument("--mcp", action="store_true", help="also serve MCP at /mcp")
    serve.add_argument("--openapi", action="store_true", help="print the API's description and end")
    serve.set_defaults(run=_serve)
    mcp = commands.add_parser(
        "mcp", parents=[common], help="serve MCP on stdin and stdout, for a client that starts it"
    )
    mcp.add_argument("--writes", action="store_true", help="also offer the tools that change something")
    mcp.set_defaults(run=_mcp)


def _serve(args: argparse.Namespace) -> int:
    from medkg_lab import process
    from medkg_lab.api import serve
    from medkg_lab.api.access import token_files
    from medkg_lab.locations import locate
    from medkg_lab.sdk.lab import Lab

    place = serve.Place(args.host, args.port, args.tls_certificate, args.tls_key)
    place.require_safe()
    lab, locations = Lab(args.home), locate(args.home)
    locations.create()
    access = serve.access_for(args.home)
    app = serve.application(lab, access, place)
    if args.mcp:
        from medkg_lab.mcp.http import mount

        mount(app, lab, access)
    if args.openapi:
        print_json(app.openapi())
        return exit_codes.OK
    lab.require_running()
    tokens = {scope.value: str(path) for scope, path in token_files(locations).items()}

    def ready(address: str) -> None:
        if args.json:
            print_json({"url": address, "tokens": tokens})
        print_note(f"serving {lab.home} at {address}; its description is at {address}/openapi.json")
        for scope, path in tokens.items():
            print_note(f"token for {scope}: {path}")

    stopping = process.Stopping()
    noting = None if access.log is None else access.log.start(stopping)
    try:
        serve.serve(app, place, ready)
    finally:
        stopping.stop()
        if noting is not None:
            noting.join(serve.NOTING_S)
    return exit_codes.OK


def _mcp(args: argparse.Namespace) -> int:
    from medkg_lab.mcp.server import make_server
    from medkg_lab.sdk.lab import Lab

    if sys.stdin is None or sys.stdout is None:
        raise StreamClosed()
    make_server(Lab(args.home, actor="mcp"), args.writes).run("stdio")
    return exit_codes.OK
