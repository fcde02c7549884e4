"""No board is ragged, mute, or tied to one Grafana."""

import json
import re
from itertools import combinations, groupby
from typing import Any

import pytest

from tests.dashboards.support import FILES, asked, committed, panels, variables

every_board = pytest.mark.parametrize("file", FILES)

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
UIDS = {
    "fleet.json": "sidecar-fleet",
    "broker.json": "sidecar-broker",
    "limits.json": "sidecar-limits",
    "orders.json": "sidecar-orders",
    "alerts.json": "sidecar-alerts",
    "sidecar.json": "sidecar-process",
}
"""Bookmarks and links of people hold these: they never change."""


def test_there_are_boards() -> None:
    assert set(FILES) == set(UIDS)


OF_NO_CALL = ("sidecar_store_", "sidecar_event_loop_lag_")
"""Histograms whose observations belong to no single call."""


@every_board
def test_a_board_keeps_its_address(file: str) -> None:
    assert committed(file)["uid"] == UIDS[file]


@every_board
def test_every_panel_has_a_title_a_unit_and_a_description(file: str) -> None:
    bare = [
        panel["title"]
        for panel in panels(file)
        if not (panel["title"] and panel["fieldConfig"]["defaults"].get("unit") and panel.get("description"))
    ]
    assert panels(file)
    assert bare == []


@every_board
def test_a_description_is_a_sentence(file: str) -> None:
    endings = {panel["title"]: panel["description"] for panel in panels(file)}
    assert [title for title, text in endings.items() if not re.match(r"\S.*[.…]$", text)] == []


@every_board
def test_titles_are_unique_on_their_board(file: str) -> None:
    titles = [panel["title"] for panel in panels(file)]
    assert sorted(set(titles)) == sorted(titles)


@every_board
def test_the_data_source_is_the_variable_everywhere(file: str) -> None:
    board = committed(file)
    holders = [
        *panels(file),
        *(target for panel in panels(file) for target in panel["targets"]),
        *board["annotations"]["list"],
        *(variable for variable in variables(file) if variable["type"] == "query"),
    ]
    assert [one for one in holders if one["datasource"] != SOURCE] == []
    assert "DS_" not in json.dumps(board)
    assert variables(file)[0]["name"] == "datasource"


@every_board
def test_no_interval_is_written_into_a_query(file: str) -> None:
    assert [str(query) for query in asked(file) if re.search(r"\[\s*\d|offset\s+\d", query.raw)] == []


@every_board
def test_a_counter_over_the_graphs_steps_is_taken_over_the_rate_interval(file: str) -> None:
    drawn = [
        target["expr"]
        for panel in panels(file)
        for target in panel["targets"]
        if target["range"] and re.search(r"\b(rate|increase)\(", target["expr"])
    ]
    # Only what was known of a sidecar that has fallen silent looks further back, and whether anything happened at all.
    at_all = r" and sum by \([\w, ]+\) \(increase\(\w+\{[^}]*\}\[\$__range\]\)\) > 0"
    steps = [re.sub(at_all, "", expr) for expr in drawn]
    loose = [expr for expr in steps if re.search(r"(rate|increase)\([^[]*\[(?!\$__rate_interval)", expr)]
    assert loose == []


@every_board
def test_panels_fill_lines_of_24_columns_and_nothing_overlaps(file: str) -> None:
    boxes = [panel["gridPos"] for panel in committed(file)["panels"]]
    tops = groupby(boxes, key=lambda box: int(box["y"]))
    below = 0
    for top, group in tops:
        line = list(group)
        assert top == below
        assert {box["h"] for box in line} == {line[0]["h"]}
        lefts = [box["x"] for box in line]
        assert lefts == [sum(box["w"] for box in line[:index]) for index in range(len(line))]
        assert sum(box["w"] for box in line) == 24
        below = top + line[0]["h"]
    assert not any(_overlap(one, other) for one, other in combinations(boxes, 2))


def _overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
    below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
    return not (beside or below)


@every_board
def test_panels_and_queries_can_be_told_apart(file: str) -> None:
    numbers = [panel["id"] for panel in committed(file)["panels"]]
    assert sorted(set(numbers)) == sorted(numbers)
    for panel in panels(file):
        letters = [target["refId"] for target in panel["targets"]]
        assert letters
        assert sorted(set(letters)) == sorted(letters)


@every_board
def test_every_variable_is_used_and_every_used_variable_is_there(file: str) -> None:
    names = {variable["name"] for variable in variables(file)}
    used = set(re.findall(r"\$\{?([a-z]+)", " ".join(query.raw for query in asked(file)))) | {"datasource"}
    assert used == names


@every_board
def test_every_variable_is_explained(file: str) -> None:
    assert [one["name"] for one in variables(file) if not (one.get("label") and one.get("description"))] == []


@every_board
def test_each_board_leads_to_all_others_with_what_was_chosen(file: str) -> None:
    (link,) = committed(file)["links"]
    assert (link["type"], link["includeVars"], link["keepTime"]) == ("dashboards", True, True)
    assert set(link["tags"]) <= set(committed(file)["tags"])


def test_a_row_of_the_fleet_leads_to_its_broker() -> None:
    table = next(panel for panel in panels("fleet.json") if panel["title"] == "Who can trade")
    urls = [
        link["url"]
        for override in table["fieldConfig"]["overrides"]
        for one in override["properties"]
        if one["id"] == "links"
        for link in one["value"]
    ]
    assert len(urls) == 1
    assert urls[0].startswith(f"/d/{UIDS['broker.json']}?var-bot=${{__data.fields.bot}}")


@every_board
def test_quantiles_over_time_show_single_calls_that_lead_to_traces(file: str) -> None:
    quantiles = [
        target
        for panel in panels(file)
        for target in panel["targets"]
        if "histogram_quantile" in target["expr"] and not any(name in target["expr"] for name in OF_NO_CALL)
    ]
    assert [target["expr"] for target in quantiles if not target["exemplar"]] == []


@every_board
def test_states_have_words_and_colours(file: str) -> None:
    for panel in panels(file):
        if panel["type"] == "state-timeline":
            ((mapping),) = panel["fieldConfig"]["defaults"]["mappings"]
            assert all(_is_dressed(word) for word in mapping["options"].values())


def _is_dressed(word: dict[str, Any]) -> bool:
    return bool(word["text"] and word["color"])


def test_every_board_with_brokers_marks_transitions() -> None:
    for file in FILES:
        marks = {one["name"] for one in committed(file)["annotations"]["list"]}
        brokers = any(variable["name"] == "broker" for variable in variables(file))
        assert marks == ({"Broker condition", "Breaker", "Gate shut"} if brokers else {"Restart"})


@every_board
def test_the_first_look_is_of_the_last_hours(file: str) -> None:
    assert committed(file)["time"] == {"from": "now-3h", "to": "now"}
