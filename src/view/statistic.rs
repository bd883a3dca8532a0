//! `statistic`: counters, modes and optional counters as rows.

use super::{Field, Row};
use crate::rdma::resource::words::qp_type;
use crate::rdma::statistic::Target;
use crate::types::AutoCriteria;
use crate::wire::nldev::device::Device;
use crate::wire::nldev::statistic::Counter;
use crate::wire::nldev::statistic::memory_region::MrCounters;
use crate::wire::nldev::statistic::mode::Mode;
use crate::wire::nldev::statistic::optional::OptionalCounter;
use crate::wire::nldev::statistic::queue_pair::QpCounters;

/// The counters of one port. iproute2 gives no index here.
pub fn port(target: &Target, counters: &[Counter]) -> Row {
    let mut row = vec![name(target), number(target)];
    row.extend(counters.iter().map(counter));
    row
}

/// A counter of queue pairs; `comm` is the name of its process, where that can be read.
pub fn queue_pair(target: &Target, counters: &QpCounters, comm: Option<&str>) -> Row {
    let mut row = vec![
        index(target.index),
        name(target),
        number(target),
        Field::new("cntn", "COUNTER", counters.id),
    ];
    if let Some(value) = counters.qp_type {
        row.push(Field::new("qp-type", "TYPE", qp_type(value)));
    }
    if let Some(pid) = counters.pid {
        row.push(Field::new("pid", "PID", pid));
    }
    match (&counters.kernel_name, comm) {
        (Some(module), _) => row.push(Field::with_text(
            "comm",
            "COMMAND",
            format!("comm [{module}] "),
            module.as_str(),
        )),
        (None, Some(comm)) => row.push(Field::new("comm", "COMMAND", comm)),
        (None, None) => {}
    }
    row.extend(counters.counters.iter().map(counter));
    let lqpns: Vec<String> = counters.lqpns.iter().map(u32::to_string).collect();
    row.push(
        Field::with_text(
            "lqpn",
            "QUEUE PAIRS",
            format!("    LQPN: <{}>", lqpns.join(",")),
            counters.lqpns.clone(),
        )
        .broken(),
    );
    row
}

/// The counters of one memory region.
pub fn memory_region(device: &Device, region: &MrCounters) -> Row {
    let name = format!("dev {} ", device.name);
    let mut row = vec![
        index(device.index),
        Field::with_text("ifname", "DEVICE", name, device.name.as_str()),
    ];
    if let Some(mrn) = region.mrn {
        row.push(Field::new("mrn", "MEMORY REGION", mrn));
    }
    row.extend(region.counters.iter().map(counter));
    row
}

/// How the counters of one port's queue pairs are kept.
pub fn mode(target: &Target, mode: Mode) -> Row {
    let mode = match mode.auto() {
        None | Some(AutoCriteria::OFF) => "qp auto off".to_owned(),
        Some(criteria) => {
            let optional = if mode.optional == Some(true) {
                "on"
            } else {
                "off"
            };
            format!("qp auto {criteria} on optional-counters {optional}")
        }
    };
    vec![
        index(target.index),
        name(target),
        number(target),
        Field::new("mode", "MODE", mode),
    ]
}

/// The optional counters of one port, under `key`.
pub fn optional(target: &Target, key: &'static str, counters: &[&OptionalCounter]) -> Row {
    let names: Vec<&str> = counters.iter().map(|each| each.name.as_str()).collect();
    let mut row = vec![
        name(target),
        number(target),
        Field::with_text(key, "OPTIONAL COUNTERS", format!("{key} "), names.clone()),
    ];
    for (at, name) in names.iter().enumerate() {
        let comma = if at + 1 < names.len() { "," } else { "" };
        let line = Field::with_text("", "", format!("    {name}{comma}"), *name);
        row.push(line.broken().not_in_json());
    }
    row
}

/// The counter that a queue pair was bound to.
pub fn bound(target: &Target, counter: u32, lqpn: u32) -> Row {
    vec![
        index(target.index),
        name(target),
        number(target),
        Field::new("cntn", "COUNTER", counter),
        Field::new("lqpn", "QUEUE PAIR", lqpn),
    ]
}

/// The same record for a table: a line for each counter, for there are too many for columns.
pub fn spread(row: &Row, counters: &[Counter]) -> Vec<Row> {
    let heads = || row.iter().filter(|field| !field.head.is_empty()).cloned();
    if counters.is_empty() {
        return vec![heads().collect()];
    }
    let line = |counter: &Counter| {
        let named = Field::new("name", "NAME", counter.name.as_str());
        let value = Field::new("value", "VALUE", counter.value);
        heads().chain([named, value]).collect()
    };
    counters.iter().map(line).collect()
}

fn index(index: u32) -> Field {
    Field::new("ifindex", "", index).not_in_text()
}

fn name(target: &Target) -> Field {
    let text = format!("link {target} ");
    Field::with_text("ifname", "DEVICE", text, target.device.as_str())
}

fn number(target: &Target) -> Field {
    Field::new("port", "PORT", target.port).not_in_text()
}

fn counter(counter: &Counter) -> Field {
    let text = format!("    {} {} ", counter.name, counter.value);
    Field::with_text(counter.name.clone(), "", text, counter.value).broken()
}
