//! VFs in all network namespaces: what each of these shows of a VF, and which it is.

use crate::cli::{Context, Failure};
use crate::kernel::netns_sysfs::NetnsSysfs;
use crate::kernel::{Host, Namespace, NetnsError, Sysfs, SysfsError};
use crate::rdma::whereabouts;
use crate::sriov::pf::Vf;
use crate::sriov::selector::{self, SelectError, Selected};
use crate::sriov::vf_side::{self, VfSide};
use crate::view;
use crate::view::explain::Explanation;
use crate::view::{Field, Row};

/// The namespaces other than the caller's that can be looked into, and the caller's.
pub(super) struct Everywhere {
    own: Option<Namespace>,
    others: Vec<(Namespace, NetnsSysfs)>,
    unseen: Vec<NetnsError>,
    hidden: usize,
}

impl Everywhere {
    pub(super) fn look(host: &Host, own: &Sysfs) -> Result<Self, Failure> {
        let survey = whereabouts::everywhere(host, own);
        let survey = survey.map_err(|error| Explanation::of(error.to_string()))?;
        let mut found = Self {
            own: None,
            others: Vec::new(),
            unseen: Vec::new(),
            hidden: survey.hidden,
        };
        for namespace in survey.namespaces {
            if namespace.is_current {
                found.own = Some(namespace);
                continue;
            }
            let mounted = namespace.open(host);
            match mounted.and_then(|netns| NetnsSysfs::of(&netns)) {
                Ok(Ok(sysfs)) => found.others.push((namespace, sysfs)),
                // Kernels before 5.2 mount none; /sys has to do.
                Ok(Err(_)) => {}
                // It ended since it was found.
                Err(error) if error.is_absent() => {}
                Err(error) => found.unseen.push(error),
            }
        }
        Ok(found)
    }

    /// What a word means, here or else in the first namespace that knows it.
    pub(super) fn select(&self, own: &Sysfs, word: &str) -> Result<Selected, SelectError> {
        let here = selector::select(own, word);
        if !matches!(here, Err(SelectError::Unknown { .. })) {
            return here;
        }
        let mut others = self.others.iter();
        let found = others.find_map(|(_, sysfs)| selector::select(sysfs.tree(), word).ok());
        found.map_or(here, Ok)
    }

    /// What a VF shows, wherever, and whose it is, for the end of its row.
    pub(super) fn side(
        &self,
        own: &Sysfs,
        vf: Vf,
        details: bool,
    ) -> Result<(VfSide, Row), SysfsError> {
        let mut side = vf_side::read(own, vf)?;
        let here = |is_here: bool| self.own.as_ref().filter(|_| is_here);
        let mut device = here(!side.rdma.is_empty());
        let mut netdev = here(!side.netdevs.is_empty());
        let mut seen = usize::from(!side.rdma.is_empty());
        for (namespace, sysfs) in &self.others {
            let there = vf_side::read(sysfs.tree(), vf)?;
            seen += usize::from(!there.rdma.is_empty());
            if side.rdma.is_empty() && !there.rdma.is_empty() {
                side.rdma = there.rdma;
                device = Some(namespace);
            }
            if side.netdevs.is_empty() && !there.netdevs.is_empty() {
                side.netdevs = there.netdevs;
                netdev = Some(namespace);
            }
        }
        // In shared mode every namespace has the device, and the interface tells whose it is.
        let device = device.filter(|_| seen == 1);
        let Some(home) = device.or(netdev) else {
            return Ok((side, Row::new()));
        };
        let mut label = view::namespace::fields(home, details);
        let apart = netdev.filter(|netdev| netdev.id != home.id);
        let head = if details { "NETDEV NETNS" } else { "" };
        label.extend(apart.map(|apart| Field::new("netdev_netns", head, apart.word())));
        Ok((side, label))
    }

    /// What could not be looked into.
    pub(super) fn gaps(&self, cx: &Context<'_>) -> Vec<Explanation> {
        cx.gaps(&self.unseen, self.hidden)
    }
}
