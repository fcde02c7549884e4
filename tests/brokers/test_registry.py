import pytest

from sidecar.brokers.limits import BucketSpec, WindowSpec
from sidecar.brokers.profile import Profile
from sidecar.brokers.registry import build
from sidecar.config.model import Broker
from sidecar.words import Effect, Priority

PROFILES = ["binance-usdm", "binance-spot", "oanda", "projectx", "openalgo", "generic"]
every_profile = pytest.mark.parametrize("name", PROFILES)


def built(name: str) -> Profile:
    return build(Broker.model_validate({"profile": name, "base_url": "https://broker.example"}))


@every_profile
def test_a_profile_is_built_by_its_name(name: str) -> None:
    assert built(name).name == name


@every_profile
def test_endpoint_names_are_unique_and_fit_a_label(name: str) -> None:
    names = [endpoint.name for endpoint in built(name).endpoints]

    assert len(names) == len(set(names))
    assert all(label.replace("_", "").isalnum() and label.islower() for label in names)


@every_profile
def test_every_limit_has_room_and_a_length(name: str) -> None:
    limits = built(name).limits

    assert limits
    for limit in limits:
        match limit:
            case WindowSpec():
                assert limit.capacity > 0
                assert limit.seconds > 0
            case BucketSpec():
                assert limit.rate > 0
                assert limit.burst >= 1


@every_profile
def test_everything_that_changes_an_account_is_on_the_record(name: str) -> None:
    changing = [endpoint for endpoint in built(name).endpoints if endpoint.effect is not Effect.READ]

    assert changing
    assert {endpoint.name for endpoint in changing if not endpoint.audit} <= {"listen_key"}


@every_profile
def test_only_what_reduces_risk_may_use_the_reserved_share(name: str) -> None:
    reserved = {endpoint.effect for endpoint in built(name).endpoints if endpoint.priority.reserved}

    assert reserved <= {Effect.REDUCES_RISK}


@every_profile
def test_market_data_goes_last_and_leaves_no_audit_line(name: str) -> None:
    last = [endpoint for endpoint in built(name).endpoints if endpoint.priority is Priority.MARKET_DATA]

    assert not [endpoint.name for endpoint in last if endpoint.audit]
