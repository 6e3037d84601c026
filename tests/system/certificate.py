# SPDX-License-Identifier: BSD-3-Clause
"""Certificates made for a test, by the openssl command."""

import pathlib
import subprocess

from netns import Lab


class Certificate:
    """cert.pem and key.pem in a directory; signed by itself or by `issuer`."""

    def __init__(self, directory, name="turn.example.org", days=2, issuer=None, password=None):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.cert, self.key = self.directory / "cert.pem", self.directory / "key.pem"
        hosts = ",".join(f"IP:{host}" for host in (Lab.LISTEN, Lab.LISTEN6, "127.0.0.1"))
        protection = ["-passout", f"pass:{password}"] if password else ["-nodes"]
        signed = ["-CA", issuer.cert, "-CAkey", issuer.key] if issuer else []
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", *protection, *signed,
                      "-keyout", self.key, "-out", self.cert, "-days", max(days, 1), "-subj", f"/CN={name}",
                      "-addext", f"subjectAltName=DNS:{name},{hosts}")

        if days < 0:  # over since yesterday: signed once more, which takes what a request does not
            self._openssl("x509", "-in", self.cert, "-signkey", self.key, "-days", days, "-out", self.cert)

    @staticmethod
    def _openssl(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)

    def options(self):
        return "--cert", self.cert, "--pkey", self.key
