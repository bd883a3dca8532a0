//! Addresses that VFs of several hosts would share.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::types::{Guid, Mac};

/// One VF of one host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner {
    /// The file that has it.
    pub file: String,
    /// Its PF: address, GUID or MAC address.
    pub pf: String,
    /// Its index.
    pub vf: u16,
}

/// An address that several have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Double {
    /// As it is printed.
    pub address: String,
    /// Who has it.
    pub owners: Vec<Owner>,
}

/// A row of `addresses -j`.
#[derive(Debug, Deserialize)]
struct Row {
    vf: u16,
    pf_pci: Option<String>,
    pf_guid: Option<String>,
    pf_mac: Option<String>,
    node_guid: Option<String>,
    port_guid: Option<String>,
    mac: Option<String>,
}

/// All addresses that were told of, and who has them.
#[derive(Debug, Default)]
pub struct Fabric {
    owners: BTreeMap<String, Vec<Owner>>,
}

impl Fabric {
    /// Takes the answer of `addresses -j` on one host.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn take(&mut self, file: &str, text: &str) -> Result<(), String> {
        let rows: Vec<Row> = serde_json::from_str(text).map_err(|error| error.to_string())?;
        for row in rows {
            let mut addresses = Vec::new();
            for guid in [&row.node_guid, &row.port_guid].into_iter().flatten() {
                let guid: Guid = guid.parse().map_err(|error| format!("{error}"))?;
                addresses.push(guid.to_string());
            }
            if let Some(mac) = &row.mac {
                let mac: Mac = mac.parse().map_err(|error| format!("{error}"))?;
                addresses.push(mac.to_string());
            }
            addresses.dedup();
            let pf = row.pf_pci.or(row.pf_guid).or(row.pf_mac);
            let owner = Owner {
                file: file.to_owned(),
                pf: pf.unwrap_or_default(),
                vf: row.vf,
            };
            for address in addresses {
                self.owners.entry(address).or_default().push(owner.clone());
            }
        }
        Ok(())
    }

    /// How many addresses there are.
    pub fn len(&self) -> usize {
        self.owners.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.owners.is_empty()
    }

    /// The addresses that more than one VF has.
    pub fn doubles(&self) -> Vec<Double> {
        let several = self.owners.iter().filter(|(_, owners)| owners.len() > 1);
        several
            .map(|(address, owners)| Double {
                address: address.clone(),
                owners: owners.clone(),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_that_share_an_address() {
        let mut fabric = Fabric::default();
        let guid = "02:00:00:00:00:00:00:01";
        let one = format!(
            r#"[{{"vf":0,"pf_pci":"0000:3b:00.0","node_guid":"{guid}","port_guid":"{guid}"}},
                {{"vf":1,"pf_mac":"02:00:00:00:00:01","mac":"02:00:00:00:00:05"}}]"#
        );
        fabric.take("a", &one).unwrap();
        assert_eq!((fabric.len(), fabric.doubles()), (2, Vec::new()));
        // Written otherwise, and the same.
        let other =
            r#"[{"vf":3,"pf_guid":"b8:59:9f:03:00:f9:8f:86","port_guid":"0x0200000000000001"}]"#;
        fabric.take("b", other).unwrap();
        let doubles = fabric.doubles();
        assert_eq!((doubles.len(), doubles[0].address.as_str()), (1, guid));
        let files: Vec<&str> = doubles[0]
            .owners
            .iter()
            .map(|owner| owner.file.as_str())
            .collect();
        assert_eq!(files, ["a", "b"]);
        for text in [
            "",
            "{}",
            "[{}]",
            r#"[{"vf":1,"mac":"x"}]"#,
            r#"[{"vf":70000}]"#,
        ] {
            assert!(fabric.take("c", text).is_err(), "{text}");
        }
    }
}
