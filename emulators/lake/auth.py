"""Authentication of the lake stand-in: bearer tokens of the identity stand-in, or signatures with the account key.

Roles are not checked: a token for storage can do everything.

Source: https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key
"""

import base64
import hashlib
import hmac
import re
from datetime import datetime
from urllib.parse import unquote

from emulators.lake import sas as lake_sas
from emulators.lake.messages import Request
from emulators.lake.problems import Problem, Refused

CHALLENGE = (
    "Bearer authorization_uri=https://login.microsoftonline.com/"
    "00000000-0000-0000-0000-000000000000/oauth2/authorize resource_id=https://storage.azure.com"
)
_TOKEN = re.compile(r"Bearer emulated:https://storage\.azure\.com/?:[^:]+:[0-9a-f]+")
_SIGNED_HEADERS = (
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-type",
    "date",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "range",
)


def check(request: Request, account: str, account_key: str | None, now: datetime, *, encrypted: bool) -> None:
    """Refuse a request without a valid token or signature.

    Args:
        request: with an Authorization header, or a signature in its query.
        account: the name in signatures.
        account_key: base64; None accepts only tokens.
        now: the lake's clock.
        encrypted: whether the request came over TLS; tokens need it.
    """
    authorization = request.headers.get("authorization", "")
    by_key = authorization.startswith("SharedKey ")
    if by_key or ("sig" in request.query and not authorization):
        if account_key is None:
            raise Refused(Problem.NO_ACCOUNT_KEY)
        if by_key:
            given, signed = authorization, _strings_to_sign(request, account)
            expected = [f"SharedKey {account}:{signature(text, account_key)}" for text in signed]
        else:
            lake_sas.check_times(request.query, now)
            signed = [lake_sas.string_to_sign(request, account)]
            given, expected = request.query["sig"], [signature(text, account_key) for text in signed]
        if not any(hmac.compare_digest(given.encode(), one.encode()) for one in expected):
            raise Refused(Problem.SIGNATURE)
        return
    if not authorization:
        raise Refused(Problem.TOKEN_MISSING if encrypted else Problem.HTTPS_NEEDED)
    if not encrypted:
        raise Refused(Problem.HTTPS_NEEDED)
    if not _TOKEN.fullmatch(authorization):
        raise Refused(Problem.TOKEN_INVALID, "the token is not for https://storage.azure.com")


def signature(text: str, account_key: str) -> str:
    """Sign a text with the account key."""
    key = base64.b64decode(account_key)
    return base64.b64encode(hmac.new(key, text.encode(), hashlib.sha256).digest()).decode()


def _strings_to_sign(request: Request, account: str) -> list[str]:
    """Return the two valid texts to sign: clients sort hyphens in header names in two ways."""
    headers = dict(request.headers)
    if headers.get("content-length") == "0":
        headers["content-length"] = ""
    if "x-ms-date" in headers:
        headers["date"] = ""
    plain = "\n".join([request.method, *(headers.get(name, "") for name in _SIGNED_HEADERS)])
    path, _, query = request.target.partition("?")
    pairs = sorted(pair.partition("=") for pair in query.split("&") if pair)
    resource = f"/{account}{path}" + "".join(f"\n{name.lower()}:{unquote(value)}" for name, _, value in pairs)
    own = [(name, value) for name, value in headers.items() if name.startswith("x-ms-")]
    orders = (sorted(own), sorted(own, key=lambda item: _without_hyphens(item[0])))
    return ["\n".join([plain, *(f"{name}:{value}" for name, value in order), resource]) for order in orders]


def _without_hyphens(name: str) -> tuple[str, str]:
    return name.replace("-", "").replace("_", " "), name
