"""Owns the figures for Prometheus as a whole: nothing of them is loaded or counted where nobody listens for them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from structlog.typing import FilteringBoundLogger

from radius2fa.config.model import Metrics
from radius2fa.server.listener import ListenFailed
from radius2fa.server.login import Observer
from radius2fa.server.sources import Sources

if TYPE_CHECKING:  # a twentieth of a second at each start
    from radius2fa.server.metricsport import MetricsPort


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of this process. `count` takes logins, `ask` whom the others are asked of, `page` shows all."""

    count: Observer
    ask: Callable[[Sources], None]
    page: Callable[[], bytes]


def figures_of(settings: Metrics) -> Figures | None:
    """Return figures, all at nought; None where none are asked for."""
    return None if settings.listen is None else new_figures()


def new_figures() -> Figures:
    """Return figures, all at nought."""
    from prometheus_client import (  # noqa: PLC0415 - heavy
        CollectorRegistry,
        ProcessCollector,
        disable_created_metrics,
        generate_latest,
    )

    from radius2fa.server.figures import LoginFigures  # noqa: PLC0415 - as above
    from radius2fa.server.gauges import Gauges  # noqa: PLC0415 - as above

    disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each, which tells little
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    logins = LoginFigures()
    registry.register(logins)
    return Figures(logins, lambda sources: registry.register(Gauges(sources)), lambda: generate_latest(registry))


def open_metrics(
    settings: Metrics,
    figures: Figures,
    reactor: Any,  # noqa: ANN401 - Twisted's has no type of its own
    log: FilteringBoundLogger,
) -> "MetricsPort | None":
    """Return what answers Prometheus; None where the port cannot be had, which the log tells.

    No login waits or fails because of it.
    """
    from radius2fa.server.metricsport import MetricsPort  # noqa: PLC0415 - heavy

    if settings.listen is None:
        return None
    port = MetricsPort(figures.page, reactor, log)
    try:
        port.start(settings.listen)
    except ListenFailed as wrong:
        log.warning("no metrics", why=str(wrong), remedy="See `listen` in the section [metrics].")
        return None
    log.info("metrics", listen="{} port {}".format(*port.address))
    return port
