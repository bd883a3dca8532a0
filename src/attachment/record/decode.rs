//! Reading a record that was written by this program, or by any release of Go's plugin.

use serde_json::{Map, Value};

use super::{Lodging, OURS, Original, RdmaDevice, Vf, VfRecord, Wanted};
use crate::attachment::Partition;
use crate::rdma::lease::{Attachment, NetnsMark};
use crate::types::{Guid, PciAddr};

impl VfRecord {
    /// Reads a record of ours or of any Go release, also one of those that Go cut short; `None`
    /// when it is no object.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(bytes).ok()?;
        let object = value.as_object()?;
        let go = Reader(object);
        let none = Map::new();
        let mine = Reader(object.get(OURS).and_then(Value::as_object).unwrap_or(&none));
        let is_ours = object.contains_key(OURS);
        let go_guid = || go.parsed::<Guid>("HostIFGUID");
        let attachment = || {
            Some(Attachment {
                network: mine.text("network")?,
                container: mine.text("containerID")?,
                ifname: mine.text("ifname")?,
            })
        };
        Some(Self {
            attachment: attachment(),
            network: go.text("name").unwrap_or_default(),
            done: mine.text("phase").as_deref() != Some("intent"),
            function: go.parsed("deviceID"),
            vf: go.vf(mine.parsed("pf")),
            original: Original {
                netdev: go.parsed("HostIFNames"),
                alt_names: mine.words("altNames"),
                further: mine.parsed_words("furtherNetdevs"),
                mtu: mine.number("mtu"),
                up: mine.0.get("up").and_then(Value::as_bool).unwrap_or(false),
                node_guid: if is_ours {
                    mine.parsed("nodeGUID")
                } else {
                    go_guid()
                },
                port_guid: if is_ours {
                    mine.parsed("portGUID")
                } else {
                    go_guid()
                },
                policy: mine.parsed("linkPolicy"),
                driver: mine.text("driver").or_else(|| go.driver()),
            },
            wanted: Wanted {
                guid: go.asked(),
                policy: go.parsed("link_state"),
                isolation: go.0.get("rdmaIsolation") == Some(&Value::Bool(true)),
                pkey: go.text("pkey").unwrap_or_default(),
                partition: mine.partition(),
            },
            lodging: mine.lodging(),
            rdma: go.rdma(&mine),
            siblings: mine.siblings(),
            ipam: go
                .object("ipam")
                .and_then(|ipam| ipam.text("type"))
                .unwrap_or_default(),
        })
    }
}

/// The members of an object; one of another type than it should have is absent.
struct Reader<'a>(&'a Map<String, Value>);

impl Reader<'_> {
    fn text(&self, key: &str) -> Option<String> {
        let text = self.0.get(key)?.as_str()?;
        (!text.is_empty()).then(|| text.to_owned())
    }

    fn parsed<T: std::str::FromStr>(&self, key: &str) -> Option<T> {
        self.text(key)?.parse().ok()
    }

    fn number<T: TryFrom<u64>>(&self, key: &str) -> Option<T> {
        T::try_from(self.0.get(key)?.as_u64()?).ok()
    }

    fn words(&self, key: &str) -> Vec<String> {
        let list = self.0.get(key).and_then(Value::as_array);
        let words = list.into_iter().flatten().filter_map(Value::as_str);
        words.map(str::to_owned).collect()
    }

    fn parsed_words<T: std::str::FromStr>(&self, key: &str) -> Vec<T> {
        let words = self.words(key).into_iter();
        words.filter_map(|word| word.parse().ok()).collect()
    }

    fn partition(&self) -> Option<Partition> {
        Some(Partition {
            pkey: self.parsed("pkeyOfInterface")?,
            ifname: self.parsed("pkeyInterface")?,
        })
    }

    fn siblings(&self) -> Vec<RdmaDevice> {
        let list = self.0.get("rdmaDevices").and_then(Value::as_array);
        let objects = list.into_iter().flatten().filter_map(Value::as_object);
        let devices = objects.map(Reader).filter_map(|each| {
            Some(RdmaDevice {
                host_name: each.text("sandboxRdmaDevName")?,
                pod_name: each.text("containerRdmaDevName").unwrap_or_default(),
                index: each.number("rdmaIndex"),
                node_guid: each.parsed("rdmaNodeGUID"),
            })
        });
        devices.collect()
    }

    fn object(&self, key: &str) -> Option<Reader<'_>> {
        self.0.get(key)?.as_object().map(Reader)
    }

    fn vf(&self, pf: Option<PciAddr>) -> Option<Vf> {
        let pf_netdev = self.text("Master").unwrap_or_default();
        if pf.is_none() && pf_netdev.is_empty() {
            return None;
        }
        Some(Vf {
            pf,
            pf_netdev,
            index: self.number("VFID")?,
        })
    }

    fn driver(&self) -> Option<String> {
        let vfio = self.0.get("vfioPciMode") == Some(&Value::Bool(true));
        vfio.then(|| "vfio-pci".to_owned())
    }

    /// The GUID that ADD was asked for: Go looks into both places too.
    fn asked(&self) -> Option<Guid> {
        let runtime = self.object("runtimeConfig");
        let args = || self.object("args")?.object("cni")?.parsed("guid");
        runtime
            .and_then(|runtime| runtime.parsed("infinibandGUID"))
            .or_else(args)
    }

    fn lodging(&self) -> Option<Lodging> {
        Some(Lodging {
            netns: NetnsMark::read(self.0)?,
            since: self.number("since")?,
        })
    }

    fn rdma(&self, mine: &Reader<'_>) -> Option<RdmaDevice> {
        let state = self.object("RdmaNetState")?;
        Some(RdmaDevice {
            host_name: state.text("sandboxRdmaDevName")?,
            pod_name: state.text("containerRdmaDevName").unwrap_or_default(),
            index: mine.number("rdmaIndex"),
            node_guid: mine.parsed("rdmaNodeGUID"),
        })
    }
}
