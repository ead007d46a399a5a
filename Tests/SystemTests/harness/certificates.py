"""Certificates for the tests, made with the openssl command: authorities, servers, clients, revocation lists."""

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path


def _openssl(*arguments, directory):
    command = ["openssl", *(str(argument) for argument in arguments)]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stderr}"


@dataclass
class Certificate:
    """The files of a certificate and its private key."""

    file: Path
    key: Path


class Authority:
    """A certificate authority, whose certificates end on 127.0.0.1."""

    def __init__(self, directory, name="Test CA"):
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.file, self._key = directory / "ca.crt", directory / "ca.key"
        self._request(self._key, self.file, f"/CN={name}", "-x509", "-days", 90)
        (directory / "index.txt").touch()
        (directory / "ca.cnf").write_text(
            f"[ca]\ndefault_ca = test\n[test]\ndatabase = {directory}/index.txt\ndefault_md = sha256\n"
            f"default_crl_days = 30\ncertificate = {self.file}\nprivate_key = {self._key}\n"
        )

    def issue(self, name, *, host=None, days=90, subject=None, alternatives=None):
        """A certificate for `name`. For a server `host` is its DNS name, and 127.0.0.1 is in it too. With a negative
        number of days it has expired already."""
        file, key, request = (self.directory / f"{name}.{end}" for end in ("crt", "key", "csr"))
        names = alternatives or (f"DNS:{host},IP:127.0.0.1" if host else f"DNS:{name}")
        self._request(key, request, subject or f"/CN={name}", "-addext", f"subjectAltName={names}")
        _openssl(
            "x509", "-req", "-in", request, "-CA", self.file, "-CAkey", self._key, "-days", days,
            "-copy_extensions", "copy", "-out", file, directory=self.directory,
        )  # fmt: skip
        return Certificate(file, key)

    def revoke(self, *certificates):
        """A list that revokes these certificates."""
        for certificate in certificates:
            _openssl("ca", "-config", "ca.cnf", "-revoke", certificate.file, directory=self.directory)
        crl = self.directory / "revoked.crl"
        _openssl("ca", "-config", "ca.cnf", "-gencrl", "-out", crl, directory=self.directory)
        return crl

    def client_context(self, certificate=None, *, check_hostname=True):
        """What Python's ssl needs to trust servers of this authority, and to show `certificate`."""
        context = ssl.create_default_context(cafile=self.file)
        context.check_hostname = check_hostname
        if certificate:
            context.load_cert_chain(certificate.file, certificate.key)
        return context

    def _request(self, key, out, subject, *options):
        _openssl(
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", out,
            "-subj", subject, *options, directory=self.directory,
        )  # fmt: skip
