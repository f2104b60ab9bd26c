"""The dashboard of centres, devices, queues and digital systems; it must not compute a ratio that the core does not."""

from __future__ import annotations

from dashboards.panels import (
    GREEN,
    ORANGE,
    PURPLE,
    RED,
    Choice,
    Dashboard,
    Panel,
    PanelQuery,
    Section,
    ShownValue,
    Threshold,
    stat,
)

CENTRES = Choice("centre", "Centre", "label_values(motcua_centre_open, centre)")
_STATES = (ShownValue(1, "up", GREEN), ShownValue(2, "unknown", ORANGE), ShownValue(3, "down", RED))
_PEOPLE = "Tickets that wait, over all services."


def fleet_board(time_zone: str) -> Dashboard:
    """Return the dashboard of the network as it is now."""
    return Dashboard(
        "motcua-fleet",
        "Motcua: fleet",
        "One-stop centres, their devices and queues, and the digital systems.",
        (_now(), _devices(), _queues(), _systems()),
        (CENTRES,),
        time_zone=time_zone,
    )


def _now() -> Section:
    down, unknown = Threshold(1, RED), Threshold(1, ORANGE)
    states = 'sum(max by (centre) (motcua_centre_state{{centre=~"$centre",state="{}"}})) or vector(0)'
    devices = 'sum(centre:motcua_devices:max{{centre=~"$centre",state="{}"}})'
    return Section(
        "Now",
        (
            stat(
                "Centres open",
                'sum(max by (centre) (motcua_centre_open{centre=~"$centre"}))',
                "Centres within their opening hours.",
            ),
            stat("Centres down", states.format("down"), "Centres that cannot serve.", alarm=down),
            stat(
                "Centres unknown",
                states.format("unknown"),
                "Centres without recent data; they are never shown as working.",
                alarm=unknown,
            ),
            stat("Devices up", devices.format("up")),
            stat("Devices down", devices.format("down"), alarm=down),
            stat("Devices unknown", devices.format("unknown"), "Nobody reported about them recently.", alarm=unknown),
            stat("People waiting", 'sum(centre:motcua_queue_waiting_tickets:max{centre=~"$centre"})', _PEOPLE),
            stat(
                "Simulated data",
                "max(motcua_simulated)",
                "1 when any of the data is simulated.",
                alarm=Threshold(1, PURPLE),
            ),
        ),
    )


def _devices() -> Section:
    return Section(
        "Devices",
        (
            Panel(
                "Devices by kind and state",
                (
                    PanelQuery(
                        "max by (device_type, state) (motcua_devices_by_type)", legend="{{device_type}} {{state}}"
                    ),
                ),
                "Of the whole network; the choice of centres does not apply.",
                width=12,
                is_stacked=True,
            ),
            Panel(
                "Devices that are not up, by centre",
                (
                    PanelQuery(
                        'centre:motcua_devices:max{centre=~"$centre",state=~"down|unknown"} > 0',
                        legend="{{centre}} {{state}}",
                    ),
                ),
                "Centres without such devices are left out.",
                width=12,
                no_value="every device is up",
            ),
            Panel(
                "Working share of counters",
                (PanelQuery('max by (centre) (motcua_centre_capacity_ratio{centre=~"$centre"})', "{{centre}}"),),
                "Of the critical counters, or else kiosks; unknown ones are taken as down.",
                unit="percentunit",
                width=24,
            ),
        ),
    )


def _queues() -> Section:
    return Section(
        "Queues",
        (
            Panel(
                "People waiting by centre",
                (PanelQuery('centre:motcua_queue_waiting_tickets:max{centre=~"$centre"}', "{{centre}}"),),
                _PEOPLE,
            ),
            Panel(
                "Open counters",
                (PanelQuery('max by (centre) (motcua_queue_open_counters{centre=~"$centre"})', "{{centre}}"),),
            ),
            Panel(
                "Tickets today",
                (
                    PanelQuery(
                        'sum by (event) (max by (centre, event) (motcua_tickets_today{centre=~"$centre"}))', "{{event}}"
                    ),
                ),
                "Late data may raise the figure of any hour.",
            ),
        ),
    )


def _systems() -> Section:
    weights = (("up", 1), ("unknown", 2), ("down", 3))
    states = " + ".join(f'{n} * max by (system) (motcua_system_state{{state="{state}"}})' for state, n in weights)
    return Section(
        "Digital systems",
        (
            Panel(
                "Systems, by quorum of the centres that probe them",
                (PanelQuery(states, "{{system}}"),),
                "A system without enough answers is unknown, not down.",
                "state-timeline",
                width=24,
                value_texts=_STATES,
            ),
        ),
    )
