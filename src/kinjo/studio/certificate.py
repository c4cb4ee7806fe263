"""A certificate of this machine's own: browsers give the motion of a phone to pages over HTTPS alone.

It is made on the first run, and anew when it runs out or the machine's addresses change. Nobody vouches for it, so a
browser warns; who compares its fingerprint with the one that the studio tells knows that nobody sits between.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from kinjo.studio.settings import is_loopback

VALID, LEAST = timedelta(days=365), timedelta(days=7)
"""How long it is good for (browsers refuse more than about two years), and how long it has to be good for yet."""


def addresses() -> list[str]:
    """Where others of the same network find this machine, the likeliest first: IPv4 before IPv6."""
    import ifaddr

    found: list[str] = [_towards("192.0.2.1")]  # of the way out; nothing is sent there
    for adapter in ifaddr.get_adapters():
        found += [ip.ip if isinstance(ip.ip, str) else ip.ip[0] for ip in adapter.ips]
    some = [one for one in dict.fromkeys(found) if one and not is_loopback(one)]
    return sorted((a for a in some if not ipaddress.ip_address(a).is_link_local), key=lambda a: ":" in a)


def _towards(address: str) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        try:
            one.connect((address, 9))
            return str(one.getsockname()[0])
        except OSError:
            return ""


def names(host: str = "") -> list[str]:
    """All names and addresses under which this machine may be called; ``host``: one more."""
    own = socket.gethostname()
    more = [host] if host and host not in ("0.0.0.0", "::") else []
    some = ["localhost", "127.0.0.1", "::1", own, f"{own.partition('.')[0]}.local", *addresses(), *more]
    return list(dict.fromkeys(name.strip("[]") for name in some if name))


def kept(names: Sequence[str], folder: Path | None = None, *, now: datetime | None = None) -> Path:
    """The file of certificate and key (PEM) for ``names``, in ``folder`` (None: the user's data folder). It is made
    where it is absent, damaged, about to run out or not for all of them. ``OSError`` where it cannot be kept.
    """
    if folder is None:
        from platformdirs import user_data_path

        folder = user_data_path("kinjo")
    path, now = folder / "studio.pem", now or datetime.now(UTC)
    if not _good(path, names, now):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=folder, prefix=".studio-", delete=False) as file:  # for its owner alone
            try:
                file.write(_made(names, now))
                file.flush()
                os.fsync(file.fileno())
                os.replace(file.name, path)  # key and certificate in one file: they always fit
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
    return path


def fingerprint(path: Path) -> str:
    """SHA-256 of the certificate in a PEM file, as browsers show it. ``ValueError`` for a file without one."""
    from cryptography.hazmat.primitives.hashes import SHA256

    return _read(path).fingerprint(SHA256()).hex(":").upper()


def own(path: Path) -> bool:
    """Whether nobody but itself vouches for the certificate in a PEM file, so that browsers warn."""
    return _read(path).issuer == _read(path).subject


def _read(path: Path) -> Any:
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: no certificate ({error}): name a PEM file of a certificate and its key") from None


def _good(path: Path, names: Sequence[str], now: datetime) -> bool:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        told = path.read_bytes()
        one, key = x509.load_pem_x509_certificate(told), load_pem_private_key(told, None)
        if one.public_key() != key.public_key() or path.stat().st_mode & 0o077:
            return False
        san = one.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, TypeError, x509.ExtensionNotFound):
        return False
    known = {*san.get_values_for_type(x509.DNSName), *map(str, san.get_values_for_type(x509.IPAddress))}
    in_time = one.not_valid_before_utc <= now and now + LEAST <= one.not_valid_after_utc
    return in_time and {_plain(name) for name in names} <= known


def _made(names: Sequence[str], now: datetime) -> bytes:
    """Key and certificate of a server, which signs nothing but itself."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    own = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "kinjo studio")])
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=False, crl_sign=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    server = x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH])
    builder = x509.CertificateBuilder().subject_name(own).issuer_name(own).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + VALID)  # clocks differ
    builder = builder.add_extension(x509.SubjectAlternativeName([_name(name) for name in names]), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    signed = (
        builder.add_extension(usage, critical=True).add_extension(server, critical=False).sign(key, hashes.SHA256())
    )
    pkcs8, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    pem = serialization.Encoding.PEM
    return key.private_bytes(pem, pkcs8, plain) + signed.public_bytes(pem)


def _name(name: str) -> Any:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(_plain(name))


def _plain(name: str) -> str:
    """As it stands in a certificate."""
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name.encode("idna").decode("ascii").lower()
