"""The verb that answers programs over the network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from kinjo.cli.common import say


def serve(
    model: Annotated[
        Path | None, typer.Argument(help="What 'kinjo learn' or 'kinjo export' wrote; empty: kinjo-base.")
    ] = None,
    host: Annotated[str, typer.Option(help="Where to listen; 0.0.0.0: at all addresses, with a token.")]
    = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen at.")] = 8000,
    data: Annotated[Path | None, typer.Option(help="Folder whose recordings and corpora requests may name.")] = None,
    token: Annotated[
        str | None, typer.Option(envvar="KINJO_TOKEN", help="What clients have to know; made where it is needed.")
    ] = None,
    profiles: Annotated[Path, typer.Option(help="The file that keeps what is taught.")] = Path("kinjo-profiles.sqlite"),
    max_upload_mb: Annotated[float, typer.Option(min=0.001, help="Largest body of a request.")] = 64.0,
    rate: Annotated[float, typer.Option(min=0.0, help="Requests a second of one client; 0: any number.")] = 20.0,
    max_clients: Annotated[int, typer.Option(min=1, help="WebSockets at once.")] = 256,
    workers: Annotated[int, typer.Option(min=1, help="Requests that are computed at once.")] = 2,
    allow_host: Annotated[
        list[str] | None, typer.Option(help="Another name of this machine, where no token is asked for.")
    ] = None,
) -> None:  # fmt: skip
    """Recognise, teach and search over HTTP, and stream over WebSocket. OpenAPI is at /openapi.json."""
    from kinjo.studio.app import create_app
    from kinjo.studio.serve import serve as run
    from kinjo.studio.settings import Settings, made_token

    settings = Settings(
        model, host, port, data, profiles, token or None, tuple(allow_host or ()), max_upload_mb, rate,
        clients=max_clients, workers=workers,
    )  # fmt: skip
    made = settings.token is None and not settings.loopback
    if made:
        settings = replace(settings, token=made_token())
    app = create_app(settings)

    def started() -> None:
        known = app.state.hub.base
        say(f"kinjo serves {len(known.labels)} activities at http://{host}:{port}, profiles in {profiles}")
        if made:
            say(f"token (shown this once; --token or KINJO_TOKEN sets your own): {settings.token}")

    run(app, settings, started=started)
