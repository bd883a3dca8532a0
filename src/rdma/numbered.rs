//! Devices by their names, found without a listing: by their numbers, and from the newest one on.

use super::{RdmaError, device, newest};
use crate::kernel::{Conn, Host};
use crate::wire::Request;
use crate::wire::nldev::device::{self as wire, Device};

/// How often a place is guessed before all devices are listed.
const GUESSES: u32 = 3;

/// So many places are looked at in one go, and so often.
const AT_ONCE: u32 = 16;
const ROUNDS: u32 = 8;

/// As [`device::shown`], by index, and where names were given in the order of indices, as drivers give them when a host
/// starts, with a handful of calls. Drivers that were bound anew have made the newest devices: these are looked at from the
/// newest one on that is known. For each device of a listing the kernel walks past all before it (`ib_enum_all_devs`,
/// `drivers/infiniband/core/device.c`), so that one of 121 takes as long as 300 questions. `conn` belongs to the namespace
/// of the calling thread. The kernel is asked for the name at each place that is tried: a guess may miss, and never takes
/// another device.
///
/// # Errors
/// As [`device::shown`].
pub fn shown(host: &Host, conn: &mut Conn, names: &[String]) -> Result<Vec<Device>, RdmaError> {
    let mut found = guessed(host, conn, names)?;
    if found.len() < names.len() {
        found = from_newest(host, conn, names)?;
    }
    if found.len() < names.len() {
        found = device::all_with(conn, names)?;
        newest::note(host, &found);
        found.retain(|device| names.contains(&device.name));
    }
    found.sort_by_key(|device| device.index);
    Ok(found)
}

fn guessed(host: &Host, conn: &mut Conn, names: &[String]) -> Result<Vec<Device>, RdmaError> {
    let mut found = Vec::with_capacity(names.len());
    if !names.iter().any(|name| parts(name).is_some()) {
        return Ok(found);
    }
    let at_own = at_own_number(conn, &names[0])?;
    let itself = at_own.as_ref().filter(|device| device.name == names[0]);
    found.extend(itself.cloned());
    let near = match at_own {
        Some(device) => Some(device),
        None => host.rdma()?.first(&wire::dump(), Device::decode_address)?,
    };
    let Some(mut near) = near else {
        return Ok(found);
    };
    for name in names.iter().skip(found.len()) {
        match guess(conn, near, name)? {
            Some(device) => found.push(device.clone()),
            None => break,
        }
        near = found[found.len() - 1].clone();
    }
    Ok(found)
}

/// The newest device that is known, for the VF given last is often given next, and the next ones, which a driver that was
/// bound since has made; else those before and behind it, the nearest first.
fn from_newest(host: &Host, conn: &mut Conn, names: &[String]) -> Result<Vec<Device>, RdmaError> {
    let mut found: Vec<Device> = Vec::with_capacity(names.len());
    let Some(newest) = newest::read(host) else {
        return Ok(found);
    };
    let next = newest.saturating_add(1);
    let just_made = newest..next.saturating_add(names.len() as u32);
    let behind = just_made.end..just_made.end.saturating_add(AT_ONCE);
    let before = |round: u32| {
        let end = newest.saturating_sub(round * AT_ONCE);
        end.saturating_sub(AT_ONCE)..end
    };
    let nearest = [just_made, before(0), behind];
    for places in nearest.into_iter().chain((1..ROUNDS).map(before)) {
        let questions: Vec<Request> = places.map(wire::get).collect();
        let answers = conn.get_all(&questions, Device::decode)?;
        // Nothing is there, or nothing that is seen from here.
        let there = answers.into_iter().flatten();
        found.extend(there.filter(|device| names.contains(&device.name)));
        if found.len() >= names.len() {
            break;
        }
    }
    Ok(found)
}

/// The device whose index is the number in this name, where it is called alike: so it is where one driver makes all
/// devices. A listing takes a socket of its own.
fn at_own_number(conn: &mut Conn, name: &str) -> Result<Option<Device>, RdmaError> {
    let Some((stem, number)) = parts(name) else {
        return Ok(None);
    };
    let device = device::with_index(conn, number)?;
    let is_alike = |device: &Device| parts(&device.name).is_some_and(|(its, _)| its == stem);
    Ok(device.filter(is_alike))
}

fn guess(conn: &mut Conn, near: Device, name: &str) -> Result<Option<Device>, RdmaError> {
    let mut near = near;
    for _ in 0..GUESSES {
        let (Some((stem, number)), Some((its_stem, its_number))) = (parts(name), parts(&near.name))
        else {
            return Ok(None);
        };
        let index = i64::from(near.index) + i64::from(number) - i64::from(its_number);
        let Some(index) = u32::try_from(index).ok().filter(|_| stem == its_stem) else {
            return Ok(None);
        };
        match device::with_index(conn, index)? {
            Some(device) if device.name == name => return Ok(Some(device)),
            Some(other) if other.index != near.index => near = other,
            _ => return Ok(None),
        }
    }
    Ok(None)
}

/// `mlx5_12` is `mlx5_` and 12.
fn parts(name: &str) -> Option<(&str, u32)> {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let number = name[stem.len()..].parse().ok()?;
    Some((stem, number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::{Answer, Kernel, Machine};
    use crate::wire::Request;
    use nix::errno::Errno;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// Device index of a GET, which is its first attribute; `None` for a listing.
    fn wanted(body: &[u8]) -> Option<u32> {
        let value = body.get(4..8)?;
        Some(u32::from_ne_bytes(value.try_into().ok()?))
    }

    fn kernel(devices: &'static [(u32, &'static str)], listings: &Arc<AtomicU32>) -> Kernel {
        let listings = listings.clone();
        Arc::new(move |_, body: &[u8]| {
            let entry = |(index, name): &(u32, &str)| {
                let device = Request::new(0).u32(1, *index).text(2, name).u32(3, 1);
                device.body().to_vec()
            };
            let Some(index) = wanted(body) else {
                listings.fetch_add(1, Ordering::SeqCst);
                return Answer::Data(devices.iter().map(entry).collect());
            };
            match devices.iter().find(|device| device.0 == index) {
                Some(device) => Answer::Data(vec![entry(device)]),
                None => Answer::Refused(Errno::EINVAL, None),
            }
        })
    }

    /// The indices found, and how many listings were begun.
    fn found(devices: &'static [(u32, &'static str)], names: &[&str]) -> (Vec<u32>, u32) {
        found_on(&Machine::new(), devices, names)
    }

    fn found_on(
        machine: &Machine,
        devices: &'static [(u32, &'static str)],
        names: &[&str],
    ) -> (Vec<u32>, u32) {
        let listings = Arc::default();
        let host = machine.host_with(kernel(devices, &listings));
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let found = shown(&host, &mut host.rdma().unwrap(), &names).unwrap();
        let indices = found.into_iter().map(|device| device.index).collect();
        (indices, listings.load(Ordering::SeqCst))
    }

    const IN_ORDER: &[(u32, &str)] = &[
        (40, "mlx5_0"),
        (41, "mlx5_1"),
        (42, "mlx5_2"),
        (43, "mlx5_3"),
    ];

    #[test]
    fn numbers_in_order_take_no_listing() {
        // The one that is begun is for its first entry.
        assert_eq!(found(IN_ORDER, &["mlx5_2"]), (vec![42], 1));
        assert_eq!(found(IN_ORDER, &["mlx5_3", "mlx5_1"]), (vec![41, 43], 1));
        assert_eq!(found(IN_ORDER, &["mlx5_0"]), (vec![40], 1));
    }

    #[test]
    fn a_gap_is_stepped_over_and_what_is_out_of_order_is_listed() {
        const FROM_0: &[(u32, &str)] =
            &[(0, "mlx5_0"), (1, "mlx5_1"), (2, "mlx5_2"), (3, "mlx5_4")];
        assert_eq!(found(FROM_0, &["mlx5_1"]), (vec![1], 0));
        assert_eq!(found(FROM_0, &["mlx5_2", "mlx5_1"]), (vec![1, 2], 0));
        assert_eq!(found(FROM_0, &["mlx5_4"]), (vec![3], 2));
        const GAP: &[(u32, &str)] = &[(3, "mlx5_0"), (5, "mlx5_3"), (6, "mlx5_4"), (7, "mlx5_5")];
        assert_eq!(found(GAP, &["mlx5_4"]), (vec![6], 1));
        const ANEW: &[(u32, &str)] = &[(3, "mlx5_0"), (4, "mlx5_2"), (9, "mlx5_1")];
        assert_eq!(found(ANEW, &["mlx5_1"]), (vec![9], 2));
        const OTHERS: &[(u32, &str)] = &[(0, "rxe0"), (1, "mlx5_0"), (2, "roce")];
        assert_eq!(found(OTHERS, &["mlx5_0"]), (vec![1], 2));
        assert_eq!(found(OTHERS, &["roce"]), (vec![2], 1));
        // Two listings of the same devices are believed.
        assert_eq!(found(OTHERS, &["rxe7"]), (vec![], 3));
        assert_eq!(found(&[], &["rxe7"]), (vec![], 3));
    }

    #[test]
    fn what_was_made_since_is_looked_for_from_the_newest_on() {
        const FILE: &str = "var/run/cni/ib-sriov/cni.lock";
        // Of two that were bound anew one is away.
        const ANEW: &[(u32, &str)] = &[
            (0, "mlx5_0"),
            (400, "mlx5_2"),
            (481, "mlx5_3"),
            (500, "mlx5_1"),
            (501, "mlx5_4"),
            (510, "mlx5_5"),
        ];
        let machine = Machine::new().file(FILE, "");
        let found = |names: &[&str]| found_on(&machine, ANEW, names);
        // All are listed once, and what was the newest then is known.
        assert_eq!(found(&["mlx5_1"]), (vec![500], 2));
        assert_eq!(machine.read(FILE).trim(), "510");
        assert_eq!(found(&["mlx5_1"]), (vec![500], 1));
        assert_eq!(found(&["mlx5_4", "mlx5_3"]), (vec![481, 501], 1));
        assert_eq!(found(&["mlx5_2"]), (vec![400], 1));
        // Somebody else has bound drivers since, or the number is wrong.
        for (newest, listings) in [
            ("509", 1),
            ("500", 1),
            ("493", 1),
            ("492", 2),
            ("9", 2),
            ("?", 2),
        ] {
            let machine = Machine::new().file(FILE, newest);
            let found = found_on(&machine, ANEW, &["mlx5_5"]);
            assert_eq!(found, (vec![510], listings), "{newest}");
        }
        let machine = Machine::new().file(FILE, "4294967295");
        assert_eq!(found_on(&machine, ANEW, &["mlx5_5"]), (vec![510], 2));
    }

    #[test]
    fn names_and_their_numbers() {
        assert_eq!(parts("mlx5_12"), Some(("mlx5_", 12)));
        assert_eq!(parts("7"), Some(("", 7)));
        assert_eq!(parts("rocep1s0f0v"), None);
        assert_eq!(parts("mlx5_99999999999"), None);
        assert_eq!(parts(""), None);
    }
}
