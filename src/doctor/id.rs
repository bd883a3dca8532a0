//! `Id`: every finding there is, with its area, its severity and what it means.

use super::Area;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Something does not work, or will fail.
    Error,
    /// Something works by luck, until a reboot, or not for everybody.
    Warning,
    /// Good to know; a host with notes alone is in order.
    Note,
}

impl Severity {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

macro_rules! findings {
    ($($name:ident $severity:ident $area:ident $id:literal $meaning:literal)+) => {
        /// A finding, by the name that stays.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[expect(missing_docs, reason = "the meaning stands beside each name, as text for people")]
        pub enum Id {
            $($name,)+
        }

        impl Id {
            /// Every finding there is.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The name: `AREA.WORDS`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $id,)+ }
            }

            /// Where it belongs.
            pub const fn area(self) -> Area {
                match self { $(Self::$name => Area::$area,)+ }
            }

            /// How much it matters.
            pub const fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)+ }
            }

            /// What it means, as the end of a sentence that may begin with what it is about.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning,)+ }
            }
        }
    };
}

findings! {
    KernelTooOld Error Kernel "kernel.too-old"
        "the kernel is older than Linux 5.6, the oldest that rdmactl runs on"
    KernelFeatures Note Kernel "kernel.features"
        "some commands need a newer kernel"
    KernelLockdown Note Kernel "kernel.lockdown"
        "the kernel is locked down: firmware tools cannot reach adapters over PCI"

    ModulesIbCore Error Modules "modules.ib-core"
        "ib_core is not loaded, so there is no RDMA"
    ModulesRdmaHalf Warning Modules "modules.rdma-half"
        "the network half of the driver is loaded and its RDMA half is not"
    ModulesNoRdmaDevice Warning Modules "modules.no-rdma-device"
        "both halves of the driver are loaded, and there is no RDMA device"
    ModulesIpoib Warning Modules "modules.ipoib"
        "VFs cannot be given GUIDs: the PF has no IPoIB interface"
    ModulesUverbs Warning Modules "modules.uverbs"
        "ib_uverbs is not loaded: programs cannot open RDMA devices"
    ModulesUmad Note Modules "modules.umad"
        "ib_umad is not loaded: ibstat, ibdiagnet and subnet managers do not work"

    NetnsShared Note Netns "netns.shared"
        "the netns mode is shared: every container sees every RDMA device"
    NetnsNotPersistent Warning Netns "netns.not-persistent"
        "the netns mode is exclusive until the next boot and no longer"
    NetnsNotRunning Warning Netns "netns.not-running"
        "the netns mode that is configured is not the one that runs"
    NetnsCommandLine Warning Netns "netns.command-line"
        "the kernel command line sets another netns mode than the files of modprobe, and counts more"
    NetnsInitramfs Warning Netns "netns.initramfs"
        "the initramfs is older than the file that sets the netns mode, and may hold another"
    NetnsInvalid Error Netns "netns.invalid"
        "the kernel refuses the configured netns mode, and ib_core with it"
    NetnsBlocked Note Netns "netns.blocked"
        "the netns mode cannot be changed while these namespaces exist"

    NamesUnstable Note Names "names.unstable"
        "RDMA devices are named in the order in which they are found, which may differ at each boot"
    NamesKernel Note Names "names.kernel"
        "udev has a rule that renames RDMA devices, and these still have their kernel names"
    NamesFallback Warning Names "names.fallback"
        "it came home from a namespace while its name was taken, and was given another"
    NamesUnsound Warning Names "names.unsound"
        "its name breaks scripts and paths"

    DevicesNoMove Note Devices "devices.no-move"
        "the device cannot be moved to a network namespace"

    VfsGuidZero Error Vfs "vfs.guid-zero"
        "VFs have no GUID: RDMA connections fail on them and CNI plugins refuse them"
    VfsGuidDuplicate Error Vfs "vfs.guid-duplicate"
        "the GUID is given out more than once"
    VfsGuidPending Warning Vfs "vfs.guid-pending"
        "VFs were given a GUID that their driver has not taken: it reads it when it is bound"
    VfsMacUnset Warning Vfs "vfs.mac-unset"
        "VFs have no MAC address: the driver makes one up at each start, and their node GUID is zero"
    VfsMacDuplicate Error Vfs "vfs.mac-duplicate"
        "the MAC address is given out more than once"
    VfsNoDriver Warning Vfs "vfs.no-driver"
        "VFs have no driver"
    VfsListShort Warning Vfs "vfs.list-short"
        "the kernel tells of fewer VFs than there are; the others could not be checked"
    VfsNonePossible Note Vfs "vfs.none-possible"
        "the firmware offers no VFs"
    VfsSriovOff Note Vfs "vfs.sriov-off"
        "the adapter does not show SR-IOV: it is off in the firmware or the BIOS"

    PortsNoLink Note Ports "ports.no-link"
        "the port is down: nothing answers on the cable"
    PortsDisabled Note Ports "ports.disabled"
        "the port is down: it is switched off"
    PortsNetdevDown Note Ports "ports.netdev-down"
        "the port is down because its network interface is"
    PortsNoSubnetManager Warning Ports "ports.no-subnet-manager"
        "the link is up and no subnet manager has brought the port to work"
    PortsVfDisabled Warning Ports "ports.vf-disabled"
        "the port is down: the PF keeps the VF's link down"
    PortsVfFollows Note Ports "ports.vf-follows"
        "the port is down as the PF's is, which it follows"
    PortsVfUnvirtualised Warning Ports "ports.vf-unvirtualised"
        "the PF's port works and the VF's does not: the subnet manager does not serve its GUID"
    PortsDown Warning Ports "ports.down"
        "the port does not work, for a reason that cannot be seen from here"

    PrivilegeMissing Warning Privilege "privilege.missing"
        "the caller may not change anything here"
    PrivilegeUserNamespace Warning Privilege "privilege.user-namespace"
        "the caller is root in a user namespace only, which counts for nothing with RDMA"
    PrivilegeOtherNetns Note Privilege "privilege.other-netns"
        "only what this network namespace shows was examined; it is not the first one"
    PrivilegeUnseen Warning Privilege "privilege.unseen"
        "not everything could be looked at"

    PluginsMissing Error Plugins "plugins.missing"
        "a configuration names a plugin that is in no CNI folder"
    PluginsDangling Error Plugins "plugins.dangling"
        "the plugin is a link to nothing"
    PluginsNotExecutable Error Plugins "plugins.not-executable"
        "the plugin cannot be run"
    PluginsForeign Note Plugins "plugins.foreign"
        "the plugin is another program than this one"
    PluginsOtherBuild Warning Plugins "plugins.other-build"
        "the plugin is another build of this program"

    ChainsUnreadable Error Chains "chains.unreadable"
        "the file is no CNI configuration"
    ChainsFirst Error Chains "chains.first"
        "rdma works behind another plugin only, and stands first"
    ChainsOrder Error Chains "chains.order"
        "rdma and ib-sriov in one chain: moving the RDMA device takes the IPoIB interface away again"
    ChainsIsolationTwice Error Chains "chains.isolation-twice"
        "rdmaIsolation and the rdma plugin both move the RDMA device"
    ChainsSharedMode Error Chains "chains.shared-mode"
        "the configuration moves RDMA devices, which shared mode forbids"
    ChainsUnknownKey Warning Chains "chains.unknown-key"
        "keys that the plugin does not read"
    ChainsValue Error Chains "chains.value"
        "a value that the plugin refuses"

    LeasesGarbage Warning Leases "leases.garbage"
        "the record of a CNI plugin cannot be read"
    LeasesOrphan Warning Leases "leases.orphan"
        "the record is of a sandbox that is gone"
    LeasesNoRecord Warning Leases "leases.no-record"
        "the device lies in a namespace without processes, and no plugin has it on record"

    ManagersNetworkManager Warning Managers "managers.networkmanager"
        "NetworkManager is configured to make VFs too"
    ManagersNetworkd Warning Managers "managers.networkd"
        "systemd is configured to make VFs too"
    ManagersNetplan Warning Managers "managers.netplan"
        "netplan is configured to make VFs too"
    ManagersOperator Warning Managers "managers.operator"
        "the SR-IOV network operator manages this host's VFs too"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_of_their_area_and_stand_once() {
        let mut names: Vec<&str> = Id::ALL.iter().map(|id| id.as_str()).collect();
        for id in Id::ALL {
            let (area, word) = id.as_str().split_once('.').unwrap();
            assert_eq!(area, id.area().as_str(), "{id:?}");
            let plain = |c: char| c.is_ascii_lowercase() || c == '-';
            assert!(word.chars().all(plain), "{id:?}");
        }
        names.sort();
        names.dedup();
        assert_eq!(names.len(), Id::ALL.len());
    }
}
