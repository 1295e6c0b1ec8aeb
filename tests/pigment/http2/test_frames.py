"""HTTP/2 without I/O: what a server's bytes come to, however the network cuts them."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded, WindowUpdated
from hypothesis import given, settings
from hypothesis import strategies as st
from requests.exceptions import RequestException

from pigment_export.pigment.http2.exceptions import BodyCut, ProtocolViolation, RequestDropped
from pigment_export.pigment.http2.frames import MAX_FRAME_BYTES, WINDOW_BYTES, Frames
from tests.harness import h2_server as peer

REQUEST = [(b":method", b"GET"), (b":authority", b"a.example"), (b":scheme", b"https"), (b":path", b"/")]
OK = peer.settings() + peer.headers(200, ("content-type", "text/csv"))
Outcome = tuple[int | None, bytes, str]
RESET, GONE_AWAY, CLOSED = "reset the stream", "dropped the request with a GOAWAY", "the connection ended"
TOO_SHORT, TOO_LONG, VIOLATION = "the body ended after", "longer than its Content-Length", "broke HTTP"
FAULTS = (RESET, GONE_AWAY, CLOSED, TOO_SHORT, TOO_LONG, VIOLATION)


def feed(frames: Frames, data: bytes) -> None:
    space = frames.space()
    space[: len(data)] = data
    frames.received(len(data))


def outcome(pieces: Sequence[bytes], *, room: int = 1000, request: Sequence[tuple[bytes, bytes]] = REQUEST) -> Outcome:
    """What the pieces and then the connection's end come to: status, body, `ended` or the fault."""
    frames = Frames(request)
    frames.outgoing(0)
    buffer = memoryview(bytearray(room))
    body = b""
    try:
        for piece in [*pieces, b""]:
            feed(frames, piece)
            while frames.status and (count := frames.take(buffer)):
                body += buffer[:count]
            if frames.ended:
                break
    except RequestException as error:
        (fault,) = [words for words in FAULTS if words in str(error)]
        lost = RequestDropped if frames.status is None else BodyCut
        if type(error) is not (ProtocolViolation if fault is VIOLATION else lost):
            raise
        return frames.status, body, fault
    return frames.status, body, "ended"


def cuts(data: bytes, places: list[int]) -> list[bytes]:
    marks = sorted({0, *(place % len(data) for place in places), len(data)})
    return [data[a:b] for a, b in pairwise(marks)]


EVERYTHING = b"".join(
    [
        peer.settings(INITIAL_WINDOW_SIZE=100_000),
        peer.headers(103, ("link", "</a>")),
        peer.ping(),
        peer.headers(200, ("content-type", "text/csv"), ("content-length", "33"), parts=3),
        peer.data(b"Country;Month\n"),
        peer.settings(MAX_FRAME_SIZE=20_000),
        peer.data(b"", padding=7),
        peer.data(b"FR;Jan 21\n", padding=200),
        peer.raw_frame(0xBE, 0xFF, 1, b"an extension"),
        peer.goaway(1),
        peer.ping(),
        peer.data(b"DE;Feb 21", padding=0),
        peer.data(b""),
        peer.headers(None, ("checksum", "1"), end=True, parts=2),
        peer.reset(0),
    ]
)
BODY = b"Country;Month\nFR;Jan 21\nDE;Feb 21"


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(0, 10_000), max_size=40), st.integers(1, 60))
def test_interim_answers_padding_trailers_and_control_frames_pass_however_they_are_cut(
    places: list[int], room: int
) -> None:
    assert outcome(cuts(EVERYTHING, places), room=room) == (200, BODY, "ended")


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(0, 10_000), max_size=20), st.integers(1, 60), st.sampled_from([0, 2, 8]))
def test_what_came_before_a_reset_is_the_same_however_it_is_cut(places: list[int], room: int, code: int) -> None:
    stream = OK + peer.data(b"Country;") + peer.data(b"Month\n", padding=3) + peer.reset(code)
    assert outcome(cuts(stream, places), room=room) == (200, b"Country;Month\n", RESET)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(EVERYTHING) - 1))
def test_a_connection_that_ends_anywhere_before_the_end_is_lost(place: int) -> None:
    trailers_end = len(EVERYTHING) - len(peer.reset(0))
    expected = CLOSED if place < trailers_end else "ended"
    assert outcome([EVERYTHING[:place]])[2] == expected


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 3))
def test_garbage_is_an_error_and_never_an_end(garbage: bytes, kind: int) -> None:
    prefix = [b"", OK, OK + peer.data(b"a;b\n"), peer.settings()][kind]
    exchange_outcome = outcome([prefix, garbage + b"\xff" * 9])
    assert exchange_outcome[2] != "ended"


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (OK + peer.data(b"a;b\n", end=True), (200, b"a;b\n", "ended")),
        (OK + peer.data(b"a;b\n") + peer.data(b"", end=True), (200, b"a;b\n", "ended")),
        (OK + peer.data(b"a;b\n") + peer.data(b"", end=True, padding=9), (200, b"a;b\n", "ended")),
        (OK + peer.data(b"a;b\n") + peer.headers(None, ("x", "y"), end=True), (200, b"a;b\n", "ended")),
        (peer.settings() + peer.headers(204, end=True), (204, b"", "ended")),
        (peer.settings() + peer.headers(200, ("content-length", "0"), end=True), (200, b"", "ended")),
        (OK + peer.data(b"a;b\n", end=True) + peer.reset(0), (200, b"a;b\n", "ended")),
        (OK + peer.goaway(1) + peer.data(b"a;b\n", end=True), (200, b"a;b\n", "ended")),
        (OK + peer.goaway(2**31 - 1) + peer.goaway(1, 2) + peer.data(b"a;b\n", end=True), (200, b"a;b\n", "ended")),
    ],
)
def test_a_body_ends_by_end_stream(stream: bytes, expected: Outcome) -> None:
    assert outcome([stream]) == expected


def sized(length: int) -> bytes:
    return peer.settings() + peer.headers(200, ("content-length", str(length)))


@pytest.mark.parametrize(
    ("fault", "stream"),
    [
        (RESET, peer.settings() + peer.reset(7)),
        (RESET, OK + peer.data(b"a;b\n") + peer.reset(0)),
        (RESET, sized(4) + peer.data(b"a;b\n") + peer.reset(0)),
        (GONE_AWAY, peer.settings() + peer.goaway(0)),
        (GONE_AWAY, OK + peer.data(b"a;b\n") + peer.goaway(0, 2)),
        (GONE_AWAY, OK + peer.goaway(1) + peer.data(b"a;b\n") + peer.goaway(0)),
        (CLOSED, OK + peer.data(b"a;b\n")),
        (CLOSED, OK + peer.goaway(1) + peer.data(b"a;b\n")),
        (TOO_SHORT, sized(5) + peer.data(b"a;b\n", end=True)),
        (TOO_SHORT, sized(5) + peer.data(b"a;b\n") + peer.headers(None, ("x", "y"), end=True)),
        (TOO_SHORT, peer.settings() + peer.headers(200, ("content-length", "1"), end=True)),
        (TOO_LONG, sized(3) + peer.data(b"a;b\n", end=True)),
        (TOO_LONG, sized(3) + peer.data(b"a;b") + peer.data(b"\n")),
        (TOO_LONG, sized(0) + peer.data(b"a") + peer.headers(None, ("x", "y"), end=True)),
        (VIOLATION, peer.settings() + peer.data(b"before headers")),
        (VIOLATION, OK + peer.data(b"on another", stream=3)),
        (VIOLATION, OK + peer.data(b"on another", stream=2)),
        (VIOLATION, OK + peer.raw_frame(0, 0, 0, b"x")),
        (VIOLATION, OK + peer.raw_frame(0, 0x8, 1, b"\x04abc")),  # padding as long as what is left, and one
        (VIOLATION, OK + peer.raw_frame(0, 0x8, 1, b"")),  # said to be padded, without a length
        (VIOLATION, OK + (MAX_FRAME_BYTES + 1).to_bytes(3) + bytes([0, 0]) + (1).to_bytes(4)),
        (VIOLATION, peer.settings() + (MAX_FRAME_BYTES + 1).to_bytes(3) + bytes([1, 4]) + (1).to_bytes(4)),
        (VIOLATION, OK + peer.raw_frame(0x1, 0x0, 1, b"") + peer.data(b"within a header block")),
        (VIOLATION, OK + peer.raw_frame(0x1, 0x0, 1, b"") + peer.goaway(1)),
        (VIOLATION, OK + peer.raw_frame(0x1, 0x0, 1, b"") + peer.ping()),
        (VIOLATION, OK + peer.raw_frame(0x9, 0x4, 1, b"")),  # CONTINUATION of nothing
        (VIOLATION, OK + peer.raw_frame(0x5, 0x4, 1, (2).to_bytes(4))),  # a push, which was declined
        (VIOLATION, OK + peer.raw_frame(0x7, 0, 0, bytes(7))),  # GOAWAY, too short
        (VIOLATION, OK + peer.raw_frame(0x7, 0, 1, bytes(8))),  # GOAWAY of a stream
        (VIOLATION, OK + peer.raw_frame(0x6, 0, 0, bytes(7))),  # PING, too short
        (VIOLATION, OK + peer.raw_frame(0x8, 0, 1, bytes(4))),  # a window opened by nothing
        (VIOLATION, OK + peer.window_update(1, 2**31 - 1)),
        (VIOLATION, OK + peer.data(b"a;b\n") + peer.headers(None, ("x", "y"))),  # trailers that end nothing
        (VIOLATION, peer.settings() + peer.headers(200, ("content-length", "1"), ("content-length", "2"))),
        (VIOLATION, peer.settings() + peer.headers(200, ("content-length", "-1"))),
        (VIOLATION, peer.settings() + peer.headers(None, ("x", "y"))),  # no status
        (VIOLATION, peer.settings() + peer.raw_frame(0x1, 0x4, 1, b"\xff\xff\xff\xff\xff\xff")),  # no HPACK
        (VIOLATION, b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    ],
)
@pytest.mark.parametrize("at_once", [True, False])
def test_any_other_end_is_a_named_fault(fault: str, stream: bytes, at_once: bool) -> None:  # noqa: FBT001 - parametrized
    pieces = [stream] if at_once else [stream[i : i + 1] for i in range(len(stream))]
    assert outcome(pieces)[2] == fault


def test_a_status_that_is_no_number_is_a_violation() -> None:
    block = peer.Encoder().encode([(":status", "²00")])
    assert outcome([peer.settings() + peer.raw_frame(0x1, 0x4, 1, block)])[2] == VIOLATION


def test_the_text_of_a_fault_says_how_far_the_body_came_and_after_what() -> None:
    frames = Frames(REQUEST)
    feed(frames, OK + peer.data(b"x" * 1234) + peer.goaway(1, 0xB))
    buffer = memoryview(bytearray(5000))
    assert frames.take(buffer) == 1234
    with pytest.raises(BodyCut, match=r"after 1,234 bytes of the body, after a GOAWAY \(ENHANCE_YOUR_CALM\)"):
        frames.received(0)


def server() -> H2Connection:
    """h2's own idea of the other side: it raises where the client's bytes are wrong."""
    connection = H2Connection(H2Configuration(client_side=False))
    connection.initiate_connection()
    return connection


def test_windows_are_given_back_as_bytes_are_consumed_and_past_two_to_the_31() -> None:
    """The judge of every WINDOW_UPDATE is h2 as the server: it raises on a window that overflows."""
    frames = Frames(REQUEST)
    judge = server()
    judge.receive_data(frames.outgoing(0))
    judge.send_headers(1, [(":status", "200")])
    feed(frames, judge.data_to_send())
    judge.receive_data(frames.outgoing(0))  # SETTINGS, acknowledged
    assert judge.local_flow_control_window(1) == WINDOW_BYTES
    frame = peer.data(bytes(MAX_FRAME_BYTES))
    stream, connection = judge.streams[1], judge
    buffer = memoryview(bytearray(MAX_FRAME_BYTES))
    given_back = sent = 0
    updates = 0
    while sent <= 2**31:
        # As `judge.send_data` would count, without the two gigabytes: a frame is moved, the next 255 only counted.
        feed(frames, frame)
        assert frames.take(buffer) == MAX_FRAME_BYTES
        frames._window -= 255 * MAX_FRAME_BYTES
        frames._consumed += 255 * MAX_FRAME_BYTES
        frames._body_bytes += 255 * MAX_FRAME_BYTES
        for side in (stream, connection):
            side.outbound_flow_control_window -= 256 * MAX_FRAME_BYTES
        sent += 256 * MAX_FRAME_BYTES
        for event in judge.receive_data(frames.outgoing(0)):
            assert isinstance(event, WindowUpdated)
            updates += 1
            given_back += event.delta
        assert 0 < judge.local_flow_control_window(1) <= WINDOW_BYTES
        assert frames._window >= judge.local_flow_control_window(1)
    assert given_back > 2 * (2**31 - WINDOW_BYTES)  # for the stream and for the connection
    assert updates < 1000
    feed(frames, peer.data(b"end", end=True))
    assert frames.take(buffer) == 3
    assert frames.ended


@pytest.mark.parametrize("padding", [None, 255])
def test_a_window_that_nobody_consumes_stays_shut_and_more_is_a_violation(padding: int | None) -> None:
    frames = Frames(REQUEST)
    feed(frames, OK)
    frame = peer.data(bytes(16_000), padding=padding)
    flow = len(frame) - 9
    frames._window = flow * 2 - 1
    buffer = memoryview(bytearray(16_000))
    feed(frames, frame)
    assert frames.take(buffer) == 16_000
    feed(frames, frame)
    with pytest.raises(ProtocolViolation, match="window"):
        frames.take(buffer)


def test_no_window_is_given_back_for_what_was_not_taken() -> None:
    frames = Frames(REQUEST)
    feed(frames, OK)
    frames.outgoing(0)
    frames._consumed = WINDOW_BYTES // 2 - 1
    feed(frames, peer.data(b"abcd"))
    frames.take(memoryview(bytearray(3)))
    assert frames.outgoing(0) == b""
    frames.take(memoryview(bytearray(3)))
    assert frames.outgoing(0) != b""


def test_ping_and_settings_are_answered_also_after_a_goaway_that_spares_us() -> None:
    frames = Frames(REQUEST)
    feed(frames, OK + peer.data(b"a") + peer.goaway(1))
    frames.take(memoryview(bytearray(9)))
    frames.outgoing(0)
    feed(frames, peer.ping() + peer.settings())
    frames.take(memoryview(bytearray(9)))
    assert frames.outgoing(0) == peer.raw_frame(6, 1, 0, b"12345678") + peer.raw_frame(4, 1, 0, b"")


def test_push_is_declined_and_the_window_opened_at_once() -> None:
    sent = Frames(REQUEST).outgoing(0)
    judge = server()
    events = judge.receive_data(sent)
    assert judge.remote_settings.enable_push == 0
    assert judge.remote_settings.max_frame_size == MAX_FRAME_BYTES
    assert any(isinstance(event, RequestReceived) for event in events)


@settings(max_examples=40, deadline=None)
@given(
    body=st.binary(min_size=1, max_size=400_000),
    window=st.integers(1, 100_000),
    frame=st.integers(16_384, 50_000),
    most=st.integers(1, 70_000),
)
def test_a_request_body_obeys_windows_and_frame_size(body: bytes, window: int, frame: int, most: int) -> None:
    frames = Frames([(b":method", b"POST"), *REQUEST[1:]], body)
    judge = server()
    judge.update_settings({4: window, 5: frame})
    received = b""
    ended = False
    while not ended:
        sent = frames.outgoing(most)
        for event in judge.receive_data(sent):  # raises where a window or the frame size is exceeded
            if isinstance(event, DataReceived):
                received += event.data
                if event.flow_controlled_length and not event.stream_ended:
                    judge.increment_flow_control_window(event.flow_controlled_length)
                    judge.increment_flow_control_window(event.flow_controlled_length, 1)
            ended = ended or isinstance(event, StreamEnded)
        answer = judge.data_to_send()
        assert sent or answer or ended
        if answer:
            feed(frames, answer)
    assert received == body


def test_an_early_answer_stops_the_request_body() -> None:
    frames = Frames([(b":method", b"POST"), *REQUEST[1:]], bytes(1_000_000))
    first = frames.outgoing(10_000)
    feed(frames, peer.settings(INITIAL_WINDOW_SIZE=2**30) + peer.window_update(0, 2**30) + peer.headers(413, end=True))
    assert len(first) < 11_000
    assert frames.status == 413
    assert frames.ended
    assert len(frames.outgoing(10_000)) < 100  # the acknowledgement of SETTINGS alone


def test_a_reset_before_the_body_is_out_is_a_fault() -> None:
    frames = Frames([(b":method", b"POST"), *REQUEST[1:]], bytes(1_000_000))
    frames.outgoing(10_000)
    with pytest.raises(RequestDropped, match=r"reset the stream \(REFUSED_STREAM\) before it answered"):
        feed(frames, peer.settings() + peer.reset(7))


def test_an_unknown_code_is_shown_as_a_number() -> None:
    frames = Frames(REQUEST)
    with pytest.raises(RequestDropped, match=r"reset the stream \(0xdead\)"):
        feed(frames, peer.settings() + peer.reset(0xDEAD))
