"""Pigment exports to ADLS Gen2: a file in the lake is complete and proven, or not there.

The folders are the architecture: each imports only from those below it (docs/architecture.md; a test checks this).

- `cli`: the command line.
- `wiring`: builds the parts from settings and identity, once, on first use.
- `app`: the functions: HTTP and its schemas, access, health.
- `runs`: runs of many exports: schedule, plan, claim, follow, messages, finish, housekeeping, sweep.
- `delivery`: one export of one run: decide, stage, publish, and reconcile the records with the destination.
- `transfer`: streams bytes and proves them.
- `catalog`: the exports of a deployment.
- `lake`: paths and the interface of a lake; no SDK.
- `pigment` implements the source of `transfer`, over `http2`, a small library.
- `azure` implements the interface of `lake`, with Azure's SDKs.
- `settings` serves `wiring` and `app`; `keys` serves `wiring`, `pigment` and `azure`; `cron`, `environment`, `errors`,
  `events`, `network` and `retry` serve all.
"""

__version__ = "0.1.0"
