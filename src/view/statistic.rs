//! `statistic`: counters, modes and optional counters as rows.

use super::{Field, Row, Value};
use crate::rdma::resource::words::qp_type;
use crate::rdma::statistic::Target;
use crate::rdma::statistic::rate::{Rate, Rates};
use crate::types::AutoCriteria;
use crate::wire::nldev::device::Device;
use crate::wire::nldev::statistic::Counter;
use crate::wire::nldev::statistic::memory_region::MrCounters;
use crate::wire::nldev::statistic::mode::Mode;
use crate::wire::nldev::statistic::optional::OptionalCounter;
use crate::wire::nldev::statistic::queue_pair::QpCounters;

/// The counters of one port. iproute2 gives no index here.
pub fn port(target: &Target, counters: &[Counter], rates: &Rates) -> Row {
    let mut row = vec![name(target), number(target)];
    row.extend(counters.iter().flat_map(|each| counter(each, rates)));
    row
}

/// A counter of queue pairs; `comm` is the name of its process, where that can be read.
pub fn queue_pair(
    target: &Target,
    counters: &QpCounters,
    comm: Option<&str>,
    rates: &Rates,
) -> Row {
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
    let all = counters.counters.iter();
    row.extend(all.flat_map(|each| counter(each, rates)));
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
pub fn memory_region(device: &Device, region: &MrCounters, rates: &Rates) -> Row {
    let name = format!("dev {} ", device.name);
    let mut row = vec![
        index(device.index),
        Field::with_text("ifname", "DEVICE", name, device.name.as_str()),
    ];
    if let Some(mrn) = region.mrn {
        row.push(Field::new("mrn", "MEMORY REGION", mrn));
    }
    let all = region.counters.iter();
    row.extend(all.flat_map(|each| counter(each, rates)));
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
/// Where rates were asked for they have one, before there is any too: columns do not jump.
pub fn spread(row: &Row, counters: &[Counter], rates: Option<&Rates>) -> Vec<Row> {
    let heads = || row.iter().filter(|field| !field.head.is_empty()).cloned();
    if counters.is_empty() {
        return vec![heads().collect()];
    }
    let line = |counter: &Counter| {
        let named = Field::new("name", "NAME", counter.name.as_str());
        let value = Field::new("value", "VALUE", counter.value);
        let rate = rates.map(|rates| {
            let rate = rates.of(&counter.name).map(for_people);
            let shown = rate.map_or(Value::from(""), Value::Decimal);
            Field::new("per_second", "PER SECOND", shown)
        });
        heads().chain([named, value]).chain(rate).collect()
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

/// A counter, and beside it its rate, where it has one.
fn counter(counter: &Counter, rates: &Rates) -> Row {
    let text = format!("    {} {} ", counter.name, counter.value);
    let value = Field::with_text(counter.name.clone(), "", text, counter.value);
    let mut row = vec![value.broken()];
    row.extend(rates.of(&counter.name).map(|rate| {
        let key = format!("{}_per_second", counter.name);
        let text = format!("per_second {} ", for_people(rate));
        let number = rounded(rate.per_second(), DIGITS_FOR_PROGRAMS);
        Field::with_text(key, "", text, Value::Decimal(number))
    }));
    row
}

/// The clock that rates are measured by is no better.
const DIGITS_FOR_PROGRAMS: i32 = 6;
const DIGITS_FOR_PEOPLE: i32 = 3;

fn for_people(rate: Rate) -> f64 {
    rounded(rate.per_second(), DIGITS_FOR_PEOPLE)
}

/// At least so many digits, and all of those before the point: what counted at all is never 0.
fn rounded(number: f64, digits: i32) -> f64 {
    if number == 0.0 {
        return number;
    }
    let places = (digits - 1 - number.log10().floor() as i32).max(0);
    let scale = 10f64.powi(places);
    (number * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_that_mean_something() {
        for (number, people, programs) in [
            (0.0, "0", "0"),
            (1.0 / 86_400.0, "0.0000116", "0.0000115741"),
            (0.333_333_333, "0.333", "0.333333"),
            (9.999_9, "10", "9.9999"),
            (12.345_678_9, "12.3", "12.3457"),
            (150.444_444, "150", "150.444"),
            (1_234_567.8, "1234568", "1234568"),
            (2e19, "20000000000000000000", "20000000000000000000"),
        ] {
            assert_eq!(rounded(number, DIGITS_FOR_PEOPLE).to_string(), people);
            assert_eq!(rounded(number, DIGITS_FOR_PROGRAMS).to_string(), programs);
        }
    }
}
