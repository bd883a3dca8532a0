//! `Readings`: what counters were a moment ago, and how fast they go since.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::Target;
use crate::wire::nldev::device::Device;
use crate::wire::nldev::statistic::Counter;
use crate::wire::nldev::statistic::memory_region::MrCounters;
use crate::wire::nldev::statistic::queue_pair::QpCounters;

/// How much a counter grows in a second, in the counter's own unit: `port_xmit_data` of InfiniBand
/// counts words of four bytes, and so does its rate. Finite, and never below zero.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Rate(f64);

impl Rate {
    /// `None` for a counter that went back, which began anew meanwhile, and where no time passed.
    fn between(before: u64, now: u64, apart: Duration) -> Option<Self> {
        let grown = now.checked_sub(before)?;
        // The difference is taken of whole numbers: only the quotient is rounded.
        (!apart.is_zero()).then(|| Self(grown as f64 / apart.as_secs_f64()))
    }

    /// The number.
    pub fn per_second(self) -> f64 {
        self.0
    }
}

/// How fast the counters of one holder go, by name; one without a rate is not in it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rates(BTreeMap<String, Rate>);

impl Rates {
    /// The rate of the counter of this name.
    pub fn of(&self, name: &str) -> Option<Rate> {
        self.0.get(name).copied()
    }
}

/// Whose counters they are. Names of devices change hands, indices do not: the kernel gives the
/// next one to each new device (`assign_name`, `drivers/infiniband/core/device.c`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Holder {
    device: u32,
    port: Option<u32>,
    what: What,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Port,
    /// Numbers of counters are given anew; another kind or process is another counter.
    QueuePairs {
        counter: u32,
        qp_type: Option<u8>,
        pid: Option<u32>,
    },
    MemoryRegion(u32),
}

impl Holder {
    /// A port.
    pub fn port(target: &Target) -> Self {
        Self {
            device: target.index,
            port: Some(target.port),
            what: What::Port,
        }
    }

    /// A counter that queue pairs are bound to.
    pub fn queue_pairs(target: &Target, counters: &QpCounters) -> Self {
        Self {
            device: target.index,
            port: Some(target.port),
            what: What::QueuePairs {
                counter: counters.id,
                qp_type: counters.qp_type,
                pid: counters.pid,
            },
        }
    }

    /// A memory region, where the kernel says which.
    pub fn memory_region(device: &Device, region: &MrCounters) -> Option<Self> {
        Some(Self {
            device: device.index,
            port: None,
            what: What::MemoryRegion(region.mrn?),
        })
    }
}

#[derive(Debug)]
struct Reading {
    at: Instant,
    values: BTreeMap<String, u64>,
}

/// The reading under way and the one before it.
#[derive(Debug, Default)]
pub struct Readings {
    before: BTreeMap<Holder, Reading>,
    now: BTreeMap<Holder, Reading>,
}

impl Readings {
    /// Takes in what a holder's counters are at a time, and says how fast they went since the
    /// reading before. What was not in that one has no rate, nor what went back.
    pub fn rates(&mut self, holder: Holder, at: Instant, counters: &[Counter]) -> Rates {
        let mut rates = Rates::default();
        if let Some(before) = self.before.get(&holder) {
            let apart = at.saturating_duration_since(before.at);
            let rate = |counter: &Counter| {
                let value = before.values.get(&counter.name)?;
                let rate = Rate::between(*value, counter.value, apart)?;
                Some((counter.name.clone(), rate))
            };
            rates.0 = counters.iter().filter_map(rate).collect();
        }
        let values = counters.iter().map(|each| (each.name.clone(), each.value));
        let values = values.collect();
        self.now.insert(holder, Reading { at, values });
        rates
    }

    /// Ends the reading under way; it is the one before from here on, and the older one forgotten.
    pub fn turn(&mut self) {
        self.before = std::mem::take(&mut self.now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn counters(values: &[(&str, u64)]) -> Vec<Counter> {
        let counter = |(name, value): &(&str, u64)| Counter {
            name: (*name).to_owned(),
            value: *value,
        };
        values.iter().map(counter).collect()
    }

    fn target(index: u32, device: &str, port: u32) -> Target {
        Target {
            index,
            device: device.to_owned(),
            port,
        }
    }

    /// Two readings of one port, so many milliseconds apart.
    fn after(millis: u64, before: &[(&str, u64)], now: &[(&str, u64)]) -> Rates {
        let (mut readings, at) = (Readings::default(), Instant::now());
        let port = Holder::port(&target(3, "mlx5_0", 1));
        let first = readings.rates(port.clone(), at, &counters(before));
        assert_eq!(first, Rates::default());
        readings.turn();
        readings.rates(port, at + Duration::from_millis(millis), &counters(now))
    }

    fn per_second(rates: &Rates, name: &str) -> Option<f64> {
        rates.of(name).map(Rate::per_second)
    }

    #[test]
    fn growth_by_the_time_that_passed() {
        let rates = after(2500, &[("rx", 100), ("tx", 7)], &[("rx", 150), ("tx", 7)]);
        assert_eq!(per_second(&rates, "rx"), Some(20.0));
        assert_eq!(per_second(&rates, "tx"), Some(0.0));
        // A double does not hold these values, but it does hold how far they are apart.
        let rates = after(1000, &[("rx", u64::MAX - 3)], &[("rx", u64::MAX)]);
        assert_eq!(per_second(&rates, "rx"), Some(3.0));
    }

    #[test]
    fn nothing_rather_than_nonsense() {
        let rates = after(
            1000,
            &[("back", 9), ("gone", 1)],
            &[("back", 8), ("new", 5)],
        );
        assert_eq!(rates, Rates::default());
        assert_eq!(after(0, &[("rx", 1)], &[("rx", 2)]), Rates::default());
    }

    #[test]
    fn a_counter_belongs_to_an_index_a_port_and_a_name() {
        let (mut readings, at) = (Readings::default(), Instant::now());
        let now = at + Duration::from_secs(1);
        let one = counters(&[("rx", 10)]);
        readings.rates(Holder::port(&target(0, "mlx5_0", 1)), at, &one);
        readings.turn();
        // Renamed, it is the same; another device under its name is not, nor another port.
        let rates = |readings: &mut Readings, target| {
            let rates = readings.rates(Holder::port(&target), now, &one);
            per_second(&rates, "rx")
        };
        assert_eq!(rates(&mut readings, target(0, "pod0", 1)), Some(0.0));
        assert_eq!(rates(&mut readings, target(4, "mlx5_0", 1)), None);
        assert_eq!(rates(&mut readings, target(0, "mlx5_0", 2)), None);
        // Away for one reading, it begins anew.
        readings.turn();
        readings.turn();
        assert_eq!(rates(&mut readings, target(0, "pod0", 1)), None);
    }

    #[test]
    fn counters_of_queue_pairs_and_memory_regions() {
        let (mut readings, at) = (Readings::default(), Instant::now());
        let now = at + Duration::from_secs(1);
        let port = target(0, "mlx5_0", 1);
        let bound = |id, pid| QpCounters {
            id,
            pid,
            ..QpCounters::default()
        };
        let region = |mrn| {
            let device = Device::default();
            let region = MrCounters {
                mrn,
                counters: Vec::new(),
            };
            Holder::memory_region(&device, &region)
        };
        let (few, more) = (counters(&[("rx", 1)]), counters(&[("rx", 3)]));
        readings.rates(Holder::queue_pairs(&port, &bound(1, Some(7))), at, &few);
        readings.rates(region(Some(1)).unwrap(), at, &few);
        readings.turn();
        let mut rate = |holder| per_second(&readings.rates(holder, now, &more), "rx");
        assert_eq!(
            rate(Holder::queue_pairs(&port, &bound(1, Some(7)))),
            Some(2.0)
        );
        assert_eq!(rate(Holder::queue_pairs(&port, &bound(2, Some(7)))), None);
        assert_eq!(rate(Holder::queue_pairs(&port, &bound(1, Some(8)))), None);
        assert_eq!(rate(Holder::port(&port)), None);
        assert_eq!(rate(region(Some(1)).unwrap()), Some(2.0));
        assert_eq!(rate(region(Some(2)).unwrap()), None);
        assert_eq!(region(None), None);
    }

    proptest! {
        #[test]
        fn a_rate_is_finite_and_not_below_zero(before: u64, now: u64, nanos: u64) {
            let rate = Rate::between(before, now, Duration::from_nanos(nanos));
            prop_assert_eq!(rate.is_some(), now >= before && nanos > 0);
            if let Some(rate) = rate {
                prop_assert!(rate.per_second().is_finite() && rate.per_second() >= 0.0);
            }
        }
    }
}
