"""Plays one rendered pod on this machine as the kubelet would: volumes, environment, probes, order, signals.

Only the root of the containers' file system is not theirs: a mount path becomes a folder below the pod's, in arguments,
environment and configuration alike. What an image starts is this machine's own and stays as it is.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from tests.helm import chart
from tests.helm.chart import NAMESPACE, Object

Commands = Mapping[str, Sequence[str]]
"""What the images start, by container."""

NAME = "demo-0"
"""The pod's."""
START_SECONDS = 90.0
SIDECAR = (sys.executable, "-m", "sidecar")
ROOT = Path(__file__).parents[2]


class Container:
    """A running container."""

    def __init__(self, spec: Object, pod: "Pod") -> None:
        self.name: str = spec["name"]
        self._spec = spec
        self._pod = pod
        self._log = pod.folder / f"{self.name}.log"
        command, environment = pod.launched(spec)
        with self._log.open("wb") as sink:
            self.process = subprocess.Popen(  # noqa: S603 - our own commands
                command, stdout=sink, stderr=subprocess.STDOUT, env=environment, cwd=pod.folder
            )

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def pre_stop(self) -> subprocess.Popen[bytes] | None:
        """Start what has to end before the container is told to stop; None where nothing has."""
        if "lifecycle" not in self._spec:
            return None
        told, *more = self._spec["lifecycle"]["preStop"]["exec"]["command"]
        program = shutil.which(told, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        assert program is not None
        return subprocess.Popen([program, *more])  # noqa: S603 - the chart's own

    def probe(self, name: str) -> bool:
        """Whether a probe of the container's succeeds now."""
        asked = self._spec[name]
        ports = {port["name"]: port["containerPort"] for port in self._spec["ports"]}
        url = self._pod.here(f"http://127.0.0.1:{ports[asked['httpGet']['port']]}{asked['httpGet']['path']}")
        try:
            with urllib.request.urlopen(url, timeout=asked["timeoutSeconds"]) as answer:  # noqa: S310 - loopback
                return bool(answer.status == 200)
        except (urllib.error.URLError, TimeoutError):
            return False

    def wait_for(self, probe: str) -> None:
        """Wait until a probe succeeds."""
        ends = time.monotonic() + START_SECONDS
        while not self.probe(probe):
            assert self.process.poll() is None, f"{self.name} has ended:\n{self.log}"
            assert time.monotonic() < ends, f"{self.name}: {probe} never succeeded\n{self.log}"
            time.sleep(0.05)


class Pod:
    """The pod of rendered objects, on this machine."""

    def __init__(
        self,
        objects: list[Object],
        folder: Path,
        commands: Commands | None = None,
        secrets: Mapping[str, Mapping[str, str]] | None = None,
        *,
        template: Object | None = None,
        places: Mapping[str, str] | None = None,
    ) -> None:
        """`secrets` are the Secrets of the cluster; `template` is the pod where it is not the workload's.

        `places` are addresses of the cluster and what stands for them on this machine, where pods share one loopback.
        """
        self.folder = folder
        self._objects = objects
        self._template = template or chart.pod(objects)
        self._commands = commands or {}
        self._secrets = secrets or {}
        self._places = places or {}
        self._mounts: dict[str, Path] = {}
        self.running: list[Container] = []
        spec = self._template["spec"]
        self._sidecars = [one for one in spec.get("initContainers", []) if one.get("restartPolicy") == "Always"]
        self._containers = spec["containers"]
        for one in [*self._sidecars, *self._containers]:
            for mount in one["volumeMounts"]:
                self._mounts[mount["mountPath"]] = folder / "volumes" / mount["name"]
        for volume in spec["volumes"]:
            self._fill(volume)

    def __enter__(self) -> Self:
        """Start as Kubernetes does: each sidecar until its startup probe succeeds, then the rest at once."""
        try:
            for spec in self._sidecars:
                self._start(spec).wait_for("startupProbe")
            for spec in self._containers:
                self._start(spec)
        except BaseException:
            self._kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._kill()

    def _kill(self) -> None:
        for container in self.running:
            if container.process.poll() is None:
                container.process.kill()
                container.process.wait()

    def __getitem__(self, name: str) -> Container:
        (found,) = (container for container in self.running if container.name == name)
        return found

    def delete(self) -> dict[str, int]:
        """End as Kubernetes does: the containers first, then the sidecars, within the grace period. Exit statuses."""
        ends = time.monotonic() + self._template["spec"]["terminationGracePeriodSeconds"]
        sidecars = {one["name"] for one in self._sidecars}
        last = [container for container in reversed(self.running) if container.name in sidecars]
        first = [container for container in self.running if container.name not in sidecars]
        for batch in (first, *([one] for one in last)):
            # Hooks begin at once, and each container without one is told at once.
            hooks = [(container, container.pre_stop()) for container in batch if container.process.poll() is None]
            for container, hook in sorted(hooks, key=lambda one: one[1] is not None):
                if hook is not None:
                    assert hook.wait(max(0.0, ends - time.monotonic())) == 0, f"{container.name}: the hook has failed"
                container.process.send_signal(signal.SIGTERM)
            for container in batch:
                container.process.wait(max(0.0, ends - time.monotonic()))
        return {container.name: container.process.returncode for container in self.running}

    def complete(self) -> dict[str, int]:
        """Wait until the containers have ended by themselves, and end the sidecars then. Exit statuses."""
        for one in self._containers:
            self.wait(one["name"])
        return self.delete()

    def wait(self, name: str, seconds: float = START_SECONDS) -> int:
        """Wait until a container has ended by itself; its exit status."""
        return self[name].process.wait(seconds)

    def here(self, text: str) -> str:
        """A text with the containers' paths and the cluster's addresses as they are on this machine."""
        for place, address in self._places.items():
            text = re.sub(rf"{re.escape(place)}(?!\d)", address, text)
        for path in sorted(self._mounts, key=len, reverse=True):
            text = re.sub(rf"(?<![\w./-]){re.escape(path)}(?=/|\b)", str(self._mounts[path]), text)
        return text

    def launched(self, spec: Object) -> tuple[list[str], dict[str, str]]:
        """What starts a container, and its whole environment."""
        told = [self.here(word) for word in [*spec.get("command", []), *spec.get("args", [])]]
        command = told if "command" in spec else [*self._commands.get(spec["name"], SIDECAR), *told]
        return command, {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **self.environment(spec)}

    def environment(self, spec: Object) -> dict[str, str]:
        """A container's environment."""
        known: dict[str, str] = {}
        for one in spec.get("env", []):
            known[one["name"]] = self._value(one, known)
        return {name: self.here(value) for name, value in known.items()}

    def _start(self, spec: Object) -> Container:
        container = Container(spec, self)
        self.running.append(container)
        return container

    def _value(self, one: Object, known: Mapping[str, str]) -> str:
        source = one.get("valueFrom", {})
        if "secretKeyRef" in source:
            return self._secrets[source["secretKeyRef"]["name"]][source["secretKeyRef"]["key"]]
        if "fieldRef" in source:
            return self._field(source["fieldRef"]["fieldPath"])
        return re.sub(r"\$\((\w+)\)", lambda found: known[found[1]], one["value"])

    def _field(self, path: str) -> str:
        if label := re.fullmatch(r"metadata\.labels\['(.+)'\]", path):
            return str(self._template["metadata"]["labels"][label[1]])
        return {"metadata.name": NAME, "metadata.namespace": NAMESPACE, "spec.nodeName": "here"}[path]

    def _fill(self, volume: dict[str, Any]) -> None:
        place = self.folder / "volumes" / volume["name"]
        place.mkdir(parents=True)
        if "configMap" in volume:
            for name, text in chart.only(self._objects, "ConfigMap", volume["configMap"]["name"])["data"].items():
                (place / name).write_text(self.here(text))
        if "secret" in volume:
            secret = volume["secret"]
            for item in secret["items"]:
                (place / item["path"]).write_text(self._secrets[secret["secretName"]][item["key"]])
                (place / item["path"]).chmod(secret["defaultMode"])
