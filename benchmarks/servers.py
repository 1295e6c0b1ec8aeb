"""nginx as Pigment and as the lake: it serves files over HTTP/2 and TLS, and accepts uploads over HTTP/1.1 and TLS."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme

# It reads an upload whole into memory before it answers, and discards it. One cipher for all clients, because they
# prefer different ones: the one that Azure's storage chooses.
CONFIGURATION = """
daemon off; worker_processes 2; pid {folder}/pid; error_log stderr alert; {user}
events {{}}
http {{
  access_log off; sendfile off; output_buffers 2 256k; http2_chunk_size 16k; gzip_static on; default_type text/csv;
  client_max_body_size 0; client_body_buffer_size 128m; client_body_temp_path {folder};
  proxy_temp_path {folder}; fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};
  ssl_protocols TLSv1.2; ssl_ciphers ECDHE-ECDSA-AES256-GCM-SHA384;
  ssl_certificate {folder}/server.pem; ssl_certificate_key {folder}/server.pem;
  server {{
    listen 127.0.0.1:{source} ssl http2;
    root {folder}; autoindex on;
    location ~ ^/api/ {{ error_page 405 =200 $uri; try_files /export.csv =404; }}
  }}
  server {{
    listen 127.0.0.1:{sink} ssl; keepalive_requests 1000000;
    location / {{
      proxy_pass http://unix:{folder}/answers; proxy_pass_request_body off; proxy_set_header Content-Length "";
      proxy_set_header If-Match ""; proxy_set_header If-None-Match ""; proxy_pass_header Date; proxy_http_version 1.1;
    }}
  }}
  map $request_method:$arg_comp:$arg_action $answer {{
    "~^PATCH::append" 202;
    "~^PATCH" 200;
    "~^PUT" 201;
    "~^DELETE" 202;
    default 200;
  }}
  server {{
    listen unix:{folder}/answers;
    add_header ETag '"0x1"' always;
    add_header Last-Modified "Tue, 24 Nov 2026 06:00:00 GMT" always;
    add_header x-ms-request-server-encrypted true always;
    add_header x-ms-blob-type BlockBlob always;
    add_header x-ms-request-id 00000000-0000-4000-8000-000000000000 always;
    add_header x-ms-version 2021-12-02 always;
    if ($answer = 201) {{ return 201; }}
    if ($answer = 202) {{ return 202; }}
    return 200;
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class Servers:
    """The addresses of source and sink, and the environment that trusts their certificate."""

    source: str
    sink: str
    environ: dict[str, str]


@contextmanager
def serving(folder: Path) -> Iterator[Servers]:
    """Serve a folder, and accept uploads.

    Args:
        folder: also for nginx' own files.
    """
    folder.chmod(0o755)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    source, sink = _free_port(), _free_port()
    path = folder / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""  # to read the files of this process
    path.write_text(CONFIGURATION.format(folder=folder, source=source, sink=sink, user=user))
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin") or "nginx"
    with subprocess.Popen([program, "-p", str(folder), "-c", str(path)]) as server:
        try:
            _wait_for(source)
            bundle = str(folder / "ca.pem")
            environ = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
            environ |= {"REQUESTS_CA_BUNDLE": bundle, "SSL_CERT_FILE": bundle, "CURL_CA_BUNDLE": bundle}
            yield Servers(f"https://localhost:{source}", f"https://localhost:{sink}", environ)
        finally:
            server.terminate()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _wait_for(port: int) -> None:
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return
    sys.exit("nginx did not start")
