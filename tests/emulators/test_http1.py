"""The one HTTP/1.1 server of the stand-ins, met by http.client and by bytes."""

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from emulators.http1 import Http1, Listener, PortTakenError, Request

PATIENCE_SECONDS = 30.0
seen: list[Request] = []


def serve(connection: socket.socket) -> None:
    """Answer each request with its target, and leave its body unread."""
    exchange = Http1(connection)
    while request := exchange.receive():
        seen.append(request)
        exchange.reply(200, {}, [request.target.encode()])


@pytest.fixture
def listener() -> Iterator[Listener]:
    seen.clear()
    with Listener(serve) as running:
        yield running


def said(listener: Listener, text: bytes) -> bytes:
    """Everything that is answered to some bytes, after which nothing comes."""
    with socket.create_connection(listener.address, timeout=PATIENCE_SECONDS) as connection:
        connection.sendall(text)
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as answer:
            return answer.read()


def test_a_body_that_no_answer_waited_for_is_not_taken_for_the_next_request(listener: Listener) -> None:
    connection = http.client.HTTPConnection(*listener.address, timeout=PATIENCE_SECONDS)
    with closing(connection):
        for target in ("/one", "/two"):
            connection.request("POST", target, b"GET /never HTTP/1.1\r\nHost: x\r\n\r\n" * 99)
            assert connection.getresponse().read() == target.encode()


def test_what_is_no_http_is_answered_400(listener: Listener) -> None:
    for nonsense in (b"hello\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n"):
        assert said(listener, nonsense).startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert seen == []


def test_a_head_answer_has_no_body_and_the_connection_goes_on(listener: Listener) -> None:
    answers = said(listener, b"HEAD /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answers.count(b"HTTP/1.1 200 OK") == 2
    assert b"/a" not in answers
    assert b"/b" in answers


def test_names_keep_their_case_and_what_comes_twice_is_joined(listener: Listener) -> None:
    said(listener, b"GET / HTTP/1.1\r\nHost: x\r\nX-Some: a\r\nx-some: b\r\n\r\n")
    assert seen[0].fields[1:] == (("X-Some", "a"), ("x-some", "b"))
    assert seen[0].headers["x-some"] == "a,b"


def test_a_port_that_is_taken_is_an_error_at_once(listener: Listener) -> None:
    with pytest.raises(PortTakenError, match="is taken"):
        Listener(serve, port=listener.address[1])


def test_a_listener_that_drains_sends_the_answer_under_way() -> None:
    asked, stopping = threading.Event(), threading.Event()

    def slow(connection: socket.socket) -> None:
        exchange = Http1(connection)
        while exchange.receive():
            asked.set()
            assert stopping.wait(PATIENCE_SECONDS)
            exchange.reply(200, {}, [b"whole"])

    listener = Listener(slow, drains=True)
    listener.start()
    connection = http.client.HTTPConnection(*listener.address, timeout=PATIENCE_SECONDS)
    with closing(connection):
        connection.request("GET", "/")
        assert asked.wait(PATIENCE_SECONDS)
        stopper = threading.Thread(target=listener.stop)
        stopper.start()
        while not refuses(listener.address):
            pass
        stopping.set()
        assert connection.getresponse().read() == b"whole"
        stopper.join(PATIENCE_SECONDS)
        assert not stopper.is_alive()


def refuses(address: tuple[str, int]) -> bool:
    """Whether nothing listens there any more."""
    try:
        socket.create_connection(address, timeout=PATIENCE_SECONDS).close()
    except OSError:
        return True
    return False
