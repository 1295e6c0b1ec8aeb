"""What comes with status 200 and is no CSV is refused by its head or its first bytes; a CSV never is."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from pigment_export.errors import RetryableError
from pigment_export.pigment.evidence import SNIFFED_BYTES, refusal_of_beginning, refusal_of_head


@pytest.mark.parametrize(
    "page",
    [
        b"<!DOCTYPE html><html>",
        b"  \r\n\t<html>",
        b"\xef\xbb\xbf<html>",
        b"<script>location = '/login'</script>",
        b"<title>Sign in; please</title>",
        b"<META charset=utf-8>",
        b"<!-- proxy; error -->",
        b'<?xml version="1.0"?><Error/>',
        b"<Error><Code>AccessDenied</Code></Error>",
        b"<soap:Envelope/>",
        b"</html>",
        b"<h1>502 Bad Gateway</h1>",
        b"<anything>else without a delimiter</anything>",
        b"PK\x03\x04rest",
        b"%PDF-1.7",
        gzip.compress(b"a;b\n", mtime=0),
        b"\xff\xfea\0;\0b\0",
        b'{"error": 1',
        b'[{"a"',
        b"[1, 2]",
        b" " * SNIFFED_BYTES,
        b"\n" * (SNIFFED_BYTES - 7) + b"<html>!",
    ],
)
def test_a_page_a_document_or_an_archive_is_refused(page: bytes) -> None:
    error = refusal_of_beginning(page[:SNIFFED_BYTES], b";")
    assert isinstance(error, RetryableError)
    assert error.cause.code == "pigment_error_page"


@pytest.mark.parametrize(
    "csv",
    [
        b"",
        b"\n",
        b"Country;Month\n",
        b"\xef\xbb\xbfCountry;Month\n",
        b"<none>;Month\n",
        b"<Total>;<Region>\n",
        b'"Country"\n"FR"\n',
        b"[Country];{Month}\n",
        b"Country\n",
        b" Country;Month\n",
        b"PK;b\n",
    ],
)
def test_a_csv_is_not_refused(csv: bytes) -> None:
    assert refusal_of_beginning(csv, b";") is None


@given(st.binary(max_size=SNIFFED_BYTES))
def test_no_beginning_raises(beginning: bytes) -> None:
    refusal_of_beginning(beginning, b";")


@pytest.mark.parametrize("media_type", ["text/html; charset=utf-8", "APPLICATION/JSON", "application/pdf", "image/png"])
def test_another_media_type_is_refused(media_type: str) -> None:
    error = refusal_of_head(CaseInsensitiveDict({"content-type": media_type}))
    assert error is not None
    assert error.cause.code == "pigment_error_page"


@pytest.mark.parametrize("media_type", ["", "text/csv", "Text/Plain; charset=utf-8", "application/octet-stream"])
def test_a_csvs_media_type_is_not(media_type: str) -> None:
    assert refusal_of_head(CaseInsensitiveDict({"content-type": media_type})) is None
    assert refusal_of_head({}) is None


def test_a_part_of_a_body_is_refused() -> None:
    error = refusal_of_head(CaseInsensitiveDict({"content-type": "text/csv", "content-range": "bytes 0-9/20"}))
    assert error is not None
    assert error.cause.code == "pigment_partial"
