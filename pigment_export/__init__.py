"""Pigment exports to ADLS Gen2: a file in the lake is whole and proven, or not there.

The folders are the architecture: each imports only from those below it (docs/architecture.md; a test holds them to it).

- `cli`: what a person types and sees.
- `wiring`: settings and identity become ready parts, built once, on first use.
- `app`: what the functions do: HTTP and its schemas, access, health.
- `runs`: one triggering, many exports: schedule, plan, claim, follow, messages, finish, housekeeping, sweep.
- `delivery`: one export of one run: decide, stage, publish, and reconcile the records with the destination.
- `transfer`: bytes, and their proof.
- `catalog`: what is exported.
- `lake`: where things lie, and what is asked of a lake; no SDK.
- `pigment` implements what `transfer` asks for, over `http2`, a small library of its own.
- `azure` implements what `lake` asks for, with Azure's SDKs.
- `settings` serves `wiring` and `app`; `keys` serves `wiring`, `pigment` and `azure`; `cron`, `environment`, `errors`,
  `events`, `network` and `retry` serve all.
"""

__version__ = "0.1.0"
