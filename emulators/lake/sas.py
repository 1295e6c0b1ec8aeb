"""Shared access signatures of the lake stand-in, with the account key. It checks signature, time and scope.

Not checked: whether the permissions (`sp`) allow the operation, and a signature in x-ms-rename-source. Not supported:
user delegation keys, stored policies (`si`), snapshots.

Source: https://learn.microsoft.com/rest/api/storageservices/create-service-sas and
https://learn.microsoft.com/rest/api/storageservices/create-account-sas (versions from 2020-12-06 on).
"""

from collections.abc import Mapping
from datetime import UTC, datetime

from emulators.lake.messages import Request
from emulators.lake.problems import Problem, Refused

_ACCOUNT_FIELDS = ("sp", "ss", "srt", "st", "se", "sip", "spr", "sv", "ses")
_BEFORE_RESOURCE = ("sp", "st", "se")
_BEHIND_RESOURCE = ("si", "sip", "spr", "sv", "sr", "", "ses", "rscc", "rscd", "rsce", "rscl", "rsct")


def string_to_sign(request: Request, account: str) -> str:
    """Return the text that the signature in a request's query must sign."""
    query = request.query
    if "ss" in query:
        return "\n".join([account, *_values(query, _ACCOUNT_FIELDS), ""])
    resource = f"/blob/{account}/{_signed_path(request)}"
    return "\n".join([*_values(query, _BEFORE_RESOURCE), resource, *_values(query, _BEHIND_RESOURCE)])


def check_times(query: Mapping[str, str], now: datetime) -> None:
    """Refuse a signature before its start or after its end."""
    try:
        start = datetime.fromisoformat(query["st"]).replace(tzinfo=UTC) if "st" in query else now
        end = datetime.fromisoformat(query.get("se", "")).replace(tzinfo=UTC)
    except ValueError:
        raise Refused(Problem.SIGNATURE, "st or se") from None
    if not start <= now < end:
        raise Refused(Problem.SIGNATURE, "the signature is not valid now")


def _signed_path(request: Request) -> str:
    segments = request.path.split("/") if request.path else []
    match request.query.get("sr"):
        case "c":
            segments = []
        case "d":
            segments = segments[: request.number("sdd")]
        case "b":
            pass
        case _:
            raise Refused(Problem.SIGNATURE, "sr")
    return "/".join([request.file_system, *segments])


def _values(query: Mapping[str, str], names: tuple[str, ...]) -> list[str]:
    return [query.get(name, "") for name in names]
