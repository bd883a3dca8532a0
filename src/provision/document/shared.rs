//! `mode = "file"`: the GUIDs of VFs in the file that the SR-IOV network operator takes them from.

use std::path::Path;

use serde::Deserialize;

use super::addresses::Address;
use super::{Document, Fault, PfEntry, Scheme, doubles};
use crate::kernel::{Host, file};
use crate::types::{Guid, PciAddr};

const MAX_FILE: u64 = 4 * 1024 * 1024;

/// One PF of the file. Its code and its documentation spell the keys in two ways.
#[derive(Deserialize)]
struct Part {
    #[serde(alias = "pci_address", rename = "pciAddress")]
    pci: Option<String>,
    #[serde(alias = "pf_guid", rename = "pfGuid")]
    pf_guid: Option<String>,
    #[serde(default)]
    guids: Vec<String>,
    #[serde(alias = "range_start", rename = "rangeStart")]
    start: Option<String>,
    #[serde(alias = "range_end", rename = "rangeEnd")]
    end: Option<String>,
}

/// Puts lists and ranges in the place of files; what is wrong with them.
pub(super) fn resolve(host: &Host, document: &mut Document) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut is_changed = false;
    for entry in &mut document.pfs {
        let Scheme::File(path) = &entry.guid else {
            continue;
        };
        is_changed = true;
        match of_entry(host, path, entry) {
            Ok(scheme) => entry.guid = scheme,
            Err(what) => faults.push(Fault {
                place: entry.place.clone(),
                what: format!("{}: {what}", path.display()),
                near: Vec::new(),
            }),
        }
    }
    if is_changed && faults.is_empty() {
        faults = doubles::find(document);
    }
    faults
}

fn of_entry(host: &Host, path: &Path, entry: &PfEntry) -> Result<Scheme<Guid>, String> {
    let bytes = file::read_regular(&host.path(&path.to_string_lossy()), MAX_FILE);
    let bytes = bytes.map_err(|error| error.source.to_string())?;
    let bytes = bytes.ok_or("there is no such file")?;
    let parts: Vec<Part> = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
    let mut fitting = parts.iter().filter(|part| part.is_of(entry));
    match (fitting.next(), fitting.next()) {
        (Some(part), None) => part.scheme(),
        (Some(_), Some(_)) => Err("it has this PF twice".to_owned()),
        (None, _) => Err(
            "it does not have this PF, which match has to name by the same pci or guid".to_owned(),
        ),
    }
}

impl Part {
    fn is_of(&self, entry: &PfEntry) -> bool {
        let own = &entry.function;
        let pci = self
            .pci
            .as_ref()
            .and_then(|pci| pci.parse::<PciAddr>().ok());
        let guid = self.pf_guid.as_ref().and_then(|guid| port_guid(guid));
        pci.is_some() && pci == own.pci || guid.is_some() && guid == own.guid
    }

    fn scheme(&self) -> Result<Scheme<Guid>, String> {
        let guids: Result<Vec<Guid>, String> = self.guids.iter().map(|guid| of_vf(guid)).collect();
        let guids = guids?;
        match (guids.is_empty(), &self.start, &self.end) {
            (false, None, None) => {
                let mut once = guids.clone();
                once.sort();
                once.dedup();
                match once.len() == guids.len() {
                    true => Ok(Scheme::List(guids)),
                    false => Err("a GUID is there twice".to_owned()),
                }
            }
            (true, Some(start), Some(end)) => {
                let (start, end) = (of_vf(start)?, of_vf(end)?);
                match start <= end {
                    true => Ok(Scheme::Range { start, end }),
                    false => Err(format!("{end} is below rangeStart, {start}")),
                }
            }
            _ => Err("a PF has either guids, or rangeStart and rangeEnd".to_owned()),
        }
    }
}

/// The operator compares with the address of the IPoIB interface, which ends with the GUID.
fn port_guid(text: &str) -> Option<Guid> {
    const LONG: usize = 20 * 3 - 1;
    const SHORT: usize = 8 * 3 - 1;
    let text = match text.len() {
        LONG => text.get(LONG - SHORT..)?,
        _ => text,
    };
    text.parse().ok()
}

fn of_vf(text: &str) -> Result<Guid, String> {
    let guid: Guid = text
        .parse()
        .map_err(|error: crate::types::Invalid| error.to_string())?;
    match guid.refusal() {
        None => Ok(guid),
        Some(refusal) => Err(format!("{guid} is no GUID for a VF: {refusal}")),
    }
}

#[cfg(test)]
mod tests {
    use crate::kernel::fake::Machine;
    use crate::provision::document::{DocumentError, Origin, Scheme, read};
    use crate::types::Guid;

    const GUIDS: &str = r#"[
      {"pciAddress": "0000:3b:00.0", "guids": ["02:00:00:00:00:00:00:01", "02:00:00:00:00:00:00:02"]},
      {"pf_guid": "00:00:10:28:fe:80:00:00:00:00:00:00:b8:59:9f:03:00:f9:8f:86",
       "rangeStart": "02:00:00:00:00:00:01:00", "rangeEnd": "02:00:00:00:00:00:01:0f"},
      {"pci_address": "0000:5e:00.0", "guids": ["01:00:00:00:00:00:00:01"]},
      {"pfGuid": "b8:59:9f:03:00:f9:8f:99"}]"#;

    fn scheme(content: &str, function: &str) -> Result<Scheme<Guid>, String> {
        let text = format!(
            "version = 1\n[[pf]]\nmatch = {{ {function} }}\nguid = {{ mode = \"file\", file = \"/g\" }}\n"
        );
        let machine = Machine::new().file("g", content);
        let read = read(
            &machine.host(),
            &Origin::File("-".into()),
            &mut text.as_bytes(),
        );
        match read {
            Ok(mut document) => Ok(document.pfs.remove(0).guid),
            Err(DocumentError::Faults(faults)) => Err(faults[0].to_string()),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn both_spellings_and_both_ways_to_name_a_pf() {
        let list = scheme(GUIDS, "pci = \"0000:3b:00.0\"").unwrap();
        let guid = Guid::new;
        let one = 0x0200_0000_0000_0001;
        assert_eq!(list, Scheme::List(vec![guid(one), guid(one + 1)]));
        let range = scheme(GUIDS, "guid = \"b8:59:9f:03:00:f9:8f:86\"").unwrap();
        let start = 0x0200_0000_0000_0100;
        assert_eq!(
            range,
            Scheme::Range {
                start: guid(start),
                end: guid(start + 15)
            }
        );
    }

    #[test]
    fn what_is_wrong_with_a_file_is_told() {
        for (content, function, expected) in [
            (
                GUIDS,
                "netdev = \"ib0\"",
                "x:2:1: /g: it does not have this PF",
            ),
            (GUIDS, "pci = \"0000:5e:00.0\"", "is no GUID for a VF"),
            (
                GUIDS,
                "guid = \"b8:59:9f:03:00:f9:8f:99\"",
                "a PF has either guids, or rangeStart and rangeEnd",
            ),
            ("{}", "pci = \"0000:5e:00.0\"", "/g: invalid type"),
            (
                r#"[{"pciAddress": "0000:5e:00.0"}, {"pci_address": "0000:5e:00.0"}]"#,
                "pci = \"0000:5e:00.0\"",
                "it has this PF twice",
            ),
        ] {
            let fault = scheme(content, function).unwrap_err();
            let expected = expected.replace("x:", "-:");
            assert!(fault.contains(&expected), "{fault}");
        }
    }
}
