//! The names of new RDMA devices: in the order of VFs, where nobody else gives them names.

use std::collections::BTreeMap;

use super::StepError;
use crate::kernel::{Host, file};
use crate::rdma::device;
use crate::types::RdmaName;
use crate::wire::nldev::device::Device;

/// The rule of rdma-core by which udev names RDMA devices after their PCI address; a file hides
/// those of the same name in later folders (udev(7)).
const RULE: &str = "60-rdma-persistent-naming.rules";
const FOLDERS: [&str; 5] = [
    "/etc/udev/rules.d",
    "/run/udev/rules.d",
    "/usr/local/lib/udev/rules.d",
    "/usr/lib/udev/rules.d",
    "/lib/udev/rules.d",
];
const MAX_RULE: u64 = 64 * 1024;

/// What stands for the number of a device while its number is another's.
pub(super) const ASIDE: &str = "aside";

/// Who names new RDMA devices after the kernel has numbered them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    /// udev, after where they are: the same whatever the order.
    Udev,
    /// Nobody.
    Nobody,
}

/// Whether udev is at work, which names interfaces.
pub(super) fn is_udev_there(host: &Host) -> bool {
    host.path("/run/udev/control").exists()
}

pub(super) fn of(host: &Host) -> Naming {
    if !is_udev_there(host) {
        return Naming::Nobody;
    }
    let mut rules = FOLDERS.iter().map(|folder| {
        let path = host.path(&format!("{folder}/{RULE}"));
        file::read_regular(&path, MAX_RULE).ok().flatten()
    });
    let Some(text) = rules.find_map(|text| text) else {
        return Naming::Nobody;
    };
    let text = String::from_utf8_lossy(&text).into_owned();
    let names = |line: &str| line.contains("rdma_rename") && !line.contains("NAME_KERNEL");
    let mut lines = text.lines().map(str::trim);
    match lines.any(|line| !line.starts_with('#') && names(line)) {
        true => Naming::Udev,
        false => Naming::Nobody,
    }
}

/// A name of the kernel: the driver's word and a number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Numbered {
    word: String,
    number: u32,
}

impl Numbered {
    pub(super) fn of(name: &str) -> Option<Self> {
        let word = name.trim_end_matches(|c: char| c.is_ascii_digit());
        let number: u32 = name[word.len()..].parse().ok()?;
        let read = Self {
            word: word.to_owned(),
            number,
        };
        // `x_01` is somebody's choice.
        (read.name() == name).then_some(read)
    }

    pub(super) fn name(&self) -> String {
        format!("{}{}", self.word, self.number)
    }

    /// The lowest one that nobody has.
    pub(super) fn free(word: &str, is_free: impl Fn(&str) -> bool) -> Option<Self> {
        let mut numbers = (0..).map(|number| Self {
            word: word.to_owned(),
            number,
        });
        numbers.find(|each| is_free(&each.name()))
    }
}

/// Gives the RDMA devices of functions, each with the names of its own, the numbers that they have together, in this
/// order.
pub(super) fn in_order(host: &Host, functions: &[Vec<String>]) -> Result<(), StepError> {
    let mut now = Vec::new();
    for names in functions {
        // One with several devices, or with a name of somebody's choice, is left alone.
        if let [name] = &names[..] {
            match name.strip_suffix(ASIDE) {
                Some(word) => now.push(brought_back(host, name, word)?),
                None => now.extend(Numbered::of(name)),
            }
        }
    }
    let moves = moves(&now);
    if moves.is_empty() {
        return Ok(());
    }
    let mut conn = host.rdma()?;
    let before = device::addresses(&mut conn)?;
    let mut by_name: BTreeMap<String, Device> = before
        .into_iter()
        .map(|device| (device.name.clone(), device))
        .collect();
    let mut renamed = Vec::new();
    for (from, to) in moves {
        let device = match by_name.remove(&from) {
            Some(device) => device,
            // A listing may leave one out.
            None => device::find_shown(&mut conn, &from)?,
        };
        let Ok(name) = to.parse::<RdmaName>() else {
            return Err(StepError::NotSo);
        };
        device::set_name(&mut conn, &device, &name)?;
        renamed.push((device.index, to.clone()));
        by_name.insert(to.clone(), Device { name: to, ..device });
    }
    // The last name of each counts.
    let wanted: BTreeMap<u32, String> = renamed.into_iter().collect();
    let now = device::addresses(&mut conn)?;
    let now: BTreeMap<u32, String> = now.into_iter().map(|now| (now.index, now.name)).collect();
    for (index, name) in wanted {
        let is_so = match now.get(&index) {
            Some(now) => *now == name,
            None => device::find_shown(&mut conn, &name)?.index == index,
        };
        if !is_so {
            return Err(StepError::NotSo);
        }
    }
    Ok(())
}

/// A device that was set aside when its apply was ended gets the lowest number that is free.
fn brought_back(host: &Host, name: &str, word: &str) -> Result<Numbered, StepError> {
    let mut conn = host.rdma()?;
    let all = device::list(&mut conn)?;
    let is_free = |name: &str| all.iter().all(|device| device.name != name);
    let free = Numbered::free(word, is_free).ok_or(StepError::NotSo)?;
    let found = device::find(&mut conn, name)?;
    let Ok(to) = free.name().parse::<RdmaName>() else {
        return Err(StepError::NotSo);
    };
    device::rename(&mut conn, &found, &to)?;
    Ok(free)
}

/// The renames, one after the other, none of which meets a name that is taken.
pub(super) fn moves(now: &[Numbered]) -> Vec<(String, String)> {
    let mut wanted = now.to_vec();
    wanted.sort();
    let mut now = now.to_vec();
    let mut moves = Vec::new();
    for start in 0..now.len() {
        if now[start] == wanted[start] {
            continue;
        }
        let aside = format!("{}{ASIDE}", now[start].word);
        moves.push((now[start].name(), aside.clone()));
        let mut free = now[start].clone();
        while free != wanted[start] {
            let Some(at) = wanted.iter().position(|each| *each == free) else {
                break;
            };
            moves.push((now[at].name(), free.name()));
            std::mem::swap(&mut free, &mut now[at]);
        }
        moves.push((aside, free.name()));
        now[start] = free;
    }
    moves
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::Machine;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn every_order_becomes_the_right_one(order in Just((0..12u32).collect::<Vec<_>>()).prop_shuffle()) {
            let now: Vec<Numbered> = order.iter().map(|number| Numbered { word: "mlx5_".to_owned(), number: *number }).collect();
            let mut names: Vec<String> = now.iter().map(Numbered::name).collect();
            for (from, to) in moves(&now) {
                let taken: BTreeSet<&String> = names.iter().collect();
                prop_assert!(!taken.contains(&to), "{} is taken", to);
                let at = names.iter().position(|name| *name == from);
                prop_assert!(at.is_some(), "{} is nobody's", from);
                names[at.unwrap()] = to;
            }
            let sorted: Vec<String> = (0..12).map(|number| format!("mlx5_{number}")).collect();
            prop_assert_eq!(names, sorted);
        }
    }

    #[test]
    fn names_of_the_kernel() {
        assert_eq!(Numbered::of("mlx5_12").unwrap().number, 12);
        for name in ["mlx5_", "mlx5_01", "ibp1s0f0v3x", "", "99999999999"] {
            assert_eq!(Numbered::of(name), None, "{name}");
        }
    }

    #[test]
    fn who_names_them() {
        let rule = "ACTION==\"add\", PROGRAM=\"rdma_rename %k NAME_FALLBACK\"\n";
        let own = "etc/udev/rules.d/60-rdma-persistent-naming.rules";
        let theirs = "usr/lib/udev/rules.d/60-rdma-persistent-naming.rules";
        let machine = Machine::new().file(theirs, rule);
        assert_eq!(of(&machine.host()), Naming::Nobody);
        let machine = machine.file("run/udev/control", "");
        assert_eq!(of(&machine.host()), Naming::Udev);
        let machine = machine.file(own, rule.replace("FALLBACK", "KERNEL"));
        assert_eq!(of(&machine.host()), Naming::Nobody);
        let machine = machine.file(own, format!("# {rule}"));
        assert_eq!(of(&machine.host()), Naming::Nobody);
    }
}
