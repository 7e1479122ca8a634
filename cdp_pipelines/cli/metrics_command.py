"""`cdp metrics`: figures of entity exports as Prometheus reads them."""

from cdp_pipelines.cli import output


def metrics() -> None:
    """Print metrics of entity exports in the Prometheus text format, over all companies; none is named."""
    from cdp_pipelines.cli.services import entity_services
    from cdp_pipelines.domain.entity_export.metrics import prometheus_text

    with entity_services() as services:
        text = prometheus_text(services.metrics.counters(), services.metrics.gauges(now=services.now()))
    output.print_line(text.rstrip("\n"))
