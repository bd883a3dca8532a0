//! `Makers`: the processes behind objects, each looked up once.

use std::collections::BTreeMap;

use crate::kernel::Host;
use crate::kernel::owner::Owner;
use crate::kernel::procfs::Procfs;

/// A process that made objects, as far as it can be looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Maker {
    /// The command name.
    pub comm: Option<String>,
    /// Who answers for it, where that was asked for.
    pub owner: Option<Owner>,
}

/// Processes by number.
pub struct Makers {
    procfs: Procfs,
    with_owners: bool,
    known: BTreeMap<u32, Maker>,
}

impl Makers {
    /// Nobody yet; `with_owners` also reads control groups.
    pub fn new(host: &Host, with_owners: bool) -> Self {
        Self {
            procfs: Procfs::of(host),
            with_owners,
            known: BTreeMap::new(),
        }
    }

    /// The process with this number; one that is gone has no properties.
    pub fn of(&mut self, pid: u32) -> &Maker {
        let (procfs, with_owners) = (&self.procfs, self.with_owners);
        self.known.entry(pid).or_insert_with(|| {
            let cgroup = with_owners.then(|| procfs.cgroup(pid)).flatten();
            Maker {
                comm: procfs.comm(pid),
                owner: cgroup.and_then(|text| Owner::read(&text)),
            }
        })
    }
}
