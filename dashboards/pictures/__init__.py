"""Pictures of the boards: `python -m dashboards.pictures`, or `make pictures`.

`town` lets bots trade while their brokers misbehave, under the eyes of a real Prometheus; `answers` asks it what the
committed boards ask; `drawing` draws the answers with Grafana's own panels in a browser without a window.
"""
