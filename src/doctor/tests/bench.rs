//! `Bench`: a host in order, made of files and a kernel, and the ways to bring it out of order.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;

use super::answers;
use crate::doctor::facts::{Away, Facts};
use crate::doctor::{Area, Finding, Id};
use crate::kernel::Host;
use crate::kernel::fake::Machine;
use crate::types::{Guid, LinkPolicy, Mac};
use crate::wire::link::vf::Vf as Told;

/// The first InfiniBand PF; the second is `0000:03:00.0`, both with two VFs.
pub const IB: &str = "0000:01:00.0";
/// The Ethernet PF, with two VFs.
pub const ETH: &str = "0000:05:00.0";

/// What nldev tells of a device, and of its one port.
#[derive(Clone)]
pub struct Device {
    pub name: String,
    pub protocol: &'static str,
    pub guid: u64,
    pub state: u8,
    pub physical: u8,
    pub lid: u32,
    pub netdev: Option<&'static str>,
}

/// What rtnetlink tells of an interface.
#[derive(Clone)]
pub struct Netdev {
    pub name: String,
    pub hardware: u16,
    pub address: Vec<u8>,
    pub vfs: Vec<Told>,
}

/// A host.
#[derive(Clone)]
pub struct Bench {
    files: BTreeMap<String, Vec<u8>>,
    links: BTreeMap<String, String>,
    executable: BTreeSet<String>,
    old: BTreeSet<String>,
    /// 0 exclusive, 1 shared.
    pub mode: u8,
    pub qkey: Option<bool>,
    /// By RDMA index.
    pub devices: Vec<Device>,
    /// By interface index, from 1.
    pub netdevs: Vec<Netdev>,
    pub away: Vec<Away>,
    /// The kernel has no room for the VFs of an interface (EMSGSIZE).
    pub cramped: bool,
}

impl Bench {
    /// A host on which there is nothing to find.
    pub fn sound() -> Self {
        let mut bench = Self {
            files: BTreeMap::new(),
            links: BTreeMap::new(),
            executable: BTreeSet::new(),
            old: BTreeSet::new(),
            mode: 0,
            qkey: Some(false),
            devices: Vec::new(),
            netdevs: Vec::new(),
            away: Vec::new(),
            cramped: false,
        };
        bench
            .file("proc/sys/kernel/osrelease", "7.3.1\n")
            .file("proc/sys/kernel/random/boot_id", "boot-1\n")
            .file("proc/cmdline", "quiet\n")
            .file("proc/self/status", "CapEff:\t000001ffffffffff\n")
            .link("proc/self/ns/user", "user:[4026531837]")
            .link("proc/self/ns/pid", "pid:[4026531836]")
            .link("proc/thread-self/ns/net", "net:[100]")
            .link("proc/1/ns/net", "net:[100]")
            .file("proc/1/comm", "systemd\n")
            .link("proc/self/exe", "../../usr/sbin/rdmactl")
            .file("usr/sbin/rdmactl", "program")
            .run_by_all("usr/sbin/rdmactl")
            .file("sys/module/ib_core/parameters/netns_mode", "N\n")
            .file("etc/modprobe.d/rdmactl.conf", "options ib_core netns_mode=0\n")
            .file("boot/vmlinuz", "")
            .file("usr/lib/udev/rules.d/60-rdma.rules", "SUBSYSTEM==\"infiniband\", PROGRAM=\"rdma_rename %k NAME_FALLBACK\"\n")
            .link("opt/cni/bin/rdma", "../../../usr/sbin/rdmactl")
            .link("opt/cni/bin/ib-sriov", "../../../usr/sbin/rdmactl")
            .file("sys/kernel/security/lockdown", "[none] integrity confidentiality\n")
            .chain("10-net.conflist", r#"{"cniVersion":"1.0.0","name":"n","plugins":[{"type":"host-device"},{"type":"rdma","args":{}}]}"#);
        for module in ["ib_uverbs", "ib_umad", "ib_ipoib", "mlx5_ib"] {
            bench.file(&format!("sys/module/{module}/uevent"), "");
        }
        bench.adapter(IB, "ib", 0x0c42_a103_0001_0000);
        bench.adapter("0000:03:00.0", "ib", 0x0c42_a103_0003_0000);
        bench.adapter(ETH, "roce", 0x0c42_a103_0005_0000);
        bench
    }

    /// A PF with two VFs, everything in order. PF, VF 0, VF 1 have the next indices of each kind.
    fn adapter(&mut self, pf: &str, protocol: &'static str, guid: u64) {
        let root = pf.trim_end_matches('0').to_owned();
        let infiniband = protocol == "ib";
        let first = self.netdevs.len();
        let mut vfs = Vec::new();
        for at in 0..3_u32 {
            let address = match at {
                0 => pf.to_owned(),
                vf => format!("{root}{}", vf + 1),
            };
            self.function(&address, Some("mlx5_core"));
            let own = guid + u64::from(at) + u64::from(at > 0);
            let name = format!("{protocol}p{first}d{at}");
            self.member(&address, "infiniband", &name);
            self.member(&address, "infiniband_verbs", &format!("uverbs{first}{at}"));
            let netdev: &'static str =
                Box::leak(format!("{protocol}{first}f{at}").into_boxed_str());
            self.member(&address, "net", netdev);
            let index = self.netdevs.len() + 1;
            let folder = format!("sys/devices/{address}/net/{netdev}");
            self.file(&format!("{folder}/ifindex"), format!("{index}\n"))
                .file(&format!("{folder}/flags"), "0x1003\n")
                .file(&format!("{folder}/operstate"), "up\n");
            self.devices.push(Device {
                name,
                protocol,
                guid: own,
                state: 4,
                physical: 5,
                lid: 3,
                netdev: (!infiniband).then_some(netdev),
            });
            let mac = [2, 0, 0, 0, first as u8, at as u8];
            let mut address_bytes = vec![0; 12];
            address_bytes.extend(own.to_be_bytes());
            self.netdevs.push(Netdev {
                name: netdev.to_owned(),
                hardware: if infiniband { 32 } else { 1 },
                address: if infiniband {
                    address_bytes
                } else {
                    mac.to_vec()
                },
                vfs: Vec::new(),
            });
            if at == 0 {
                self.file(&format!("sys/devices/{pf}/sriov_totalvfs"), "2\n");
                self.file(&format!("sys/devices/{pf}/sriov_drivers_autoprobe"), "1\n");
                continue;
            }
            self.link(
                &format!("sys/devices/{address}/physfn"),
                &format!("../{pf}"),
            );
            self.link(
                &format!("sys/devices/{pf}/virtfn{}", at - 1),
                &format!("../{address}"),
            );
            vfs.push(Told {
                index: at - 1,
                mac: Some(Mac::new(mac)),
                state: Some(LinkPolicy::Auto),
                node_guid: infiniband.then_some(Guid::new(own)),
                port_guid: infiniband.then_some(Guid::new(own)),
                ..Told::default()
            });
        }
        self.netdevs[first].vfs = vfs;
    }

    /// A function of the PCI bus.
    pub fn function(&mut self, address: &str, driver: Option<&str>) -> &mut Self {
        self.file(&format!("sys/devices/{address}/vendor"), "0x15b3\n");
        if let Some(driver) = driver {
            let target = format!("../../bus/pci/drivers/{driver}");
            self.link(&format!("sys/devices/{address}/driver"), &target);
        }
        self.link(
            &format!("sys/bus/pci/devices/{address}"),
            &format!("../../../devices/{address}"),
        )
    }

    /// A member of a class on a function.
    pub fn member(&mut self, address: &str, class: &str, name: &str) -> &mut Self {
        self.link(
            &format!("sys/devices/{address}/{class}/{name}/device"),
            &format!("../../../{address}"),
        )
        .link(
            &format!("sys/class/{class}/{name}"),
            &format!("../../devices/{address}/{class}/{name}"),
        )
    }

    pub fn file(&mut self, path: &str, content: impl AsRef<[u8]>) -> &mut Self {
        self.links.remove(path);
        self.files
            .insert(path.to_owned(), content.as_ref().to_vec());
        self
    }

    pub fn link(&mut self, path: &str, target: &str) -> &mut Self {
        self.files.remove(path);
        self.executable.remove(path);
        self.links.insert(path.to_owned(), target.to_owned());
        self
    }

    pub fn chain(&mut self, name: &str, content: &str) -> &mut Self {
        self.file(&format!("etc/cni/net.d/{name}"), content)
    }

    pub fn lease(&mut self, content: &str) -> &mut Self {
        self.file("var/lib/cni/rdma/n-c-eth0", content)
    }

    pub fn run_by_all(&mut self, path: &str) -> &mut Self {
        self.executable.insert(path.to_owned());
        self
    }

    /// Makes a file an hour older than the others.
    pub fn old(&mut self, path: &str) -> &mut Self {
        self.old.insert(path.to_owned());
        self
    }

    /// Gives a device another name, in sysfs too.
    pub fn rename(&mut self, index: usize, name: &str) -> &mut Self {
        let before = std::mem::replace(&mut self.devices[index].name, name.to_owned());
        let end = format!("/infiniband/{before}");
        let renamed = |path: &str| path.replace(&end, &format!("/infiniband/{name}"));
        let links = std::mem::take(&mut self.links).into_iter();
        self.links = links
            .map(|(path, target)| (renamed(&path), renamed(&target)))
            .collect();
        self
    }

    /// Takes everything away whose path begins so.
    pub fn remove(&mut self, begin: &str) -> &mut Self {
        self.files.retain(|path, _| !path.starts_with(begin));
        self.links.retain(|path, _| !path.starts_with(begin));
        self.executable.retain(|path| !path.starts_with(begin));
        self
    }

    pub fn device(&mut self, index: usize) -> &mut Device {
        &mut self.devices[index]
    }

    /// What the PF with this interface tells of its VF 0.
    pub fn told(&mut self, netdev: usize) -> &mut Told {
        &mut self.netdevs[netdev].vfs[0]
    }

    /// Another process with a network namespace.
    pub fn process(&mut self, pid: u32, net: &str) -> &mut Self {
        self.link(&format!("proc/{pid}/ns/net"), net)
            .file(&format!("proc/{pid}/comm"), "sleep\n")
    }

    pub fn machine(&self) -> Machine {
        let mut machine = Machine::new();
        for (path, content) in &self.files {
            machine = machine.file(path, content);
        }
        for (path, target) in &self.links {
            machine = machine.link(path, target);
        }
        for path in &self.executable {
            let all = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(machine.path(path), all).unwrap();
        }
        for path in &self.old {
            let file = std::fs::File::options()
                .write(true)
                .open(machine.path(path));
            let ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
            file.unwrap().set_modified(ago).unwrap();
        }
        machine
    }

    /// What is found in these areas.
    pub fn findings(&self, areas: &[Area]) -> Vec<Finding> {
        let machine = self.machine();
        let host: Host = machine.host_with(answers::kernel(self.clone()));
        let facts = Facts::of(&host);
        facts.set_away(self.away.clone());
        crate::doctor::examine_facts(&facts, areas)
    }

    pub fn ids(&self) -> Vec<Id> {
        let findings = self.findings(&[]);
        let mut ids: Vec<Id> = findings.iter().map(|finding| finding.id).collect();
        ids.sort();
        ids.dedup();
        ids
    }
}
