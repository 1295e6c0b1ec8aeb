"""Pigment exports to ADLS Gen2: a file in the lake is whole and proven, or not there.

The map, from the outside in (docs/architecture.md has the picture; a test holds imports to it):

- `cli`: what a person types and sees. `wiring`: settings and identity to ready parts.
- `triggers`: what each function of the app does. `gate`: who may call. `api`: the answers about runs, in the words of
  `contract`. `health`: whether the app can work.
- `runs`: a run, claimed, repeated, followed. `messages`: the queue's. `tending`: what nobody else would end, hourly, by
  an `overview` of all runs; `sweeping`: what it removes. `ending`: what a run came to.
- `delivery`: the steps of one export. `settling`: its records made to agree. `staging`: its file before anybody sees
  it. `transfer`: its bytes.
- `pigment`: Pigment's API, over `http2` (`channels`, `frames`, `wire`) and `inflate`; `failures`: what its errors mean.
- `lake`, `records`: ADLS Gen2. `vault`: Key Vault. `azure_requests`, `azure_errors`: what all calls to Azure share.
- `folder`: a local folder. `catalog`, `settings`: what people configure.
- Pure rules: `decisions`, `plan`, `receipts`, `descriptions`, `layout`, `ports`, `exports`, `options`, `integrity`,
  `guards`, `answers`, `deadline`, `events`, `errors`.
"""

__version__ = "0.1.0"
