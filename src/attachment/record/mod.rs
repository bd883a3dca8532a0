//! `VfRecord`: what is written down before a VF is changed. Go's keys, and ours beside them.

mod decode;
mod encode;

use super::Partition;
use crate::rdma::lease::{Attachment, NetnsMark, Phase};
use crate::types::{Guid, IfName, LinkPolicy, PciAddr};

/// The key below which everything stands that Go does not know.
const OURS: &str = "rdmactl";

/// One attachment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VfRecord {
    /// Whose it is. Go leaves out the container and the interface, which stand in the file's name.
    pub attachment: Option<Attachment>,
    /// Name of the network; Go writes that down.
    pub network: String,
    /// How far ADD has come; Go writes a record only when it is done.
    pub done: bool,
    /// The function that was given away; absent in a record that Go cut short.
    pub function: Option<PciAddr>,
    /// The PF, and the VF's index on it.
    pub vf: Option<Vf>,
    /// As it was before anything was changed.
    pub original: Original,
    /// What ADD was to change.
    pub wanted: Wanted,
    /// Where it went.
    pub lodging: Option<Lodging>,
    /// The RDMA device that went along.
    pub rdma: Option<RdmaDevice>,
    /// The further ones, where the VF has several.
    pub siblings: Vec<RdmaDevice>,
    /// The type of the IPAM plugin that gave the addresses; empty when there is none.
    pub ipam: String,
}

/// A VF by its PF.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vf {
    /// Address of the PF; Go knows only the name of its interface.
    pub pf: Option<PciAddr>,
    /// Name that the interface of the PF had then.
    pub pf_netdev: String,
    /// Number on the PF.
    pub index: u16,
}

/// What is to be put back. Absent is unknown, and then left alone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Original {
    /// The interface.
    pub netdev: Option<IfName>,
    /// Its further names.
    pub alt_names: Vec<String>,
    /// Further interfaces of the VF, one for each further RDMA device.
    pub further: Vec<IfName>,
    /// Its largest packet in bytes.
    pub mtu: Option<u32>,
    /// Whether it was switched on.
    pub up: bool,
    /// Node GUID that the PF had for the VF; zero when none was set.
    pub node_guid: Option<Guid>,
    /// Port GUID that the PF had for the VF.
    pub port_guid: Option<Guid>,
    /// Its link policy on the PF.
    pub policy: Option<LinkPolicy>,
    /// The driver that was bound to it.
    pub driver: Option<String>,
}

/// What ADD changes, as far as it must be undone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// Node and port GUID.
    pub guid: Option<Guid>,
    /// Link policy.
    pub policy: Option<LinkPolicy>,
    /// The RDMA device goes along.
    pub isolation: bool,
    /// The partition key, as configured.
    pub pkey: String,
    /// An interface of that partition.
    pub partition: Option<Partition>,
}

/// Where it went, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lodging {
    /// The namespace of the container.
    pub netns: NetnsMark,
    /// When in the boot of that mark ADD began, in nanoseconds: the later of two has the VF.
    pub since: u64,
}

/// An RDMA device that was moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RdmaDevice {
    /// Its name at home.
    pub host_name: String,
    /// Its name in the container.
    pub pod_name: String,
    /// Its RDMA index, which is written when it is known: a rebind gives it another.
    pub index: Option<u32>,
    /// Its node GUID, if it had one.
    pub node_guid: Option<Guid>,
}

impl VfRecord {
    /// Every RDMA device, in the order in which they left.
    pub fn rdma_devices(&self) -> impl Iterator<Item = &RdmaDevice> {
        self.rdma.iter().chain(&self.siblings)
    }

    /// Notes the RDMA devices, in that order.
    pub fn set_rdma_devices(&mut self, devices: Vec<RdmaDevice>) {
        let mut devices = devices.into_iter();
        self.rdma = devices.next();
        self.siblings = devices.collect();
    }

    /// How far the attachment has come, in the words of a lease.
    pub fn phase(&self) -> Phase {
        if self.done {
            Phase::Done
        } else {
            Phase::Intent
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attachment::rdma_side;
    use crate::kernel::netns::NetnsId;
    use crate::rdma::lease::of_ib_sriov;
    use proptest::prelude::*;

    /// As Go's plugin wrote it (reference measurements, ADD with everything).
    const GO: &str = r#"{"ContIFNames":"net1","HostIFGUID":"00:11:22:33:44:55:66:02","HostIFNames":"ib3","Master":"ib0","RdmaNetState":{"containerRdmaDevName":"mlx5_3","deviceID":"0000:01:10.4","sandboxRdmaDevName":"mlx5_3","version":""},"VFID":2,"args":{"cni":null},"cniVersion":"1.0.0","deviceID":"0000:01:10.4","ipam":{"type":"host-local"},"link_state":"enable","name":"ibnet","pkey":"0x7fff","rdmaIsolation":true,"runtimeConfig":{"infinibandGUID":"02:00:00:00:00:00:00:aa"},"type":"ib-sriov"}"#;

    fn record() -> VfRecord {
        VfRecord {
            attachment: Some(Attachment {
                network: "ibnet".to_owned(),
                container: "c1".to_owned(),
                ifname: "net1".to_owned(),
            }),
            network: "ibnet".to_owned(),
            done: true,
            function: "0000:01:10.4".parse().ok(),
            vf: Some(Vf {
                pf: "0000:01:00.0".parse().ok(),
                pf_netdev: "ib0".to_owned(),
                index: 2,
            }),
            original: Original {
                netdev: "ib3".parse().ok(),
                alt_names: vec!["ibp1s0v2".to_owned()],
                further: Vec::new(),
                mtu: Some(4092),
                up: true,
                node_guid: Some(Guid::new(0)),
                port_guid: "00:11:22:33:44:55:66:02".parse().ok(),
                policy: Some(LinkPolicy::Auto),
                driver: Some("mlx5_core".to_owned()),
            },
            wanted: Wanted {
                guid: "02:00:00:00:00:00:00:aa".parse().ok(),
                policy: Some(LinkPolicy::Enable),
                isolation: true,
                pkey: "0x7fff".to_owned(),
                partition: None,
            },
            lodging: Some(Lodging {
                netns: NetnsMark {
                    path: "/run/netns/p".to_owned(),
                    id: NetnsId(4026532281),
                    cookie: Some(4711),
                    boot: "b".to_owned(),
                },
                since: 5_000_000_000,
            }),
            rdma: Some(RdmaDevice {
                host_name: "mlx5_3".to_owned(),
                pod_name: "mlx5_3".to_owned(),
                index: Some(7),
                node_guid: Some(Guid::new(9)),
            }),
            siblings: Vec::new(),
            ipam: "host-local".to_owned(),
        }
    }

    /// What the `rdma` plugin reads of it, to leave alone what it names.
    #[test]
    fn the_other_plugin_understands_it() {
        let second = RdmaDevice {
            host_name: "mlx5_4".to_owned(),
            pod_name: "hca1".to_owned(),
            index: Some(8),
            node_guid: None,
        };
        let record = VfRecord {
            siblings: vec![second],
            original: Original {
                further: vec!["ib4".parse().unwrap()],
                ..record().original
            },
            wanted: Wanted {
                partition: Some(Partition {
                    pkey: "0x8001".parse().unwrap(),
                    ifname: "net1.8001".parse().unwrap(),
                }),
                ..record().wanted
            },
            ..record()
        };
        let bytes = record.encode();
        assert_eq!(VfRecord::decode(&bytes).as_ref(), Some(&record));
        let whose = record.attachment.clone().unwrap();
        let lease = of_ib_sriov::lease(&bytes).unwrap();
        assert_eq!(lease, rdma_side::as_lease(&whose, &record));
        assert_eq!(lease.each()[1].host_name, "mlx5_4");
        assert_eq!(of_ib_sriov::lease(GO.as_bytes()), None);
    }

    #[test]
    fn what_go_reads_is_what_go_writes() {
        let text = String::from_utf8(record().encode()).unwrap();
        let start = GO.trim_end_matches('}').trim_end_matches("\"ib-sriov\"");
        assert!(text.starts_with(start), "{text}");
        assert_eq!(VfRecord::decode(text.as_bytes()), Some(record()));
        let cut = VfRecord {
            done: false,
            rdma: None,
            lodging: None,
            ..record()
        };
        assert_eq!(VfRecord::decode(&cut.encode()), Some(cut));
    }

    #[test]
    fn records_of_go_are_read() {
        let go = VfRecord::decode(GO.as_bytes()).unwrap();
        assert!(go.done);
        assert_eq!((&go.attachment, &go.lodging), (&None, &None));
        assert_eq!(go.function, "0000:01:10.4".parse().ok());
        assert_eq!(go.original.port_guid, go.original.node_guid);
        assert_eq!(go.original.netdev, "ib3".parse().ok());
        assert_eq!(go.vf.unwrap().pf_netdev, "ib0");
        assert_eq!(go.wanted, record().wanted);
        assert_eq!(go.rdma.unwrap().index, None);
        // The other order of 1.2.1 and before, and no GUID asked for.
        let old = r#"{"name":"n","type":"ib-sriov","Master":"ib0","deviceID":"0000:01:10.4","VFID":0,"HostIFNames":"ib2","HostIFGUID":"","ContIFNames":"net1"}"#;
        let old = VfRecord::decode(old.as_bytes()).unwrap();
        assert_eq!((old.original.port_guid, old.wanted.guid), (None, None));
        let vfio = r#"{"deviceID":"0000:01:10.4","vfioPciMode":true,"HostIFGUID":"FF:FF:FF:FF:FF:FF:FF:FF"}"#;
        let vfio = VfRecord::decode(vfio.as_bytes()).unwrap();
        assert_eq!(vfio.original.driver.as_deref(), Some("vfio-pci"));
        assert!(!vfio.original.port_guid.unwrap().is_assignable());
    }

    #[test]
    fn what_go_cut_short_says_little_and_harms_nothing() {
        let cut = r#"{"cniVersion":"0.3.1","ipam":{},"name":"ib-vf-network","type":"ib-sriov"}"#;
        let record = VfRecord::decode(cut.as_bytes()).unwrap();
        assert_eq!(
            record,
            VfRecord {
                done: true,
                network: "ib-vf-network".to_owned(),
                ..VfRecord::default()
            }
        );
        for bytes in [&b""[..], b"{", b"null", b"[1]", b"\xff"] {
            assert_eq!(VfRecord::decode(bytes), None);
        }
        let odd =
            br#"{"deviceID":"../../etc","HostIFNames":"a/b","VFID":-1,"Master":7,"rdmactl":[]}"#;
        let record = VfRecord::decode(odd).unwrap();
        assert_eq!(
            (record.function, record.original.netdev, record.vf),
            (None, None, None)
        );
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            VfRecord::decode(&bytes);
        }
    }
}
