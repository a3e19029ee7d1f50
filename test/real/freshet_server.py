# SPDX-License-Identifier: Apache-2.0
"""Run `freshet server` and reach it: by the untouched databricks-sdk, and by plain HTTP."""
import json
import os
import pathlib
import subprocess
import tempfile
import urllib.error
import urllib.request

from databricks.sdk import WorkspaceClient

from freshet_command import BINARY, PATIENCE

QUIET_PROXY = urllib.request.ProxyHandler({})


def make_certificate(folder):
    """A server's certificate that signs itself, and its key: their files."""
    certificate, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        f"openssl req -x509 -newkey rsa:2048 -nodes -keyout {key} -out {certificate} -days 2 -subj /CN=localhost "
        "-addext subjectAltName=IP:127.0.0.1",
        shell=True,
        check=True,
        capture_output=True,
    )
    return certificate, key


class ServerProcess:
    """One server over one data directory; it can be stopped, killed and started again."""

    def __init__(self, data, *options, environment=None):
        self.data = pathlib.Path(data)
        self.options = list(options)
        self.environment = environment or {}
        self.log = tempfile.TemporaryFile()
        self.process, self.url = None, None

    def start(self):
        self.process = subprocess.Popen(
            [str(BINARY), "server", "--data", str(self.data), "--port", "0", *self.options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self.log,
            env={**os.environ, **self.environment},
            start_new_session=True,
            text=True,
        )
        first = self.process.stdout.readline()
        assert first.startswith("listening on http"), f"{first!r}: {self.log_text()}"
        self.url = first.split()[-1]
        return self

    def log_text(self):
        return os.pread(self.log.fileno(), 64 << 20, 0).decode(errors="replace")

    def stop(self):
        """SIGTERM; return the exit code."""
        self.process.terminate()
        code = self.process.wait(PATIENCE)
        self.process.stdout.close()
        return code

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.kill()
        self.log.close()

    @property
    def token(self):
        return (self.data / "admin.token").read_text().strip()

    def client(self, token=None):
        """The SDK, as its users make it, deaf to this machine's environment and files."""
        return WorkspaceClient(
            host=self.url, token=token or self.token, auth_type="pat", config_file="/dev/null"
        )

    def request(self, method, path, body=None, token=None, headers=None):
        """Return (status, parsed body, headers); `token` may be False: none at all."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method, headers=headers or {})
        if token is not False:
            request.add_header("Authorization", f"Bearer {token or self.token}")
        try:
            with urllib.request.build_opener(QUIET_PROXY).open(request, timeout=PATIENCE) as answer:
                return answer.status, json.loads(answer.read() or b"null"), dict(answer.headers)
        except urllib.error.HTTPError as error:
            text = error.read()
            return error.code, json.loads(text) if text else None, dict(error.headers)
