"""What each failure of a connection to Pigment means: whether trying again may help, who must act, what they should do.

One table is the code, the test and a part of `docs/errors.md`.
"""

from dataclasses import dataclass

import requests
from requests import exceptions

from pigment_export.errors import Cause, ExportError, PermanentError, RetryableError, Who, shorten
from pigment_export.pigment.http2.adapter import DeadlinePassed, RedirectRefused, UnprovenEnd, WrongEncoding


@dataclass(frozen=True, slots=True)
class Failure:
    """What an exception of the transport means.

    Attributes:
        raised: the exceptions of this row.
        code: stable name of the error class.
        retryable: whether the same request may succeed later.
        who: who must act.
        remedy: what they should do.
    """

    raised: tuple[type[requests.RequestException], ...]
    code: str
    retryable: bool
    who: Who
    remedy: str


FAILURES = (
    Failure(
        (DeadlinePassed,),
        "deadline_passed",
        retryable=False,
        who=Who.CATALOG,
        remedy="export less at once: filter it (exportFilter), or split it into several exports",
    ),
    Failure(
        (RedirectRefused,),
        "pigment_redirect",
        retryable=False,
        who=Who.ADMINISTRATOR,
        remedy="correct PIGMENT_BASE_URL: the key is sent nowhere else",
    ),
    Failure(
        (UnprovenEnd, WrongEncoding),
        "pigment_unproven_end",
        retryable=False,
        who=Who.NETWORK,
        remedy="let HTTP/2 through to Pigment (ALPN h2), without TLS inspection or a proxy that changes answers",
    ),
    Failure(
        (exceptions.ReadTimeout,),
        "pigment_timeout",
        retryable=True,
        who=Who.CATALOG,
        remedy="it is tried again; if Pigment needs longer before its first byte: set the export's timeout_seconds, "
        "or narrow the export with a filter",
    ),
    Failure(
        (exceptions.ChunkedEncodingError, exceptions.ContentDecodingError),
        "pigment_body_cut",
        retryable=True,
        who=Who.NOBODY,
        remedy="nothing was published; it is tried again. If it keeps coming: export less at once, or ask Pigment's "
        "support",
    ),
    Failure(
        (exceptions.SSLError, exceptions.ProxyError),
        "pigment_unreachable",
        retryable=True,
        who=Who.NETWORK,
        remedy="check the proxy and the certificates between the app and Pigment",
    ),
    Failure(
        (requests.RequestException,),
        "pigment_unreachable",
        retryable=True,
        who=Who.NETWORK,
        remedy="check DNS, firewall and proxy between the app and Pigment; if those are fine, Pigment's status page",
    ),
)
"""One table is the code, the test and a part of `docs/errors.md`. Rows are tried from the top."""


def failure_of(exc: requests.RequestException) -> ExportError:
    """The error of a connection or a body that failed; the exception's text has no header and no key in it."""
    row = next(row for row in FAILURES if isinstance(exc, row.raised))
    cause = Cause(row.code, shorten(str(exc)) or type(exc).__name__, row.who, row.remedy)
    return RetryableError(cause) if row.retryable else PermanentError(cause)
