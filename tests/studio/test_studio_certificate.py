"""A certificate of one's own: for all addresses, for its owner alone, made anew when it has to be."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID

from kinjo.studio import certificate

NAMES = ("localhost", "127.0.0.1", "::1", "Büro", "192.0.2.7")


def read(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_it_is_for_all_names_and_for_a_server_alone(tmp_path: Path):
    path = certificate.kept(NAMES, tmp_path / "kinjo")
    one = read(path)
    san = one.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert san.get_values_for_type(x509.DNSName) == ["localhost", "xn--bro-hoa"]
    assert [str(ip) for ip in san.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1", "192.0.2.7"]
    assert not one.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    usage = one.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert one.not_valid_after_utc - one.not_valid_before_utc < timedelta(days=398)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(path)
    assert certificate.own(path)
    told = certificate.fingerprint(path)
    assert bytes.fromhex(told.replace(":", "")) == one.fingerprint(SHA256())


def test_nobody_else_reads_the_key_and_nothing_is_left_over(tmp_path: Path):
    path = certificate.kept(NAMES, tmp_path / "kinjo")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert [one.name for one in path.parent.iterdir()] == ["studio.pem"]


def test_it_is_kept_until_it_has_to_be_made_anew(tmp_path: Path):
    path = certificate.kept(NAMES, tmp_path)
    first = certificate.fingerprint(path)
    assert certificate.fingerprint(certificate.kept(NAMES[:3], tmp_path)) == first
    later = datetime.now(UTC) + timedelta(days=357)
    assert certificate.fingerprint(certificate.kept(NAMES, tmp_path, now=later)) == first
    ends = datetime.now(UTC) + timedelta(days=359)
    second = certificate.fingerprint(certificate.kept(NAMES, tmp_path, now=ends))
    assert second != first
    third = certificate.fingerprint(certificate.kept((*NAMES, "192.0.2.8"), tmp_path))  # it is of a day to come, too
    assert third not in (first, second)
    path.chmod(0o644)
    fourth = certificate.fingerprint(certificate.kept(NAMES, tmp_path))
    assert fourth != third  # somebody may have read the key
    for damage in (b"", b"nothing", path.read_bytes()[:300], path.read_bytes().replace(b"PRIVATE", b"PUBLIC")):
        path.write_bytes(damage)
        certificate.kept(NAMES, tmp_path)
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(path)


def test_a_key_of_another_certificate_is_no_pair(tmp_path: Path):
    one, two = certificate.kept(NAMES, tmp_path / "a"), certificate.kept(NAMES, tmp_path / "b")
    end = b"-----END PRIVATE KEY-----\n"
    mixed = one.read_bytes().partition(end)[0] + end + two.read_bytes().partition(end)[2]
    one.write_bytes(mixed)
    certificate.kept(NAMES, tmp_path / "a")
    assert one.read_bytes() != mixed


def test_what_is_no_certificate_says_so(tmp_path: Path):
    (tmp_path / "x.pem").write_bytes(b"x")
    for name in ("x.pem", "none.pem"):
        with pytest.raises(ValueError, match="name a PEM file"):
            certificate.fingerprint(tmp_path / name)


def test_the_names_of_this_machine():
    found = certificate.names("192.0.2.9")
    assert {"localhost", "127.0.0.1", "::1", "192.0.2.9", *certificate.addresses()} <= set(found)
    assert "0.0.0.0" not in certificate.names("0.0.0.0")
    assert not any(certificate.is_loopback(one) for one in certificate.addresses())
