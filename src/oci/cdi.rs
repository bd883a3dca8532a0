//! The devices that containers are offered, as a document of the Container Device Interface (CDI).
//!
//! Names and kinds are those of `SPEC.md` of the CDI specification, 0.5.0: the first version in
//! which a device may be called by its PCI address, and one that podman 4.3 reads.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::error::HookError;
use super::word::Word;
use super::{device, nodes};
use crate::kernel::procfs::Procfs;
use crate::kernel::staged::Staged;
use crate::kernel::{Conn, Host, file};
use crate::pci::function;
use crate::rdma::char_device::{self, Wanted};
use crate::rdma::lease::ledger::Ledger;
use crate::rdma::lease::locate::{Place, Search};
use crate::rdma::lease::stray::below;
use crate::rdma::lease::{Attachment, Record};
use crate::types::DeviceId;
use crate::wire::nldev::chardev::Kind;
use crate::wire::nldev::device::Device;

/// What the devices are called by, before `=`: vendor and class.
pub const KIND: &str = "rdmactl.io/rdma";
/// The file in a folder of such documents: vendor, class.
pub const FILE: &str = "rdmactl.io-rdma.json";
const VERSION: &str = "0.5.0";
const NODES: &str = "/dev/infiniband";

/// Longest document that is compared with.
const MAX_DOCUMENT: u64 = 16 * 1024 * 1024;

/// One device that a container can be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// What it is.
    pub id: DeviceId,
    /// The name of its RDMA device at home; with several, of the first.
    pub name: String,
    /// Its files in `/dev/infiniband`.
    pub nodes: Vec<String>,
}

/// Everything that is offered, by name.
///
/// A PF that has VFs is not, unless it is among the words: it manages them. What is lent now is
/// offered all the same: its container ends, and the document stays.
///
/// # Errors
/// [`HookError`]; each word has to be a device.
pub fn offers(host: &Host, home: &mut Conn, words: &[Word]) -> Result<Vec<Offer>, HookError> {
    let mut found = at_home(host, home)?;
    found.extend(lent(host, home, &found)?);
    let mut wanted = BTreeSet::new();
    for word in words {
        let id = device::meant(host, home, word)?;
        if !found.iter().any(|offer| offer.id == id) {
            return Err(HookError::NoDevice(word.clone()));
        }
        wanted.insert(id);
    }
    found.retain(|offer| match wanted.is_empty() {
        true => !manages_vfs(host, &offer.id),
        false => wanted.contains(&offer.id),
    });
    found.sort_by(|a, b| key(&a.name).cmp(&key(&b.name)).then(a.id.cmp(&b.id)));
    Ok(found)
}

/// `mlx5_9` before `mlx5_10`.
fn key(name: &str) -> (&str, u64) {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    (stem, name[stem.len()..].parse().unwrap_or(0))
}

fn manages_vfs(host: &Host, id: &DeviceId) -> bool {
    let DeviceId::Pci(address) = id else {
        return false;
    };
    host.sysfs()
        .exists(function::folder(*address).join("virtfn0"))
}

fn at_home(host: &Host, home: &mut Conn) -> Result<Vec<Offer>, HookError> {
    let mut on: BTreeMap<DeviceId, Vec<Device>> = BTreeMap::new();
    for device in crate::rdma::device::list(home)? {
        // Sub-devices sit where their parents do, and cannot be moved.
        let id = below(host.sysfs(), &device.name).filter(|_| device.parent.is_none());
        if let Some(id) = id {
            on.entry(id).or_default().push(device);
        }
    }
    let mut offers = Vec::new();
    for (id, mut devices) in on {
        devices.sort_by_key(|device| device.index);
        let nodes = nodes::of(host, home, &devices)?;
        let name = devices.swap_remove(0).name;
        offers.push(Offer { id, name, nodes });
    }
    Ok(offers)
}

/// Those of containers, by their records; files in `/dev` are the machine's, wherever a device is.
fn lent(host: &Host, home: &mut Conn, known: &[Offer]) -> Result<Vec<Offer>, HookError> {
    let ledger = Ledger::read(host)?;
    let mut offers: BTreeMap<DeviceId, (u32, Offer)> = BTreeMap::new();
    for record in ledger.of_this_boot() {
        let (Some(id), Some(owner)) = (&record.device_id, &record.attachment) else {
            continue;
        };
        if known.iter().any(|offer| offer.id == *id) {
            continue;
        }
        let Some((device, nodes)) = away(host, home, record, owner)? else {
            continue;
        };
        let name = record.host_name.clone();
        let id = id.clone();
        let offer = offers.entry(id.clone()).or_insert_with(|| {
            let (name, nodes) = (name.clone(), Vec::new());
            (device.index, Offer { id, name, nodes })
        });
        if device.index < offer.0 {
            offer.0 = device.index;
            offer.1.name = name;
        }
        offer.1.nodes.extend(nodes);
    }
    Ok(offers.into_values().map(|(_, offer)| offer).collect())
}

fn away(
    host: &Host,
    home: &mut Conn,
    record: &Record,
    owner: &Attachment,
) -> Result<Option<(Device, Vec<String>)>, HookError> {
    let search = Search {
        host,
        attachment: owner,
        device_id: record.device_id.as_ref(),
        record: Some(record),
        netns: None,
    };
    let Place::Away(netns, device) = search.run(home)? else {
        return Ok(None);
    };
    let nodes = nodes::inside(host, &netns, std::slice::from_ref(&device))?;
    Ok(Some((device, nodes)))
}

/// What the devices are called by in the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// The name of the RDMA device.
    Rdma,
    /// The address of its function, which stays when names change.
    Address,
}

/// Builds the document: the same for the same devices, byte for byte. `program` is what the hooks
/// call, `cm` whether the connection manager has a file.
pub fn document(offers: &[Offer], naming: Naming, program: &Path, cm: bool) -> String {
    let node = |name: &str| json!({"path": format!("{NODES}/{name}"), "permissions": "rw"});
    let hook = |phase: &str, more: Vec<String>| {
        let words = ["rdmactl", "oci-hook", phase].map(str::to_owned);
        let args: Vec<String> = words.into_iter().chain(more).collect();
        json!({"hookName": phase, "path": program, "args": args})
    };
    let devices = offers.iter().map(|offer| {
        let mut more = vec!["--device".to_owned(), offer.id.to_string()];
        for name in &offer.nodes {
            more.extend(["--node".to_owned(), name.clone()]);
        }
        let mut edits = json!({
            "hooks": [hook("createRuntime", more), hook("poststop", Vec::new())],
        });
        // The connection manager is the machine's; it comes with each device, as the schema of
        // documents knows no edits for all of them.
        let cm = cm.then_some(Kind::RdmaCm.word());
        let names = offer.nodes.iter().map(String::as_str).chain(cm);
        let nodes: Vec<Value> = names.map(node).collect();
        if !nodes.is_empty() {
            edits["deviceNodes"] = nodes.into();
        }
        json!({"name": offer.called(naming), "containerEdits": edits})
    });
    let document = json!({
        "cdiVersion": VERSION,
        "kind": KIND,
        "devices": devices.collect::<Vec<Value>>(),
    });
    let text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text + "\n"
}

impl Offer {
    /// Its name in the document: letters, digits and `_ - . :`, the first and the last no mark.
    /// RDMA devices may be called otherwise; such a one goes by its address.
    pub fn called(&self, naming: Naming) -> String {
        let sound = |b: u8| b.is_ascii_alphanumeric() || b"_-.:".contains(&b);
        let bytes = self.name.as_bytes();
        let plain = bytes.iter().all(|b| sound(*b));
        let ends = [bytes.first(), bytes.last()];
        let ends = ends
            .iter()
            .all(|b| b.is_some_and(u8::is_ascii_alphanumeric));
        match naming {
            Naming::Rdma if plain && ends => self.name.clone(),
            _ => self.id.to_string(),
        }
    }
}

/// Whether the machine has the file of the connection manager.
///
/// # Errors
/// [`HookError::Rdma`] when the kernel cannot be asked.
pub fn has_cm(host: &Host, home: &mut Conn) -> Result<bool, HookError> {
    if !char_device::kinds(host.sysfs()).contains(&Kind::RdmaCm) {
        return Ok(false);
    }
    let wanted = Wanted {
        kind: Kind::RdmaCm,
        device: None,
        port: None,
    };
    Ok(char_device::list(home, &[wanted])?
        .iter()
        .any(Option::is_some))
}

/// The file that this program was started from.
///
/// # Errors
/// [`HookError::Program`].
pub fn program(host: &Host) -> Result<PathBuf, HookError> {
    let link = Procfs::of(host).link("self", "exe");
    let link = link.ok_or(HookError::Program("/proc/self/exe cannot be read"))?;
    let text = String::from_utf8(link)
        .map_err(|_| HookError::Program("its path is no UTF-8, which JSON must be"))?;
    if text.ends_with(" (deleted)") {
        return Err(HookError::Program("it was replaced or removed meanwhile"));
    }
    Ok(text.into())
}

/// Whether the document is in its place already.
///
/// # Errors
/// [`HookError::File`].
pub fn is_there(folder: &Path, document: &str) -> Result<bool, HookError> {
    let there = file::read_regular(&folder.join(FILE), MAX_DOCUMENT)?;
    Ok(there.as_deref() == Some(document.as_bytes()))
}

/// Puts the document into a folder, which is made if need be, in the place of what is there.
///
/// # Errors
/// [`HookError::File`]; what was there is still there then.
pub fn put(folder: &Path, document: &str) -> Result<(), HookError> {
    file::make_folder(folder, 0o755)?;
    // Runtimes of users read it too.
    Staged::write(&folder.join(FILE), document.as_bytes(), 0o644)?.put()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(name: &str, id: &str, nodes: &[&str]) -> Offer {
        Offer {
            id: id.parse().unwrap(),
            name: name.to_owned(),
            nodes: nodes.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    /// What `SPEC.md` and the published schema ask of a document of this version.
    fn require_sound(document: &Value) {
        let keys = |value: &Value, allowed: &[&str]| {
            for key in value.as_object().unwrap().keys() {
                assert!(allowed.contains(&key.as_str()), "{key} in {value}");
            }
        };
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        keys(document, &["cdiVersion", "kind", "devices"]);
        assert_eq!(document["cdiVersion"], "0.5.0");
        let kind = text(&document["kind"]);
        let (vendor, class) = kind.split_once('/').unwrap();
        for (word, marks) in [(vendor, "_-."), (class, "_-")] {
            assert!(word.starts_with(|c: char| c.is_ascii_alphabetic()));
            assert!(word.ends_with(|c: char| c.is_ascii_alphanumeric()));
            assert!(
                word.chars()
                    .all(|c| c.is_ascii_alphanumeric() || marks.contains(c))
            );
        }
        let mut names = BTreeSet::new();
        for device in document["devices"].as_array().unwrap() {
            keys(device, &["name", "containerEdits"]);
            let name = text(&device["name"]);
            assert!(
                name.starts_with(|c: char| c.is_ascii_alphanumeric()),
                "{name}"
            );
            assert!(
                name.ends_with(|c: char| c.is_ascii_alphanumeric()),
                "{name}"
            );
            assert!(
                name.chars()
                    .all(|c| c.is_ascii_alphanumeric() || "_-.:".contains(c)),
                "{name}"
            );
            assert!(names.insert(name.clone()), "{name} twice");
            let edits = &device["containerEdits"];
            keys(edits, &["deviceNodes", "hooks"]);
            for node in edits["deviceNodes"].as_array().into_iter().flatten() {
                keys(node, &["path", "permissions"]);
                assert!(
                    text(&node["path"]).starts_with("/dev/infiniband/"),
                    "{node}"
                );
                assert!(
                    text(&node["permissions"])
                        .chars()
                        .all(|c| "rwm".contains(c))
                );
            }
            let hooks = edits["hooks"].as_array().unwrap();
            for hook in hooks {
                keys(hook, &["hookName", "path", "args"]);
                assert!(text(&hook["path"]).starts_with('/'), "{hook}");
                assert_eq!(hook["args"][0], "rdmactl");
            }
            assert_eq!(hooks[0]["hookName"], "createRuntime");
            assert_eq!(hooks[1]["hookName"], "poststop");
        }
    }

    #[test]
    fn a_document_for_each_naming() {
        let offers = [
            offer("mlx5_2", "0000:01:10.2", &["uverbs2", "umad2"]),
            offer("a@b", "mlx5_core.sf.4", &[]),
        ];
        let read = |naming, cm| -> Value {
            let text = document(&offers, naming, Path::new("/usr/sbin/rdmactl"), cm);
            serde_json::from_str(&text).unwrap()
        };
        let by_name = read(Naming::Rdma, true);
        let by_address = read(Naming::Address, false);
        require_sound(&by_name);
        require_sound(&by_address);
        let first = &by_name["devices"][0];
        assert_eq!(first["name"], "mlx5_2");
        let nodes = first["containerEdits"]["deviceNodes"].to_string();
        assert!(nodes.contains("/dev/infiniband/rdma_cm"), "{nodes}");
        assert_eq!(
            first["containerEdits"]["hooks"][0]["args"],
            json!([
                "rdmactl",
                "oci-hook",
                "createRuntime",
                "--device",
                "0000:01:10.2",
                "--node",
                "uverbs2",
                "--node",
                "umad2"
            ])
        );
        // A name that CDI does not have.
        assert_eq!(by_name["devices"][1]["name"], "mlx5_core.sf.4");
        assert_eq!(by_address["devices"][0]["name"], "0000:01:10.2");
        assert!(by_address["devices"][1]["containerEdits"]["deviceNodes"].is_null());
    }

    #[test]
    fn numbers_in_their_order() {
        let mut names = ["mlx5_10", "mlx5_9", "ibp1", "mlx5_"];
        names.sort_by(|a, b| key(a).cmp(&key(b)));
        assert_eq!(names, ["ibp1", "mlx5_", "mlx5_9", "mlx5_10"]);
    }
}
