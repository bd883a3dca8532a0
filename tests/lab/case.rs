//! A case: a name, what it needs to be in place, and a function that fails by panicking.

use std::time::Duration;

use crate::handle::Lab;

/// The kernels of the lab, oldest first; a guest root exists for each.
pub(crate) const KERNELS: [&str; 3] = ["6.1", "6.12", "7.3"];

/// Who holds the RDMA devices: every namespace, or one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Netns {
    Shared,
    Exclusive,
}

impl Netns {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Exclusive => "exclusive",
        }
    }
}

#[derive(Clone)]
pub(crate) struct Case {
    /// `file::function`.
    pub(crate) name: String,
    pub(crate) run: fn(&Lab),
    /// Parameters of the adapter module; `None`: the module is not loaded.
    pub(crate) adapter: Option<&'static str>,
    pub(crate) vfs: u32,
    pub(crate) netns: Netns,
    /// The emulated functions, as `tests/lab/boot --pf` names them.
    pub(crate) pf: &'static str,
    /// systemd is the guest's first process, and files outlast a reboot: what the case needs it puts
    /// in place itself, and what it leaves behind is not looked at.
    pub(crate) systemd: bool,
    /// The guest's root, where it is not the plain one of its kernel.
    pub(crate) root: Option<&'static str>,
    pub(crate) kernels: &'static [&'static str],
    pub(crate) limit: Duration,
    /// It is run behind all others of its guest.
    pub(crate) last: bool,
    /// Facts of the snapshot whose name contains one of these may differ afterwards.
    pub(crate) may_change: &'static [&'static str],
}

/// A case with the usual needs: InfiniBand adapter, 2 VFs, shared mode, every kernel.
pub(crate) fn case(name: &str, run: fn(&Lab)) -> Case {
    Case {
        name: name.to_owned(),
        run,
        adapter: Some("mode=ib"),
        vfs: 2,
        netns: Netns::Shared,
        pf: "igb",
        systemd: false,
        root: None,
        kernels: &KERNELS,
        limit: Duration::from_secs(120),
        last: false,
        may_change: &[],
    }
}

#[allow(dead_code, reason = "not every need has a case yet")]
impl Case {
    pub(crate) fn adapter(self, parameters: &'static str) -> Self {
        Self {
            adapter: Some(parameters),
            ..self
        }
    }

    pub(crate) fn ethernet(self) -> Self {
        self.adapter("mode=eth")
    }

    pub(crate) fn no_adapter(self) -> Self {
        Self {
            adapter: None,
            vfs: 0,
            ..self
        }
    }

    pub(crate) fn vfs(self, vfs: u32) -> Self {
        Self { vfs, ..self }
    }

    pub(crate) fn exclusive(self) -> Self {
        Self {
            netns: Netns::Exclusive,
            ..self
        }
    }

    pub(crate) fn pf(self, pf: &'static str) -> Self {
        Self { pf, ..self }
    }

    /// Boots for real, by [`crate::booted`].
    pub(crate) fn with_systemd(self) -> Self {
        Self {
            systemd: true,
            ..self
        }
        .only(&["6.12"], "what boots is units, which no kernel knows")
    }

    /// Needs container runtimes, which only one root has, so that no other guest boots slower for them.
    pub(crate) fn with_runtimes(self) -> Self {
        Self {
            root: Some("runtimes"),
            ..self
        }
        .only(
            &["6.1"],
            "the last distribution whose podman calls CNI plugins",
        )
    }

    /// On other kernels the case is not listed; `reason` says why, to the reader.
    pub(crate) fn only(self, kernels: &'static [&'static str], reason: &'static str) -> Self {
        assert!(
            !reason.is_empty() && kernels.iter().all(|k| KERNELS.contains(k)),
            "{}: {kernels:?}",
            self.name
        );
        Self { kernels, ..self }
    }

    pub(crate) fn limit(self, seconds: u64) -> Self {
        Self {
            limit: Duration::from_secs(seconds),
            ..self
        }
    }

    /// For a case about those before it.
    pub(crate) fn last(self) -> Self {
        Self { last: true, ..self }
    }

    /// For a case that, say, rebinds a VF, whose RDMA device then has a new index.
    pub(crate) fn may_change(self, facts: &'static [&'static str]) -> Self {
        Self {
            may_change: facts,
            ..self
        }
    }
}
