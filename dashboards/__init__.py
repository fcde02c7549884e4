"""Grafana dashboards as code: `python -m dashboards` writes dashboards/json.

`queries` knows PromQL and the variables, `panels` how each kind of panel looks, `words` the colours and names of
states, `frame` what all boards share and where panels stand. Each board is a module of its own.
"""
