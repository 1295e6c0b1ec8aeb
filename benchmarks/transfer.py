"""The whole transfer beside what else would do: Pigment over HTTP/2 and TLS, all proofs, ADLS Gen2 over TLS.

    make bench        (or: python -m benchmarks.transfer [--sizes 1 100 1000] [--repeats 5] [--write])

nginx is source and sink: it serves the CSV from memory, takes every append, block and flush, and keeps none of them.
Each contender runs in a process of its own, all in turns, so that a busy machine disturbs all alike. CPU and peak
memory are those of its processes, start-up included. `--write` puts the table into `docs/benchmarks.md`.

Needs nginx, rclone and curl (Debian: `apt-get install nginx-light rclone curl`) and Linux.
"""

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks import contenders
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


@dataclass(frozen=True, slots=True)
class Figures:
    """One run of one contender."""

    seconds: float
    cpu_seconds: float
    peak_mib: float


def make_csv(path: Path, rows: str, size: int) -> None:
    """Write rows of a shape until the file has that many bytes, to the end of a row."""
    block = "".join(map(ROWS[rows], range(200_000))).encode()
    with path.open("wb") as file:
        file.write(HEADERS[rows].encode())
        while file.tell() + len(block) < size:
            file.write(block)
        file.write(block[: block.rfind(b"\n", 0, max(1, size - file.tell())) + 1])


# In a small process: a child's peak begins with that of the process which forked it.
LAUNCH = """
import resource, subprocess, sys, time
began = time.perf_counter()
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
seconds, used = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
print(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
"""


def run(command: list[str], environ: dict[str, str]) -> Figures:
    """Run a command and measure it and what it started."""
    launched = [sys.executable, "-S", "-c", LAUNCH, *command]
    done = subprocess.run(launched, env=environ, stdout=subprocess.PIPE, text=True, check=True)
    return Figures(*map(float, done.stdout.split()))


def measure(servers: Servers, name: str, repeats: int, chosen: list[str]) -> dict[str, list[Figures]]:
    """Run every contender in turns."""
    commands = {who: make(servers, name) for who, make in contenders.COMMANDS.items() if who in chosen}
    found: dict[str, list[Figures]] = {who: [] for who in commands}
    for _ in range(repeats):
        for who, command in commands.items():
            found[who].append(run(command, servers.environ))
    return found


def rows_of(what: str, size: int, found: dict[str, list[Figures]]) -> list[str]:
    """Return lines of the table: medians, and the spread of the throughput."""
    lines = []
    for who, figures in found.items():
        rates = [size / 1e6 / each.seconds for each in figures]
        cpu = statistics.median(each.cpu_seconds for each in figures)
        peak = statistics.median(each.peak_mib for each in figures)
        lines.append(
            f"| {what} | {who} | {statistics.median(rates):,.0f} | {min(rates):,.0f} to {max(rates):,.0f} "
            f"| {cpu:.2f} | {cpu / size * 1e9:.2f} | {peak:,.0f} |"
        )
    return lines


def cases(sizes: list[int]) -> list[tuple[str, str, int, bool]]:
    """Return name, shape of rows, bytes, and whether the source sends gzip, of what is measured."""
    found = [(f"{size:,} MB, narrow rows", "narrow", size * 1_000_000, False) for size in sizes]
    middle = sorted(sizes)[len(sizes) // 2] * 1_000_000
    found += [(f"{middle // 1_000_000:,} MB, {shape} rows", shape, middle, False) for shape in ("wide", "quoted")]
    return [*found, (f"{middle // 1_000_000:,} MB, narrow rows, gzip from the source", "narrow", middle, True)]


def main() -> None:
    """Measure, print, and write the page if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 100, 1000], metavar="MB")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", nargs="+", default=list(contenders.COMMANDS), choices=contenders.COMMANDS)
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    options = parser.parse_args()
    lines = [
        "| what | way | MB/s | spread | CPU s | CPU s per GB | peak MiB |",
        "|---|---|---|---|---|---|---|",
    ]
    print(*lines, sep="\n")
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - RAM: the disk is not to be measured
    for what, shape, size, is_gzip in cases(options.sizes):
        with tempfile.TemporaryDirectory(dir=memory) as name, serving(Path(name)) as servers:
            csv = Path(name) / "export.csv"
            make_csv(csv, shape, size)
            if is_gzip:
                subprocess.run(["gzip", "--keep", "-1", csv], check=True)  # nginx's gzip_static finds it
            chosen = [who for who in options.only if is_gzip or "gzip" not in who]
            more = rows_of(what, csv.stat().st_size, measure(servers, csv.name, options.repeats, chosen))
            print(*more, sep="\n", flush=True)
            lines += more
    if options.write:
        write(lines, sys.argv[1:])


def write(lines: list[str], arguments: list[str]) -> None:
    """Put the table between the page's marks, with the command and the machine that made it."""
    before, mark, rest = PAGE.read_text().partition("<!-- transfer -->\n")
    _, closing, after = rest.partition("<!-- /transfer -->")
    rclone = subprocess.run(["rclone", "version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
    made = f"`python -m benchmarks.transfer {' '.join(arguments)}`, {os.cpu_count()} cores, Python "
    made += f"{platform.python_version()}, {rclone}.\n\n"
    PAGE.write_text(before + mark + made + "\n".join(lines) + "\n" + closing + after)


if __name__ == "__main__":
    for program in ("nginx", "rclone", "curl"):
        if not shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin"):
            sys.exit(f"{program} is missing: apt-get install nginx-light rclone curl")
    main()
