"""The verb that opens a page for people."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kinjo.cli.common import say

if TYPE_CHECKING:
    from kinjo.studio.settings import Settings


def studio(
    model: Annotated[
        Path | None, typer.Argument(help="What 'kinjo learn' or 'kinjo export' wrote; empty: kinjo-base.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Folder whose recordings and corpora can be opened.")] = None,
    host: Annotated[str, typer.Option(help="Where to listen; 0.0.0.0: at all addresses, with a token.")]
    = "127.0.0.1",
    lan: Annotated[
        bool, typer.Option("--lan", help="For phones of this network: at all addresses, over HTTPS, with a token.")
    ] = False,
    https: Annotated[
        bool, typer.Option("--https", help="Over HTTPS; the certificate is made on the first run.")
    ] = False,
    certificate: Annotated[
        Path | None, typer.Option(help="Over HTTPS with this certificate: a PEM file of it and its key.")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen at.")] = 8080,
    token: Annotated[
        str | None, typer.Option(envvar="KINJO_TOKEN", help="What visitors have to know; made where it is needed.")
    ] = None,
    profiles: Annotated[Path, typer.Option(help="The file that keeps what is taught and labelled.")] = Path(
        "kinjo-profiles.sqlite"
    ),
    max_upload_mb: Annotated[float, typer.Option(min=0.001, help="Largest file that is sent.")] = 4096.0,
    show: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in a browser.")] = True,
    allow_host: Annotated[
        list[str] | None, typer.Option(help="Another name of this machine, where no token is asked for.")
    ] = None,
) -> None:  # fmt: skip
    """Look at recordings in a browser: all streams on one axis of time, recognised, taught and labelled there."""
    from kinjo.studio.app import create_app
    from kinjo.studio.certificate import fingerprint, kept, names, own
    from kinjo.studio.pages import mount
    from kinjo.studio.serve import serve as run
    from kinjo.studio.settings import Settings, is_loopback, made_token

    if lan and is_loopback(host):
        host = "0.0.0.0"
    if certificate is None and (lan or https):
        certificate = kept(names(host))
    known = fingerprint(certificate) if certificate is not None and own(certificate) else None
    settings = Settings(
        model, host, port, data, profiles, token or None, tuple(allow_host or ()), max_upload_mb, rate=200.0,
        request_s=600.0, pages=True, certificate=certificate,
    )  # fmt: skip
    if settings.token is None and not settings.loopback:
        settings = replace(settings, token=made_token())
    app = create_app(settings)
    mount(app)

    run(app, settings, started=lambda: _started(settings, known, show))


def _started(settings: Settings, known: str | None, show: bool) -> None:
    """Say where it is, and the fingerprint of its certificate; open the page."""
    from kinjo.studio.live_page import ways

    way = "" if settings.token is None else f"/?token={settings.token}"
    name = f"[{settings.host}]" if ":" in settings.host else settings.host
    local = "localhost" if settings.host in ("0.0.0.0", "::") else name
    say(f"kinjo studio at {next(iter(ways(settings)), f'{settings.scheme}://{name}:{settings.port}')}{way}")
    if known is not None:
        say(f"Browsers warn of a certificate of this machine's own. SHA-256: {known}")
    if show:
        import webbrowser

        webbrowser.open(f"{settings.scheme}://{local}:{settings.port}{way}")
