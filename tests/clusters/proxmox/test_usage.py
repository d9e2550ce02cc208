"""Figures of use and logged-in users, as a cluster tells them: what is missing stays missing."""

from typing import Any

import pytest

from clusters import proxmox
from clusters.proxmox import LoadSample, results
from pvesim import Cluster

ROW = {"time": 1795384500, "cpu": 0.25, "maxcpu": 2, "netin": 7, "netout": 72.5, "maxmem": 67108864, "disk": 0}
WEB = ("pve1", "qemu", 101)


def test_a_row_of_figures():
    assert results.load([ROW]) == (LoadSample(1795384500, 0.25, 2.0, 79.5),)


def test_rows_come_in_the_order_of_time():
    assert [one.at for one in results.load([{"time": 180}, {"time": 60}, {"time": 120}])] == [60, 120, 180]


@pytest.mark.parametrize("value", [None, "", "NaN", "Infinity", -1, True, [], "x", 10**400])
@pytest.mark.parametrize("name", ["cpu", "netin", "netout", "maxcpu"])
def test_what_is_no_figure_is_missing_and_not_zero(name: str, value: Any):
    [sample] = results.load([ROW | {name: value}])
    assert None in {sample.cpu, sample.cpus, sample.network}


def test_a_cell_that_is_left_out_is_missing():
    assert results.load([{"time": 60}]) == (LoadSample(60, None, None, None),)


@pytest.mark.parametrize("row", [{}, {"time": None}, {"time": "soon"}, {"time": 10**30}, "text", None])
def test_rows_without_a_time_are_left_out(row: Any):
    assert results.load([row, ROW])[0].at == 1795384500


@pytest.mark.parametrize("data", [None, {}, "text"])
def test_what_is_no_list_is_an_error(data: Any):
    with pytest.raises(proxmox.ProtocolError):
        results.load(data)


def test_numbers_as_text():
    assert results.load([{**ROW, "cpu": "0.25", "time": "60"}])[0] == LoadSample(60, 0.25, 2.0, 79.5)


def test_users():
    found = results.users({"result": [{"user": "ana", "login-time": 1.5}, {"user": "b<en\n", "domain": "SCHOOL"}]})
    assert found == ("ana", "b<en")
    assert results.users({"result": []}) == ()


@pytest.mark.parametrize("entry", [None, "ana", {}, {"user": None}])
def test_somebody_whose_name_cannot_be_read_is_somebody(entry: Any):
    assert len(results.users({"result": [entry]})) == 1


@pytest.mark.parametrize("data", [None, [], {}, {"result": None}, {"result": "x"}, {"result": {}}])
def test_no_list_of_users_is_not_an_empty_one(data: Any):
    with pytest.raises(proxmox.ProtocolError):
        results.users(data)


def test_an_agent_that_answers_with_an_error():
    with pytest.raises(proxmox.Refused, match="disabled"):
        results.users({"result": {"error": {"class": "GenericError", "desc": "disabled"}}})


def test_a_cluster_is_asked(pve: proxmox.Client, lab: Cluster):
    lab.guest(101).agent, lab.guest(101).users = "alive", ("ana",)
    assert pve.users("pve1", 101) == ("ana",)
    assert len(pve.load(*WEB)) == 60
    lab.guest(101).agent = "off"
    with pytest.raises(proxmox.Refused, match="agent"):
        pve.users("pve1", 101)
