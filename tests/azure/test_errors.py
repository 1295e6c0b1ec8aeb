"""What Azure's refusals mean, from the tables and over the wire; and that no token ever shows."""

import logging
import socket
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trustme
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    DecodeError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.identity import CredentialUnavailableError
from hypothesis import given, settings
from hypothesis import strategies as st

from emulators.lake.account import Answer, Dropped, Held, Lake
from pigment_export.azure.adls import LakeFiles
from pigment_export.azure.clients import AnswerDate
from pigment_export.azure.errors import (
    LAKE,
    NO_ANSWER,
    SERVER_ERRORS,
    VAULT,
    Refusals,
    error_for,
    meaning_of,
    translated,
)
from pigment_export.azure.records import LakeRecords
from pigment_export.errors import ConflictError, ExportError, MissingError, PermanentError, RetryableError, Who

pytest_plugins = ("tests.harness.emulated_lake", "tests.harness.real_lake")

DOCS = Path(__file__).parents[2] / "docs" / "errors-azure.md"
DATE = "Tue, 24 Nov 2026 06:00:00 GMT"
AGAIN = {
    RetryableError: "yes",
    PermanentError: "no",
    ConflictError: "after a look at what is there",
    MissingError: "after a look at what is there",
}


def answer(status: int, headers: dict[str, str] | None = None, body: str = "") -> Any:
    return SimpleNamespace(
        status_code=status, reason="said so", headers={"Date": DATE, **(headers or {})}, text=lambda **_: body
    )


def refused(status: int, code: str = "", headers: dict[str, str] | None = None) -> HttpResponseError:
    error = HttpResponseError(response=answer(status, headers))
    error.error_code = code  # as the storage libraries do
    return error


# The tables


def rows(refusals: Refusals) -> Iterator[str]:
    """The table as the docs have it."""
    for row in refusals:
        single = [str(status) for status in sorted(row.statuses - {NO_ANSWER} - SERVER_ERRORS)]
        when = [
            *(["no answer"] if NO_ANSWER in row.statuses else []),
            *single,
            *(["5xx"] if row.statuses >= SERVER_ERRORS else []),
            *sorted(row.names),
        ]
        yield f"| `{row.code}` | {', '.join(when) or 'anything else'} | {AGAIN[row.error]} | {row.who} | {row.remedy} |"


@pytest.mark.parametrize(("title", "refusals"), [("## The lake", LAKE), ("## The vault", VAULT)])
def test_the_docs_have_every_row_of_the_table_and_no_other(title: str, refusals: Refusals) -> None:
    section = DOCS.read_text().split(title)[1].split("\n## ")[0]
    assert [line for line in section.splitlines() if line.startswith("| `")] == list(rows(refusals))


@pytest.mark.parametrize("refusals", [LAKE, VAULT])
def test_every_row_is_reached_and_has_a_code_of_its_own(refusals: Refusals) -> None:
    for row in refusals:
        for status in row.statuses:
            assert meaning_of(refusals, status, frozenset()) is row
        for name in row.names:
            assert meaning_of(refusals, 400, frozenset({name})) is row
    assert len({row.code for row in refusals}) == len(refusals)


@pytest.mark.parametrize("refusals", [LAKE, VAULT])
def test_only_what_may_change_by_itself_or_by_an_administrator_is_retried(refusals: Refusals) -> None:
    statuses = (None, *range(200, 600))
    retried = {status for status in statuses if meaning_of(refusals, status, frozenset()).error is RetryableError}
    assert retried == {None, 401, 403, 408, 429, *range(500, 600)}


@pytest.mark.parametrize(
    ("status", "name", "kind", "code", "who"),
    [
        (401, "InvalidAuthenticationInfo", RetryableError, "lake_unauthenticated", Who.ADMINISTRATOR),
        (403, "AuthorizationFailure", RetryableError, "lake_firewalled", Who.ADMINISTRATOR),
        (403, "AuthorizationPermissionMismatch", RetryableError, "lake_forbidden", Who.ADMINISTRATOR),
        (403, "AccountIsDisabled", RetryableError, "lake_forbidden", Who.ADMINISTRATOR),
        (404, "FilesystemNotFound", PermanentError, "lake_file_system_missing", Who.ADMINISTRATOR),
        (404, "ContainerNotFound", PermanentError, "lake_file_system_missing", Who.ADMINISTRATOR),
        (409, "ContainerBeingDeleted", PermanentError, "lake_file_system_missing", Who.ADMINISTRATOR),
        (409, "EndpointUnsupportedAccountFeatures", PermanentError, "lake_not_hierarchical", Who.ADMINISTRATOR),
        (404, "RenameDestinationParentPathNotFound", MissingError, "lake_parent_missing", Who.NOBODY),
        (404, "SourcePathNotFound", MissingError, "lake_source_missing", Who.NOBODY),
        (404, "PathNotFound", MissingError, "lake_path_missing", Who.NOBODY),
        (404, "BlobNotFound", MissingError, "lake_path_missing", Who.NOBODY),
        (404, "", PermanentError, "lake_unexpected", Who.DEVELOPER),
        (404, "ResourceNotFound", PermanentError, "lake_unexpected", Who.DEVELOPER),
        (400, "InvalidFlushPosition", RetryableError, "lake_bytes_missing", Who.NOBODY),
        (400, "InvalidInput", PermanentError, "lake_unexpected", Who.DEVELOPER),
        (409, "PathAlreadyExists", ConflictError, "lake_conflict", Who.NOBODY),
        (409, "DestinationPathIsBeingDeleted", ConflictError, "lake_conflict", Who.NOBODY),
        (412, "ConditionNotMet", ConflictError, "lake_conflict", Who.NOBODY),
        (412, "LeaseIdMissing", ConflictError, "lake_conflict", Who.NOBODY),
        (429, "TooManyRequests", RetryableError, "lake_throttled", Who.NOBODY),
        (503, "ServerBusy", RetryableError, "lake_throttled", Who.NOBODY),
        (500, "OperationTimedOut", RetryableError, "lake_unavailable", Who.NOBODY),
        (408, "", RetryableError, "lake_unavailable", Who.NOBODY),
        (302, "", PermanentError, "lake_unexpected", Who.DEVELOPER),
    ],
)
def test_what_an_answer_of_the_lake_means(status: int, name: str, kind: type[ExportError], code: str, who: Who) -> None:
    error = error_for(LAKE, refused(status, name), "create x/y")
    assert type(error) is kind
    assert (error.cause.code, error.cause.who) == (code, who)
    assert "create x/y" in error.cause.reason
    assert f"HTTP {status}" in error.cause.reason
    assert name in error.cause.reason


@pytest.mark.parametrize(
    ("status", "outer", "inner", "kind", "code"),
    [
        (401, "Unauthorized", "", RetryableError, "vault_unauthenticated"),
        (403, "Forbidden", "ForbiddenByRbac", RetryableError, "vault_forbidden"),
        (403, "Forbidden", "ForbiddenByFirewall", RetryableError, "vault_firewalled"),
        (403, "Forbidden", "SecretDisabled", PermanentError, "vault_secret_disabled"),
        (404, "SecretNotFound", "", PermanentError, "vault_secret_missing"),
        (429, "Throttled", "", RetryableError, "vault_throttled"),
        (503, "", "", RetryableError, "vault_unavailable"),
        (400, "BadParameter", "", PermanentError, "vault_unexpected"),
    ],
)
def test_what_an_answer_of_the_vault_means(
    status: int, outer: str, inner: str, kind: type[ExportError], code: str
) -> None:
    body = f'{{"error": {{"code": "{outer}", "message": "no", "innererror": {{"code": "{inner}"}}}}}}'
    error = error_for(VAULT, HttpResponseError(response=answer(status, body=body)), "read the secret pigment-key")
    assert type(error) is kind
    assert error.cause.code == code
    assert outer in error.cause.reason
    assert inner in error.cause.reason


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (ServiceRequestError("x"), "lake_unavailable"),
        (ServiceResponseError("x"), "lake_unavailable"),
        (AzureError("x"), "lake_unavailable"),
        (HttpResponseError("a body broke off"), "lake_unavailable"),
        (ClientAuthenticationError("x"), "lake_unauthenticated"),
        (CredentialUnavailableError("x"), "lake_unauthenticated"),
        (DecodeError(response=answer(200)), "lake_unexpected"),
    ],
)
def test_what_it_means_when_no_answer_came(raised: AzureError, code: str) -> None:
    with pytest.raises(ExportError) as caught, translated(LAKE, "create x"):
        raise raised
    assert caught.value.cause.code == code
    assert caught.value.__cause__ is raised


def test_a_bug_stays_a_bug() -> None:
    with pytest.raises(ValueError, match="etag"), translated(LAKE, "create x"):
        raise ValueError("etag")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "Tue, 24 Nov 2026 06:01:30 GMT"}, 90),
        ({"Retry-After": "Tue, 24 Nov 2026 05:00:00 GMT"}, 0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-1"}, None),
        ({"Retry-After": "7", "Date": "nonsense"}, None),
    ],
)
def test_how_long_the_service_asks_to_wait_by_its_own_clock(headers: dict[str, str], seconds: float | None) -> None:
    error = error_for(LAKE, refused(503, "ServerBusy", headers), "create x")
    assert isinstance(error, RetryableError)
    assert error.retry_after_seconds == seconds


@settings(max_examples=100, deadline=None)
@given(st.integers(100, 599), st.text(max_size=400), st.text(max_size=400))
def test_no_answer_however_odd_breaks_the_classifier(status: int, code: str, header: str) -> None:
    error = error_for(LAKE, refused(status, code, {"Retry-After": header, "Date": header}), "create x")
    assert isinstance(error, ExportError)
    assert error.cause.reason.isprintable()
    assert len(error.cause.reason) < 500


@pytest.mark.parametrize("date", [None, "", "yesterday", "Fri, 31 Dec 9999 23:59:59 -2300"])
def test_an_answer_without_a_date_is_an_error_and_no_guess(date: str | None) -> None:
    taken = AnswerDate()
    taken(SimpleNamespace(http_response=SimpleNamespace(headers={} if date is None else {"Date": date})))
    with pytest.raises(PermanentError, match="without a date"):
        taken.now  # noqa: B018 - reading it is what is tested


def test_the_date_of_an_answer_is_utc() -> None:
    taken = AnswerDate()
    taken(SimpleNamespace(http_response=SimpleNamespace(headers={"Date": DATE})))
    assert taken.now == datetime(2026, 11, 24, 6, tzinfo=UTC)
    assert taken.now.tzinfo is UTC


# Over the wire


CALLS: list[tuple[type, Callable[[Any], object]]] = [
    (LakeFiles, lambda files: files.look("x")),
    (LakeFiles, lambda files: files.create("x")),
    (LakeRecords, lambda records: records.read("x")),
    (LakeRecords, lambda records: records.write("x", b"{}", {}, replacing=None)),
    (LakeRecords, lambda records: list(records.list(""))),
]


def codes(open_lake: Callable[..., Any], **options: Any) -> set[tuple[type[ExportError], str]]:
    """What each kind of call raises."""
    found = set()
    for kind, call in CALLS:
        adapter = open_lake(kind, **options)
        with pytest.raises(ExportError) as caught:
            call(adapter)
        found.add((type(caught.value), caught.value.cause.code))
    return found


@pytest.mark.parametrize(
    ("status", "name", "expected"),
    [
        (401, "InvalidAuthenticationInfo", (RetryableError, "lake_unauthenticated")),
        (403, "AuthorizationPermissionMismatch", (RetryableError, "lake_forbidden")),
        (403, "AuthorizationFailure", (RetryableError, "lake_firewalled")),
        (408, "RequestTimeout", (RetryableError, "lake_unavailable")),
        (429, "TooManyRequests", (RetryableError, "lake_throttled")),
        (500, "InternalError", (RetryableError, "lake_unavailable")),
        (503, "ServerBusy", (RetryableError, "lake_throttled")),
        (504, "GatewayTimeout", (RetryableError, "lake_unavailable")),
        (409, "EndpointUnsupportedAccountFeatures", (PermanentError, "lake_not_hierarchical")),
    ],
)
def test_both_protocols_tell_a_refusal_alike_with_and_without_a_body(
    status: int, name: str, expected: tuple[type[ExportError], str], lake: Lake, open_lake: Callable[..., Any]
) -> None:
    lake.faults.add("any", times=None, then=Answer(status, name))
    assert codes(open_lake) == {expected}


def test_a_file_system_that_is_not_there_is_no_missing_file(open_lake: Callable[..., Any]) -> None:
    assert codes(open_lake, file_system="nowhere") == {(PermanentError, "lake_file_system_missing")}


def test_a_token_for_something_else_is_the_administrators(open_lake: Callable[..., Any]) -> None:
    wrong = "emulated:https://vault.azure.net:system:00"
    assert codes(open_lake, token=wrong) == {(RetryableError, "lake_unauthenticated")}


def test_no_token_at_all_is_the_administrators(open_lake: Callable[..., Any]) -> None:
    class NoIdentity:
        def get_token(self, *_scopes: str, **_options: Any) -> Any:
            raise CredentialUnavailableError("no managed identity endpoint found")

    assert codes(open_lake, credential=NoIdentity()) == {(RetryableError, "lake_unauthenticated")}


def test_a_connection_that_ends_without_an_answer_is_retried(lake: Lake, open_lake: Callable[..., Any]) -> None:
    lake.faults.add("any", times=None, then=Dropped())
    assert codes(open_lake) == {(RetryableError, "lake_unavailable")}
    assert len(lake.calls) == len(CALLS)


def test_a_lake_that_does_not_answer_in_time_is_retried(lake: Lake, open_lake: Callable[..., Any]) -> None:
    lake.faults.add("any", times=None, then=Held(before=True, reached=threading.Event(), release=threading.Event()))
    with pytest.raises(RetryableError, match="TimeoutError") as caught:
        open_lake(LakeFiles, read_seconds=0.1).create("x")
    assert caught.value.cause.code == "lake_unavailable"


def test_a_lake_that_nobody_listens_for_is_named_so(open_lake: Callable[..., Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(RetryableError, match="ConnectionRefusedError"):
        open_lake(LakeFiles, url=f"https://127.0.0.1:{port}/account").look("x")


def test_a_certificate_that_is_not_trusted_is_named_so(
    open_lake: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nobody = tmp_path / "ca.pem"
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(nobody))
    trustme.CA().cert_pem.write_to_path(nobody)
    with pytest.raises(RetryableError, match="CERTIFICATE_VERIFY_FAILED"):
        open_lake(LakeFiles).look("x")


# Secrets


@contextmanager
def all_text(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    """Everything that an error of the block could show anywhere: its traceback with all causes, and every log line."""
    text: list[str] = []
    with caplog.at_level(logging.DEBUG):
        try:
            yield text
        except ExportError as error:
            text.extend(traceback.format_exception(error))
            text.append(repr(error))
    text.append(caplog.text)
    text.extend(repr(record.__dict__) for record in caplog.records)


@pytest.mark.parametrize("fault", [Answer(403, "AuthorizationFailure"), Answer(500, "InternalError"), Dropped(), None])
def test_no_error_and_no_log_line_shows_the_token(
    fault: Any, lake: Lake, token: str, open_lake: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    if fault is not None:
        lake.faults.add("any", times=None, then=fault)
    for kind, call in CALLS:
        adapter = open_lake(kind)
        with all_text(caplog) as text:
            call(adapter)
        assert any("x-ms-version" in line for line in text)  # the requests' headers were logged: it would have shown
        assert not any(token in line for line in text)


def test_a_token_that_cannot_be_sent_is_not_quoted(
    open_lake: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    files = open_lake(LakeFiles, token="5ec2e7\nhost: elsewhere")
    with all_text(caplog) as text:
        files.look("x")
    assert any("lake_unavailable" in line for line in text)
    assert any("InvalidHeader" in line for line in text)
    assert not any("5ec2e7" in line for line in text)
