"""Measure how fast the inspector proves a CSV, compared with sha256 alone and Python's csv module.

    python -m benchmarks.inspect_speed [MEGABYTES]

Each figure is MB per CPU second: the median of five passes over the same bytes, in the chunks of a transfer.
"""

import csv
import hashlib
import io
import statistics
import sys
import time
from collections.abc import Callable

from pigment_export.transfer.inspector import Inspector
from pigment_export.transfer.stream import CHUNK_BYTES

PASSES = 5
ROWS = 50_000  # different rows, repeated: too many for a processor's branch prediction to learn
SHAPES: dict[str, Callable[[int], str]] = {
    "unquoted, ASCII": lambda i: f"FR{i % 97};Jan 21;{i}.50;{i * 3}.00;Paris region {i % 13}\n",
    "unquoted, not ASCII": lambda i: f"FR{i % 97};Févr. 21;{i}.50;{i * 3}.00;Île-de-France {i % 13} €\n",
    "every text quoted": lambda i: f'"FR{i % 97}";"Jan 21";{i}.50;{i * 3}.00;"Paris region {i % 13}"\n',
    "unquoted, CR LF": lambda i: f"FR{i % 97};Jan 21;{i}.50;{i * 3}.00;Paris region {i % 13}\r\n",
    "one of 1,000 quoted": lambda i: (
        f"FR{i % 97};Jan 21;{i}.50;{i * 3}.00;{'Paris region' if i % 1000 else '"Paris; region"'} {i % 13}\n"
    ),
    "newlines, doubled quotes": lambda i: (
        f'"FR ""{i % 97}""";"Jan\n21";{i}.50;{i * 3}.00;"Paris; region\r\n{i % 13}"\n'
    ),
    "quotes in unquoted text": lambda i: f'FR{i % 97};"Jan 21";{i}.50;{i * 3}.00;pipe of {i % 13}" or more\n',
}

type Chunks = list[bytearray]


def megabytes_per_second(read: Callable[[Chunks], object], chunks: Chunks) -> float:
    """Return the median speed of one way to read all chunks, in MB per CPU second."""
    seconds = []
    for _ in range(PASSES):
        began = time.process_time()
        read(chunks)
        seconds.append(time.process_time() - began)
    return sum(map(len, chunks)) / statistics.median(seconds) / 1e6


def by_inspector(chunks: Chunks) -> int:
    """Count rows with the inspector."""
    inspector = Inspector()
    for chunk in chunks:
        inspector.update(chunk)
    return inspector.finish().rows


def by_sha256(chunks: Chunks) -> str:
    """Only hash."""
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


def by_csv(chunks: Chunks) -> int:
    """Count rows with Python's csv module; a character that the end of the last chunk splits is replaced."""
    text = io.StringIO(b"".join(chunks).decode(errors="replace"), newline="")
    return sum(1 for _ in csv.reader(text, delimiter=";")) - 1


def main() -> None:
    """Print one line for each shape of rows."""
    size = int(sys.argv[1] if len(sys.argv) > 1 else 256) * 1_000_000
    print(f"{'MB per CPU second':26}{'inspector':>10}{'sha256':>10}{'csv':>10}")
    for name, row in SHAPES.items():
        rows = "".join(map(row, range(ROWS))).encode()
        data = b"a;b;c;d;e\n" + rows * (size // len(rows) + 1)
        chunks = [bytearray(data[start : start + CHUNK_BYTES]) for start in range(0, len(data), CHUNK_BYTES)]
        one = chunks[:1]  # csv.reader is slow, and all chunks are alike
        if by_csv(one) != by_inspector(one):
            sys.exit(f"{name}: the inspector and the csv module count different rows")
        speeds = [
            megabytes_per_second(by_inspector, chunks),
            megabytes_per_second(by_sha256, chunks),
            megabytes_per_second(by_csv, one),
        ]
        print(f"{name:26}" + "".join(f"{speed:10,.0f}" for speed in speeds), flush=True)


if __name__ == "__main__":
    main()
