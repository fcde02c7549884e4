"""What the rendered pods may do, and where they are let in."""

import pytest

from tests.helm import chart
from tests.helm.cases import case
from tests.helm.chart import MINIMAL


def test_every_container_is_hardened() -> None:
    objects = chart.render(MINIMAL)
    spec = chart.pod(objects)["spec"]
    assert spec["automountServiceAccountToken"] is False
    for container in spec["initContainers"] + spec["containers"]:
        security = container["securityContext"]
        assert security["readOnlyRootFilesystem"]
        assert security["runAsNonRoot"]
        assert not security["allowPrivilegeEscalation"]
        assert security["capabilities"] == {"drop": ["ALL"]}


@pytest.mark.parametrize("name", ["minimal", "socket-only", "statefulset-claim", "classic", "openshift"])
def test_its_pods_are_let_into_a_namespace_with_the_restricted_standard(name: str) -> None:
    objects = chart.render(case(name))
    for pod in (chart.pod(objects), chart.only(objects, "Pod", "-test")):
        spec = pod["spec"]
        kinds = {kind for volume in spec["volumes"] for kind in volume if kind != "name"}
        assert kinds <= {"configMap", "emptyDir", "persistentVolumeClaim", "secret"}
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not spec.keys() & {"hostNetwork", "hostPID", "hostIPC"}
        for container in [*spec.get("initContainers", []), *spec["containers"]]:
            security = container["securityContext"]
            assert (security["runAsNonRoot"], security["allowPrivilegeEscalation"]) == (True, False)
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert security.get("runAsUser") != 0
            assert not any("hostPort" in port for port in container.get("ports", []))


def test_where_the_cluster_gives_users_and_groups_none_is_asked_for() -> None:
    objects = chart.render(case("openshift"))
    pods = [chart.pod(objects), chart.only(objects, "Pod", "-test")]
    asked = [pod["spec"]["securityContext"].keys() & {"fsGroup", "runAsUser", "runAsGroup"} for pod in pods]
    assert [keys for keys in asked if keys] == []
    assert chart.sidecar(objects)["securityContext"].keys().isdisjoint({"runAsUser", "runAsGroup"})
    assert chart.sidecar(objects)["securityContext"]["runAsNonRoot"]


def test_bot_and_sidecar_meet_in_the_group_of_the_socket() -> None:
    assert chart.pod(chart.render(MINIMAL))["spec"]["securityContext"]["fsGroup"] == 10001
    own = chart.render(MINIMAL, {"pod": {"securityContext": {"fsGroup": 7}}})
    assert chart.pod(own)["spec"]["securityContext"]["fsGroup"] == 7
