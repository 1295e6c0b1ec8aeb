"""Compare the whole transfer with alternatives: Pigment over HTTP/2 and TLS, all proofs, ADLS Gen2 over TLS.

    make bench        (or: python -m benchmarks.transfer [--tables TABLE ...] [--repeats 5] [--scale 1.0] [--write])

Tables: `ways` (this app and others), `profile` (its parts, each alone), `chunks` (their size, and how many are in
flight), `together` (parallel exports, and many small ones). `--write` puts them into `docs/benchmarks.md`.

nginx is source and sink: it serves the CSV from memory, accepts every append, block and flush, and keeps none of them.
Each contender runs in its own process, all in turns, so that a busy machine affects all equally. CPU and peak
memory are those of its processes, start-up included.

Needs nginx, rclone and curl (Debian: `apt-get install nginx-light rclone curl`), Linux, and as much free memory as
the largest file.
"""

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contenders import GZIPPED, OURS, PARTS, RCLONE, WAYS, Way, python
from benchmarks.servers import Servers, serving

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
ROWS: dict[str, Callable[[int], str]] = {
    "narrow": lambda i: f"FR{i % 97};{i % 28};{i * 7919 % 9973}.{i % 100}\n",
    "wide": lambda i: (
        f"FR{i % 97};January 2021;{i * 7919 % 9973}.{i % 100};The region of Paris and what lies around {i % 13};"
        f"A longer text, as comments are;{i}\n"
    ),
    "quoted": lambda i: f'"FR{i % 97}";"Jan 21";"{i * 7919 % 9973}.{i % 100}"\n',
}
HEADERS = {"narrow": "a;b;c\n", "wide": "a;b;c;d;e;f\n", "quoted": '"a";"b";"c"\n'}


HEAD = ("what", "way", "MB/s", "spread", "CPU s", "CPU s per GB", "peak MiB")

type Table = Iterator[tuple[str, ...]]  # its head, then each row after its measurement


@dataclass(frozen=True, slots=True)
class Figures:
    """The output of one run of one contender, and its time and memory."""

    seconds: float
    cpu_seconds: float
    peak_mib: float
    printed: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Options:
    """The size of a benchmark.

    Attributes:
        repeats: of each contender; fewer for the long ones.
        scale: factor for all sizes except the smallest.
    """

    repeats: int
    scale: float

    def bytes(self, megabytes: int) -> int:
        """Return the size of a file."""
        return int(megabytes * 1_000_000 * self.scale)


def make_csv(path: Path, rows: str, size: int) -> None:
    """Write whole rows of a shape, up to that many bytes."""
    block = "".join(map(ROWS[rows], range(200_000))).encode()
    with path.open("wb") as file:
        file.write(HEADERS[rows].encode())
        while file.tell() + len(block) < size:
            file.write(block)
        file.write(block[: block.rfind(b"\n", 0, max(1, size - file.tell())) + 1])


@contextmanager
def source_of(rows: str, size: int, *, is_gzip: bool = False) -> Iterator[tuple[Servers, Path]]:
    """Serve a CSV; yield the servers and the file."""
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - RAM: the disk must not affect the figures
    with tempfile.TemporaryDirectory(dir=memory) as name, serving(Path(name)) as servers:
        file = Path(name) / "export.csv"
        make_csv(file, rows, size)
        if is_gzip:
            subprocess.run(["gzip", "--keep", "-1", file], check=True)  # nginx's gzip_static finds it
        yield servers, file


# In a small process: a child's peak memory begins with that of the process that forked it.
LAUNCH = """
import resource, subprocess, sys, time
began = time.perf_counter()
done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, text=True, check=True)
seconds, used = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
printed = done.stdout if "benchmarks.contenders" in sys.argv else ""
print(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, printed)
"""


def run(command: list[str], environ: dict[str, str]) -> Figures:
    """Run a command; measure it with its children."""
    launched = [sys.executable, "-S", "-c", LAUNCH, *command]
    done = subprocess.run(launched, env=environ, stdout=subprocess.PIPE, text=True, check=True)
    seconds, cpu_seconds, peak_mib, *printed = map(float, done.stdout.split())
    return Figures(seconds, cpu_seconds, peak_mib, tuple(printed))


def measure(servers: Servers, file: Path, ways: dict[str, Way], repeats: int) -> dict[str, list[Figures]]:
    """Run every contender in turns."""
    found: dict[str, list[Figures]] = {who: [] for who in ways}
    for _ in range(repeats):
        for who, way in ways.items():
            found[who].append(run(way(servers, file), servers.environ))
    return found


def median(figures: list[Figures], of: Callable[[Figures], float]) -> float:
    """Return the median of one figure."""
    return statistics.median(map(of, figures))


def row(what: str, who: str, size: int, figures: list[Figures]) -> tuple[str, ...]:
    """Return a line of the table: medians, and the spread of the throughput."""
    rates = [size / 1e6 / each.seconds for each in figures]
    cpu = median(figures, lambda each: each.cpu_seconds)
    return (
        what,
        who,
        f"{statistics.median(rates):,.0f}",
        f"{min(rates):,.0f} to {max(rates):,.0f}",
        f"{cpu:.2f}",
        f"{cpu / size * 1e9:.2f}",
        f"{median(figures, lambda each: each.peak_mib):,.0f}",
    )


def ways(options: Options) -> Table:
    """Compare this app with others."""
    plain = {who: way for who, way in WAYS.items() if who != GZIPPED}
    largest = {who: WAYS[who] for who in (OURS, RCLONE)}
    packed = {who: WAYS[who] for who in (OURS, GZIPPED, RCLONE)}
    few = min(options.repeats, 3)
    cases = [
        ("narrow", 1_000_000, plain, options.repeats),
        *((shape, options.bytes(100), plain, options.repeats) for shape in ROWS),
        ("narrow", options.bytes(1000), plain, options.repeats),
        ("narrow", options.bytes(1000), packed, few),
        ("narrow", options.bytes(5000), largest, few),
    ]
    yield HEAD
    for shape, size, chosen, repeats in cases:
        what = f"{size / 1e6:,.0f} MB, {shape} rows" + (", gzip from the source" if chosen is packed else "")
        with source_of(shape, size, is_gzip=chosen is packed) as (servers, file):
            for who, figures in measure(servers, file, chosen, repeats).items():
                yield row(what, who, file.stat().st_size, figures)


def profile(options: Options) -> Table:
    """Measure the parts of this app, each alone, without the start-up."""
    yield ("rows", *PARTS[1:], "all that is left", "the whole", "start-up, s")
    for shape in ROWS:
        with source_of(shape, options.bytes(1000)) as (servers, file):
            commands = {name: python(name) for name in (*PARTS, "export")}
            found = measure(servers, file, commands, min(options.repeats, 3))
            size = file.stat().st_size
        start = median(found["start"], lambda each: each.cpu_seconds)
        above = {
            name: (median(figures, lambda each: each.cpu_seconds) - start) / size * 1e9
            for name, figures in found.items()
        }
        parts = [above[name] for name in PARTS[1:]]
        figures = (*parts, above["export"] - sum(parts), above["export"], start)
        yield (shape, *(f"{figure:.2f}" for figure in figures))


def chunks(options: Options) -> Table:
    """Measure sizes of chunks, and numbers of appends in flight."""
    yield HEAD
    tried = [(mib, 2) for mib in (1, 4, 8, 16, 32)] + [(8, flight) for flight in (1, 3, 4)]
    ways_tried = {
        f"chunks of {mib} MiB, {flight} in flight": python(f"export chunk={mib} flight={flight}")
        for mib, flight in tried
    }
    with source_of("narrow", options.bytes(400)) as (servers, file):
        size = file.stat().st_size
        for who, figures in measure(servers, file, ways_tried, options.repeats).items():
            yield row(f"{size / 1e6:,.0f} MB, narrow rows", who, size, figures)


def together(options: Options) -> Table:
    """Measure parallel exports in one process, and many small ones one after another."""
    yield ("what", "MB/s in all", "CPU s per GB", "peak MiB", "seconds of the first and the last to end")
    with source_of("narrow", options.bytes(400)) as (servers, file):
        tried = {at_once: python(f"export at_once={at_once}") for at_once in (1, 2, 3)}
        found = measure(servers, file, {str(at_once): way for at_once, way in tried.items()}, options.repeats)
        for at_once, figures in found.items():
            megabytes, size = file.stat().st_size / 1e6, int(at_once) * file.stat().st_size
            ends = (median(figures, lambda each: min(each.printed)), median(figures, lambda each: max(each.printed)))
            _, _, rate, _, _, cpu, peak = row("", "", size, figures)
            yield (f"{at_once} of {megabytes:,.0f} MB at once", rate, cpu, peak, f"{ends[0]:.2f}, {ends[1]:.2f}")
    with source_of("narrow", 1000) as (servers, file):
        some, more = 10, 210
        commands = {str(times): python(f"export times={times}") for times in (some, more)}
        found = measure(servers, file, commands, options.repeats)
        few, many = found[str(some)], found[str(more)]
        count = more - some
        cpu = (median(many, lambda each: each.cpu_seconds) - median(few, lambda each: each.cpu_seconds)) / count
        each_takes = median(many, lambda each: statistics.median(each.printed))
        peak = median(many, lambda each: each.peak_mib)
        yield (
            f"{count} of 1 KB, one after another",
            "",
            f"{cpu * 1000:.1f} ms each",
            f"{peak:,.0f}",
            f"{each_takes * 1000:.1f} ms each",
        )


TABLES: dict[str, Callable[[Options], Table]] = {
    "ways": ways,
    "profile": profile,
    "chunks": chunks,
    "together": together,
}


def main() -> None:
    """Measure, print, and with `--write` update the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", nargs="+", default=list(TABLES), choices=TABLES, metavar="TABLE")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="of the files' sizes, e.g. 0.1 for a quick trial")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/benchmarks.md")
    asked = parser.parse_args()
    for name in asked.tables:
        lines = []
        for cells in TABLES[name](Options(asked.repeats, asked.scale)):
            more = [f"| {' | '.join(cells)} |", *(["|" + "---|" * len(cells)] if not lines else [])]
            print(*more, sep="\n", flush=True)
            lines += more
        if asked.write:
            write(name, lines, asked.repeats, asked.scale)


def write(name: str, lines: list[str], repeats: int, scale: float) -> None:
    """Put a table between the page's marks, with its command, machine and versions."""
    before, mark, rest = PAGE.read_text().partition(f"<!-- {name} -->\n")
    _, closing, after = rest.partition(f"<!-- /{name} -->")
    rclone = subprocess.run(["rclone", "version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
    scaled = "" if scale == 1 else f" --scale {scale:g}"
    made = (
        f"`python -m benchmarks.transfer --tables {name} --repeats {repeats}{scaled}`, {os.cpu_count()} cores, Python "
    )
    made += f"{platform.python_version()}, {rclone}.\n\n"
    PAGE.write_text(before + mark + made + "\n".join(lines) + "\n" + closing + after)


if __name__ == "__main__":
    for program in ("nginx", "rclone", "curl"):
        if not shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin"):
            sys.exit(f"{program} is missing: apt-get install nginx-light rclone curl")
    main()
