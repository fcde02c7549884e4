"""The images, built from the repository alone and played as the pod that the chart renders.

On a machine that builds none, these are left out: it takes root, Debian, and leave to mount.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from helm.generate import REPOSITORY
from sidecar import __version__
from tests.e2e.stack import TOKEN, Simulated
from tests.helm import chart
from tests.helm.examples import example
from tests.helm.images import PodOfImages, podman
from tests.helm.test_pod import SECRETS, accounted_for, orders, trades

IMAGE = f"localhost/broker-sidecar:{__version__}"
STRANGER = 10002
"""Another user than the sidecar's."""


def builds_images() -> bool:
    """Whether this machine can; a tool that is missing is no reason why not."""
    if os.geteuid() != 0 or not Path("/etc/debian_version").exists():
        return False
    unshare = shutil.which("unshare")
    assert unshare is not None
    # What a container's start does first; in a container itself, root may have been denied it.
    leave = "mount -t proc proc /proc && mount -t tmpfs tmpfs /mnt && test -w /sys/fs/cgroup"
    tried = [unshare, "--mount", "--pid", "--fork", "sh", "-c", leave]
    return subprocess.run(tried, check=False, capture_output=True).returncode == 0  # noqa: S603


pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not builds_images(), reason="building an image takes root, Debian, and leave to mount"),
]


@pytest.fixture(scope="module", autouse=True)
def _images() -> None:
    script = REPOSITORY / "scripts/build-image"
    done = subprocess.run([script], capture_output=True, text=True, check=False)  # noqa: S603 - the project's own
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def binance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulated]:
    simulated = Simulated("binance", tmp_path_factory.mktemp("binance"))
    yield simulated
    simulated.child.stop()


@pytest.fixture(scope="module")
def pod(tmp_path_factory: pytest.TempPathFactory, binance: Simulated) -> Iterator[PodOfImages]:
    """A pod whose bot is another user than its sidecar, and trades by now."""
    objects = chart.render(
        example("ccxt-bot", "binance", binance.url), {"bot": {"securityContext": {"runAsUser": STRANGER}}}
    )
    with PodOfImages(objects, tmp_path_factory.mktemp("image") / "pod", secrets=SECRETS) as pod:
        trades(pod["bot"], "withdrawn", 1)
        yield pod


def test_its_labels_tell_what_it_is() -> None:
    (told,) = json.loads(podman("inspect", IMAGE).stdout)
    assert told["Labels"]["org.opencontainers.image.title"] == "broker-sidecar"
    assert told["Labels"]["org.opencontainers.image.version"] == __version__
    assert told["Labels"]["org.opencontainers.image.licenses"] == "Apache-2.0"


def test_its_healthcheck_succeeds(pod: PodOfImages) -> None:
    assert podman("healthcheck", "run", pod.called("broker-sidecar")).returncode == 0


@pytest.mark.parametrize(("name", "user"), [("broker-sidecar", 10001), ("bot", STRANGER)])
def test_nobody_in_it_is_root(pod: PodOfImages, name: str, user: int) -> None:
    assert pod.inside(name, "python3", "-c", "import os; print(os.getuid(), os.geteuid())").stdout == f"{user} {user}\n"


@pytest.mark.parametrize("place", ["/x", "/opt/sidecar/x", "/tmp/x", "/etc/sidecar/x"])  # noqa: S108 - to be refused
def test_nothing_can_be_written_beside_its_volumes(pod: PodOfImages, place: str) -> None:
    told = pod.inside("broker-sidecar", "python3", "-c", f"open({place!r}, 'w')")
    assert "Read-only file system" in told.stderr


@pytest.mark.parametrize("shell", ["/bin/sh", "/bin/bash"])
def test_it_works_though_there_is_no_shell(pod: PodOfImages, shell: str) -> None:
    assert pod.inside("broker-sidecar", shell, "-c", "true").returncode != 0
    assert pod["broker-sidecar"].probe("readinessProbe")


def test_a_bot_that_is_another_user_trades_over_the_socket_and_no_call_is_lost_when_the_pod_ends(
    pod: PodOfImages, binance: Simulated
) -> None:
    bot = pod["bot"]
    trades(bot, "withdrawn", 3)
    assert pod.delete() == {"broker-sidecar": 0, "bot": 0}

    assert accounted_for(bot, binance)


def test_a_bot_without_keys_trades_with_those_of_the_sidecars_secret(oanda: Simulated, place: Path) -> None:
    objects = chart.render(example("oanda-bot", "oanda", oanda.url))
    secrets = {"oanda": {"token": TOKEN}, "sidecar-token": {"token": "a-token-of-the-pods-own"}}
    with PodOfImages(objects, place / "pod", secrets=secrets) as pod:
        trades(pod["bot"], "executed", 2)
        assert pod.delete() == {"broker-sidecar": 0, "bot": 0}

    sent = orders(pod["bot"], "sending")
    assert [oanda.executions(order) for order in sent] == [1] * len(sent)
