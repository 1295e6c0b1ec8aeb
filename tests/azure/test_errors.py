"""What Azure's refusals mean, from the tables and over the wire; and that no token ever shows."""

import base64
import logging
import socket
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trustme
from azure.core.credentials import AccessToken
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
from emulators.network import Proxy
from pigment_export.azure import clients
from pigment_export.azure.adls import AdlsLake
from pigment_export.azure.boundary import Boundary
from pigment_export.azure.errors import LAKE, UNREADABLE, VAULT, Refusal, meaning_of
from pigment_export.azure.identity import Identity
from pigment_export.errors import (
    ConflictError,
    ExportError,
    MissingError,
    PermanentError,
    RetryableError,
    SetupError,
    Who,
)
from scripts.make_errors_page import AZURE_PAGE, render

pytest_plugins = ("tests.harness.emulated_lake", "tests.harness.real_lake")

DATE = "Tue, 24 Nov 2026 06:00:00 GMT"
ID = {"x-ms-request-id": "r1"}


def answer(status: int, headers: dict[str, str] | None = None, body: str = "") -> Any:
    return SimpleNamespace(
        status_code=status, reason="said so", headers={"Date": DATE, **ID, **(headers or {})}, text=lambda **_: body
    )


def refused(status: int, code: str = "", headers: dict[str, str] | None = None) -> HttpResponseError:
    error = HttpResponseError(response=answer(status, headers))
    error.error_code = code  # as the storage libraries do
    return error


class NoIdentity:
    def get_token(self, *_scopes: str, **_options: Any) -> Any:
        raise CredentialUnavailableError("no managed identity endpoint found")


def boundary(refusals: Sequence[Refusal] = LAKE) -> Boundary:
    return Boundary(refusals, "the place", Identity(NoIdentity))


# The tables


def test_the_docs_have_every_row_of_the_tables_and_no_other() -> None:
    page = AZURE_PAGE.read_text()
    assert page == render(page), "run `make schema`"


@pytest.mark.parametrize("refusals", [LAKE, VAULT])
def test_every_row_is_reached_and_has_a_code_of_its_own(refusals: Sequence[Refusal]) -> None:
    for row in refusals:
        for status in row.statuses:
            assert meaning_of(refusals, status, frozenset()) is row
        for name in row.names:
            assert meaning_of(refusals, 400, frozenset({name})) is row
    assert len({row.code for row in refusals}) == len(refusals)


@pytest.mark.parametrize("refusals", [LAKE, VAULT])
def test_only_what_may_change_by_itself_or_by_an_administrator_is_retried(refusals: Sequence[Refusal]) -> None:
    statuses = (None, *range(200, 600))
    retried = {status for status in statuses if meaning_of(refusals, status, frozenset()).retryable}
    assert retried == {None, 401, 403, 408, 429, *range(500, 600)}


@pytest.mark.parametrize(
    ("status", "name", "kind", "code", "who"),
    [
        (401, "InvalidAuthenticationInfo", SetupError, "lake_unauthenticated", Who.ADMINISTRATOR),
        (403, "AuthenticationFailed", SetupError, "lake_unauthenticated", Who.ADMINISTRATOR),
        (403, "AuthorizationFailure", SetupError, "lake_firewalled", Who.ADMINISTRATOR),
        (403, "AuthorizationPermissionMismatch", SetupError, "lake_forbidden", Who.ADMINISTRATOR),
        (403, "AccountIsDisabled", SetupError, "lake_account_disabled", Who.ADMINISTRATOR),
        (403, "InsufficientAccountPermissions", SetupError, "lake_read_only", Who.ADMINISTRATOR),
        (403, "KeyVaultEncryptionKeyNotFound", SetupError, "lake_encryption_key", Who.ADMINISTRATOR),
        (404, "FilesystemNotFound", PermanentError, "lake_file_system_missing", Who.ADMINISTRATOR),
        (404, "ContainerNotFound", PermanentError, "lake_file_system_missing", Who.ADMINISTRATOR),
        (409, "ContainerBeingDeleted", PermanentError, "lake_file_system_missing", Who.ADMINISTRATOR),
        (409, "EndpointUnsupportedAccountFeatures", PermanentError, "lake_not_hierarchical", Who.ADMINISTRATOR),
        (409, "BlobImmutableDueToPolicy", PermanentError, "lake_immutable", Who.ADMINISTRATOR),
        (409, "PathImmutableDueToPolicy", PermanentError, "lake_immutable", Who.ADMINISTRATOR),
        (409, "BlobImmutableDueToLegalHold", PermanentError, "lake_immutable", Who.ADMINISTRATOR),
        (409, "BlobArchived", PermanentError, "lake_archived", Who.ADMINISTRATOR),
        (409, "ResourceTypeMismatch", PermanentError, "lake_path_taken", Who.ADMINISTRATOR),
        (409, "LeaseAlreadyPresent", PermanentError, "lake_leased", Who.ADMINISTRATOR),
        (412, "LeaseIdMissing", PermanentError, "lake_leased", Who.ADMINISTRATOR),
        (412, "LeaseLost", PermanentError, "lake_leased", Who.ADMINISTRATOR),
        (404, "RenameDestinationParentPathNotFound", MissingError, "lake_parent_missing", Who.NO_ACTION),
        (404, "SourcePathNotFound", MissingError, "lake_source_missing", Who.NO_ACTION),
        (404, "PathNotFound", MissingError, "lake_path_missing", Who.NO_ACTION),
        (404, "BlobNotFound", MissingError, "lake_path_missing", Who.NO_ACTION),
        (404, "", PermanentError, "lake_unexpected", Who.DEVELOPER),
        (404, "ResourceNotFound", PermanentError, "lake_unexpected", Who.DEVELOPER),
        (400, "InvalidFlushPosition", RetryableError, "lake_bytes_missing", Who.NO_ACTION),
        (400, "InvalidInput", PermanentError, "lake_unexpected", Who.DEVELOPER),
        (409, "PathAlreadyExists", ConflictError, "lake_conflict", Who.NO_ACTION),
        (409, "BlobAlreadyExists", ConflictError, "lake_conflict", Who.NO_ACTION),
        (409, "DestinationPathIsBeingDeleted", ConflictError, "lake_conflict", Who.NO_ACTION),
        (412, "ConditionNotMet", ConflictError, "lake_conflict", Who.NO_ACTION),
        (412, "SourceConditionNotMet", ConflictError, "lake_conflict", Who.NO_ACTION),
        (412, "", ConflictError, "lake_conflict", Who.NO_ACTION),
        (429, "TooManyRequests", RetryableError, "lake_throttled", Who.NO_ACTION),
        (503, "ServerBusy", RetryableError, "lake_throttled", Who.NO_ACTION),
        (500, "OperationTimedOut", RetryableError, "lake_unavailable", Who.NO_ACTION),
        (408, "", RetryableError, "lake_unavailable", Who.NO_ACTION),
        (302, "", RetryableError, "lake_unreadable", Who.NETWORK),
    ],
)
def test_what_an_answer_of_the_lake_means(status: int, name: str, kind: type[ExportError], code: str, who: Who) -> None:
    error = boundary().error_for(refused(status, name), "create x/y")
    assert type(error) is kind
    assert (error.cause.code, error.cause.who) == (code, who)
    assert "create x/y" in error.cause.reason
    assert f"HTTP {status}" in error.cause.reason
    assert name in error.cause.reason


@pytest.mark.parametrize(
    ("status", "outer", "inner", "kind", "code"),
    [
        (401, "Unauthorized", "", SetupError, "vault_unauthenticated"),
        (403, "Forbidden", "ForbiddenByRbac", SetupError, "vault_forbidden"),
        (403, "Forbidden", "ForbiddenByFirewall", SetupError, "vault_firewalled"),
        (403, "Forbidden", "ForbiddenByConnection", SetupError, "vault_firewalled"),
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
    error = boundary(VAULT).error_for(
        HttpResponseError(response=answer(status, body=body)), "read the secret pigment-key"
    )
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
        (DecodeError(response=answer(200)), "lake_unreadable"),
        (ValueError("not a number"), "lake_unreadable"),
        (KeyError("etag"), "lake_unreadable"),
    ],
)
def test_what_it_means_when_no_answer_came_or_none_that_can_be_read(raised: Exception, code: str) -> None:
    with pytest.raises(ExportError) as caught, boundary().doing("create x"):
        raise raised
    assert caught.value.cause.code == code
    is_told = isinstance(raised, AzureError | ValueError)
    assert caught.value.__cause__ is (None if is_told else raised)
    assert caught.value.__suppress_context__


def test_errors_of_our_own_pass_as_they_are() -> None:
    error = meaning_of(VAULT, UNREADABLE).raised("seen")
    with pytest.raises(ExportError) as caught, boundary().doing("create x"):
        raise error
    assert caught.value is error


def test_a_chain_of_causes_that_is_a_circle_has_an_end() -> None:
    first, second = ServiceRequestError("x"), ServiceRequestError("y")
    first.__cause__, second.__cause__ = second, first
    error = boundary().error_for(first, "create x")
    assert error.cause.code == "lake_unavailable"


def test_a_refused_role_names_the_place_and_the_identity() -> None:
    claims = base64.urlsafe_b64encode(b'{"upn": "ada@example.com"}').decode()
    identity = Identity(lambda: SimpleNamespace(get_token=lambda *_, **__: AccessToken(f"a.{claims}.c", 4102444800)))
    identity.get_token("scope")
    lake = Boundary(LAKE, "the file system planning of https://lake.dfs.core.windows.net", identity)
    error = lake.error_for(refused(403, "AuthorizationPermissionMismatch"), "create x/y")
    assert "the file system planning of https://lake.dfs.core.windows.net, as ada@example.com" in error.cause.reason
    assert "Storage Blob Data Contributor" in error.cause.remedy


@pytest.mark.parametrize("status", [200, 302, 400, 403, 404, 409])
def test_what_has_no_id_is_no_answer_of_the_service(status: int) -> None:
    error = HttpResponseError(response=answer(status))
    del error.response.headers["x-ms-request-id"]
    assert boundary().error_for(error, "create x").cause.code == "lake_unreadable"


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
    error = boundary().error_for(refused(503, "ServerBusy", headers), "create x")
    assert isinstance(error, RetryableError)
    assert error.retry_after_seconds == seconds


@settings(max_examples=100, deadline=None)
@given(st.integers(100, 599), st.text(max_size=400), st.text(max_size=400))
def test_no_answer_however_odd_breaks_the_classifier(status: int, code: str, header: str) -> None:
    error = boundary().error_for(refused(status, code, {"Retry-After": header, "Date": header}), "create x")
    assert isinstance(error, ExportError)
    assert error.cause.reason.isprintable()
    assert len(error.cause.reason) < 500


def asked(headers: dict[str, str]) -> datetime:
    """The date of an answer with these headers."""
    with boundary().doing("read its properties") as answer:
        answer(SimpleNamespace(http_response=SimpleNamespace(status_code=200, headers=headers)))
    return answer.now


@pytest.mark.parametrize("date", [None, "", "yesterday", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_an_answer_without_a_date_is_an_error_and_no_guess(date: str | None) -> None:
    with pytest.raises(RetryableError, match="without a date"):
        asked(ID if date is None else {**ID, "Date": date})


def test_the_date_of_an_answer_is_utc() -> None:
    now = asked({**ID, "Date": DATE})
    assert now == datetime(2026, 11, 24, 6, tzinfo=UTC)
    assert now.tzinfo is UTC


# Over the wire


CALLS: list[Callable[[AdlsLake], object]] = [
    lambda lake: lake.look("x"),
    lambda lake: lake.create("x"),
    lambda lake: lake.read("x"),
    lambda lake: lake.write("x", b"{}", {}, replacing=None),
    lambda lake: list(lake.list("")),
]


def codes(open_lake: Callable[..., AdlsLake], **options: Any) -> set[tuple[type[ExportError], str]]:
    """What each kind of call raises."""
    found = set()
    adapter = open_lake(**options)
    for call in CALLS:
        with pytest.raises(ExportError) as caught:
            call(adapter)
        found.add((type(caught.value), caught.value.cause.code))
    return found


@pytest.mark.parametrize(
    ("status", "name", "expected"),
    [
        (401, "InvalidAuthenticationInfo", (SetupError, "lake_unauthenticated")),
        (403, "AuthorizationPermissionMismatch", (SetupError, "lake_forbidden")),
        (403, "AuthorizationFailure", (SetupError, "lake_firewalled")),
        (408, "RequestTimeout", (RetryableError, "lake_unavailable")),
        (429, "TooManyRequests", (RetryableError, "lake_throttled")),
        (500, "InternalError", (RetryableError, "lake_unavailable")),
        (503, "ServerBusy", (RetryableError, "lake_throttled")),
        (504, "GatewayTimeout", (RetryableError, "lake_unavailable")),
        (409, "EndpointUnsupportedAccountFeatures", (PermanentError, "lake_not_hierarchical")),
    ],
)
def test_both_protocols_tell_a_refusal_alike_with_and_without_a_body(
    status: int, name: str, expected: tuple[type[ExportError], str], lake: Lake, open_lake: Callable[..., AdlsLake]
) -> None:
    lake.faults.add("any", times=None, then=Answer(status, name))
    assert codes(open_lake) == {expected}


def test_a_file_system_that_is_not_there_is_no_missing_file(open_lake: Callable[..., AdlsLake]) -> None:
    assert codes(open_lake, file_system="nowhere") == {(PermanentError, "lake_file_system_missing")}


def test_a_token_for_something_else_is_the_administrators(open_lake: Callable[..., AdlsLake]) -> None:
    wrong = "emulated:https://vault.azure.net:system:00"
    assert codes(open_lake, token=wrong) == {(SetupError, "lake_unauthenticated")}


def test_no_token_at_all_is_told_by_the_identitys_own_class(open_lake: Callable[..., AdlsLake]) -> None:
    assert codes(open_lake, credential=NoIdentity()) == {(SetupError, "identity_missing")}


def test_a_connection_that_ends_without_an_answer_is_retried(lake: Lake, open_lake: Callable[..., AdlsLake]) -> None:
    lake.faults.add("any", times=None, then=Dropped())
    assert codes(open_lake) == {(RetryableError, "lake_unavailable")}
    assert len(lake.calls) == len(CALLS)


def test_a_lake_that_does_not_answer_in_time_is_retried(
    lake: Lake, open_lake: Callable[..., AdlsLake], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "READ_SECONDS", 0.1)
    lake.faults.add("any", times=None, then=Held(before=True, reached=threading.Event(), release=threading.Event()))
    with pytest.raises(RetryableError, match="TimeoutError") as caught:
        open_lake().create("x")
    assert caught.value.cause.code == "lake_unavailable"


def test_a_lake_that_nobody_listens_for_is_named_so(open_lake: Callable[..., AdlsLake]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(RetryableError, match="ConnectionRefusedError"):
        open_lake(url=f"https://127.0.0.1:{port}/account").look("x")


def test_a_certificate_that_is_not_trusted_is_named_so(
    open_lake: Callable[..., AdlsLake], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nobody = tmp_path / "ca.pem"
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(nobody))
    trustme.CA().cert_pem.write_to_path(nobody)
    with pytest.raises(PermanentError, match="CERTIFICATE_VERIFY_FAILED") as caught:
        open_lake().look("x")
    assert caught.value.cause.code == "certificate_untrusted"


def test_a_ca_bundle_that_is_not_there_is_named_so(
    open_lake: Callable[..., AdlsLake], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "nowhere.pem"))
    assert codes(open_lake) == {(PermanentError, "ca_bundle_unusable")}


@pytest.mark.parametrize(
    ("proxy", "expected"),
    [
        ("ftp://127.0.0.1:1", (PermanentError, "proxy_address")),
        ("http://user:5ec2et@:0x/", (RetryableError, "lake_unavailable")),
        ("http://nowhere.invalid:3128", (SetupError, "host_unknown")),
        ("http://127.0.0.1:1", (RetryableError, "lake_unavailable")),
    ],
)
def test_a_proxy_that_cannot_be_used_is_named_so_without_its_password(
    proxy: str,
    expected: tuple[type[ExportError], str],
    open_lake: Callable[..., AdlsLake],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    lake = open_lake(url="https://lake.dfs.core.windows.net")
    with pytest.raises(ExportError) as caught:
        lake.look("x")
    assert (type(caught.value), caught.value.cause.code) == expected
    assert "5ec2et" not in "".join(traceback.format_exception(caught.value))


def test_a_proxy_that_refuses_the_host_is_named_so(
    open_lake: Callable[..., AdlsLake], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Proxy({}) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.address[1]}")
        assert codes(open_lake, url="https://lake.dfs.core.windows.net") == {(PermanentError, "proxy_forbids")}


def test_a_host_that_does_not_resolve_is_named_so(open_lake: Callable[..., AdlsLake]) -> None:
    assert codes(open_lake, url="https://nowhere.dfs.invalid") == {(SetupError, "host_unknown")}


@pytest.mark.parametrize(
    "call",
    [
        lambda lake: lake.now(),
        lambda lake: lake.look("x"),
        lambda lake: lake.append("x", 0, b"a"),
        lambda lake: lake.read("x"),
        lambda lake: list(lake.list("x")),
        lambda lake: lake.delete("x"),
    ],
)
@pytest.mark.parametrize(("status", "name"), [(409, "Whatever"), (412, "ConditionNotMet")])
def test_a_conflict_where_no_condition_was_sent_is_an_outage(
    call: Callable[[AdlsLake], object], status: int, name: str, lake: Lake, open_lake: Callable[..., AdlsLake]
) -> None:
    lake.faults.add("any", times=None, then=Answer(status, name))
    with pytest.raises(RetryableError):
        call(open_lake())


def test_a_redirect_is_not_followed(lake: Lake, open_lake: Callable[..., AdlsLake]) -> None:
    lake.faults.add("any", times=None, then=Answer(307, "TemporaryRedirect"))
    assert codes(open_lake) == {(RetryableError, "lake_unreadable")}
    assert len(lake.calls) == len(CALLS)


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
    fault: Any, lake: Lake, token: str, open_lake: Callable[..., AdlsLake], caplog: pytest.LogCaptureFixture
) -> None:
    if fault is not None:
        lake.faults.add("any", times=None, then=fault)
    adapter = open_lake()
    for call in CALLS:
        with all_text(caplog) as text:
            call(adapter)
        assert any("x-ms-version" in line for line in text)  # the requests' headers were logged: it would have shown
        assert not any(token in line for line in text)


def test_a_token_that_cannot_be_sent_is_not_quoted(
    open_lake: Callable[..., AdlsLake], caplog: pytest.LogCaptureFixture
) -> None:
    lake = open_lake(token="5ec2e7\nhost: elsewhere")
    with all_text(caplog) as text:
        lake.look("x")
    assert any("identity_unavailable" in line for line in text)
    assert any("ValueError" in line for line in text)
    assert not any("5ec2e7" in line for line in text)
