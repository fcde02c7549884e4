"""Plays one rendered pod from its images, by podman: users, rights, mounts and file systems as the chart wants them.

Only the network is this machine's own, because that is where the simulated brokers are.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tests.helm.chart import Object
from tests.helm.kubelet import Pod

_PODMAN: Final = ("podman", "--log-level", "fatal", "--runtime", "runc", "--cgroup-manager", "cgroupfs")
_LIMITS: Final = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024")
"""Lower than what podman asks for, which a container in a container may not."""
_SHELLS: Final = ("/usr/bin/dash", "/usr/bin/bash")


def podman(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run podman to its end."""
    return subprocess.run([*_PODMAN, *arguments], capture_output=True, text=True, check=False)  # noqa: S603 - itself


class PodOfImages(Pod):
    """The pod of rendered objects, in containers without a shell."""

    def here(self, text: str) -> str:
        """A container's paths are its own."""
        return text

    def inside(self, name: str, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a program in a running container."""
        return podman("exec", self.called(name), *command)

    def called(self, name: str) -> str:
        """What podman calls a container."""
        return f"{os.getpid()}-{self.folder.parent.name}-{name}"

    def launched(self, spec: Object) -> tuple[list[str], dict[str, str]]:
        """What starts a container, and podman's own environment, out of which it hands on the container's."""
        environment = self.environment(spec)
        mounts = [
            f"{self._mounts[one['mountPath']]}:{one['mountPath']}:{'ro' if one.get('readOnly') else 'rw'}"
            for one in spec["volumeMounts"]
        ]
        mounts += [f"/dev/null:{shell}:ro" for shell in _SHELLS]
        command = [
            *(*_PODMAN, "run", "--rm", "--name", self.called(spec["name"])),
            *("--pull", "never", "--network", "host", *_LIMITS),
            *_rights({**self._template["spec"]["securityContext"], **spec["securityContext"]}),
            *(word for mount in mounts for word in ("--volume", mount)),
            *(word for name in environment for word in ("--env", name)),
            *(("--entrypoint", spec["command"][0]) if "command" in spec else ()),
            f"localhost/{spec['image']}",
            *spec.get("command", [])[1:],
            *spec.get("args", []),
        ]
        return command, {**os.environ, **environment}

    def _kill(self) -> None:
        podman("rm", "--force", "--ignore", *(self.called(container.name) for container in self.running))
        super()._kill()

    def _fill(self, volume: dict[str, Any]) -> None:
        super()._fill(volume)
        _share(self.folder / "volumes" / volume["name"], self._template["spec"]["securityContext"]["fsGroup"])


def _rights(context: Mapping[str, Any]) -> list[str]:
    words = ["--group-add", str(context["fsGroup"])]
    if "runAsUser" in context:
        words += ["--user", f"{context['runAsUser']}:{context.get('runAsGroup', 0)}"]
    if context["readOnlyRootFilesystem"]:
        words += ["--read-only", "--read-only-tmpfs=false"]
    if not context["allowPrivilegeEscalation"]:
        words += ["--security-opt", "no-new-privileges"]
    return words + [f"--cap-drop={name}" for name in context["capabilities"]["drop"]]


def _share(volume: Path, group: int) -> None:
    """Give a volume to the pod's group, as `fsGroup` does."""
    volume.chmod(0o2770)
    for place in (volume, *volume.iterdir()):
        shutil.chown(place, group=group)
        if place.is_file():
            place.chmod(place.stat().st_mode | (place.stat().st_mode & 0o600) >> 3)
