"""The whole."""

from pydantic import Field, model_validator

from sidecar.config.model.alerting import Alerting
from sidecar.config.model.broker import Broker
from sidecar.config.model.orders import Operations
from sidecar.config.model.parts import BotName, BrokerName, Part, clash
from sidecar.config.model.process import Audit, Listen, Log, Scrape, State, Stop, Telemetry


class Config(Part):
    """The configuration of one sidecar."""

    bot: BotName = Field("bot", description="Name of the bot beside it, told by the metrics and in every audit line.")
    listen: Listen = Listen()
    scrape: Scrape = Scrape()
    state: State = State()
    stop: Stop = Stop()
    audit: Audit = Audit()
    telemetry: Telemetry = Telemetry()
    log: Log = Log()
    operations: Operations = Operations()
    alerting: Alerting = Alerting()
    brokers: dict[BrokerName, Broker] = Field(
        min_length=1, description="The brokers by name; bots reach each one at /<name>/."
    )

    @model_validator(mode="after")
    def _reserved_names(self) -> "Config":
        if "v1" in self.brokers:
            raise clash("brokers.v1", "is the path of the control API", "another name for this broker")
        return self
