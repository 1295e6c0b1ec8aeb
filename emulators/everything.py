"""All stand-ins of Azure and Pigment together, and the environment that directs a program to them."""

import contextlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Self

from emulators.identity import Identity
from emulators.lake.account import Lake
from emulators.network import Authority, Proxy
from emulators.pigment.service import DEMO_KEY, Pigment
from emulators.vault import Vault

ACCOUNT, FILE_SYSTEM, VAULT, SECRET = "pigmentdemolake", "planning", "pigmentdemo", "pigment-api-key"


class Everything:
    """Identity, vault, Pigment and lake, behind one proxy.

    Args:
        folder: for the certificate and the lake's files.
        account_key: base64; the lake also accepts signatures with it, from clients other than the app.
        maps: host name to the address of a server to use in place of a stand-in.
        passthrough: names that the proxy connects to the real hosts.
        proxy_port: 0 for a free one.
        http2: whether Pigment speaks HTTP/2, or only HTTP/1.1 as through an old proxy.
    """

    def __init__(
        self,
        folder: Path,
        *,
        account_key: str | None = None,
        maps: Mapping[str, tuple[str, int]] | None = None,
        passthrough: Collection[str] = (),
        proxy_port: int = 0,
        http2: bool = True,
    ) -> None:
        self._running = contextlib.ExitStack()
        authority = Authority(folder)
        self.ca_file = authority.ca_file
        self.identity = Identity()
        self.vault = Vault(authority.server_context(*Vault.hosts), name=VAULT)
        self.vault.set(SECRET, DEMO_KEY)
        alpn = ["h2", "http/1.1"] if http2 else ["http/1.1"]
        self.pigment = Pigment(authority.server_context(*Pigment.hosts, alpn=alpn))
        self.lake = Lake(
            authority.server_context(*Lake.hosts),
            account=ACCOUNT,
            file_systems=(FILE_SYSTEM,),
            account_key=account_key,
            folder=folder / "lake",
        )
        (folder / "lake").mkdir(exist_ok=True)
        self._maps = dict(maps or {})
        self._passthrough = frozenset(passthrough)
        self._proxy_port = proxy_port
        self.proxy: Proxy | None = None

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            for server in (self.identity, self.vault, self.pigment, self.lake):
                stack.enter_context(server)
            routes = {host: server.address for server in (self.vault, self.pigment, self.lake) for host in server.hosts}
            self.proxy = Proxy({**routes, **self._maps}, passthrough=self._passthrough, port=self._proxy_port)
            stack.enter_context(self.proxy)
            self._running = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    @property
    def environment(self) -> dict[str, str]:
        """The variables that direct a program to the stand-ins: the network's first, then the app's settings."""
        if self.proxy is None:
            raise RuntimeError("the stand-ins are not running")
        host, port = self.proxy.address
        return {
            "HTTPS_PROXY": f"http://{host}:{port}",
            "NO_PROXY": "127.0.0.1,localhost",
            "REQUESTS_CA_BUNDLE": str(self.ca_file),
            "SSL_CERT_FILE": str(self.ca_file),
            **self.identity.environment,
            "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
            "KEY_VAULT_URL": f"https://{VAULT}.vault.azure.net",
            "PIGMENT_KEY_SECRET": SECRET,
            "DATA_LAKE_URL": f"https://{ACCOUNT}.dfs.core.windows.net",
            "DATA_LAKE_FILE_SYSTEM": FILE_SYSTEM,
        }
