//! The file in which a runtime is told what a container got (device information specification).

use serde_json::{Map, Value};

use crate::cni::{Code, Failure};
use crate::kernel::{FileError, Host, file};
use crate::plugins::fault;
use crate::types::PciAddr;

const VERSION: &str = "1.1.0";
/// The file of a careful writer has a few hundred bytes.
const LIMIT: u64 = 1024 * 1024;

/// Writes the function and its RDMA devices, between commas, into `path`, beside what stands there already; an
/// empty path is none.
///
/// # Errors
/// Code 7 for a relative path, 5 when it cannot be written.
pub fn write(
    host: &Host,
    path: &str,
    function: PciAddr,
    rdma: &[&str],
    pf: Option<PciAddr>,
) -> Result<(), Failure> {
    if path.is_empty() {
        return Ok(());
    }
    if !path.starts_with('/') || path.split('/').any(|part| part == "..") {
        let msg = format!("CNIDeviceInfoFile {path:?} is not an absolute path");
        return Err(Failure::new(Code::INVALID_CONFIG, msg).details("the runtime gives it"));
    }
    let place = host.path(path);
    let failed = |error: FileError| {
        Failure::new(Code::IO, fault::chain(&error))
            .details("the folder of CNIDeviceInfoFile must exist and be writable")
    };
    let old = file::read_regular(&place, LIMIT).map_err(failed)?;
    let text = merged(&old.unwrap_or_default(), function, rdma, pf);
    file::replace(&place, text.as_bytes(), 0o644).map_err(failed)
}

fn merged(old: &[u8], function: PciAddr, rdma: &[&str], pf: Option<PciAddr>) -> String {
    let mut object: Map<String, Value> = serde_json::from_slice(old).unwrap_or_default();
    object.insert("type".to_owned(), "pci".into());
    object
        .entry("version".to_owned())
        .or_insert_with(|| VERSION.into());
    let mut pci = match object.remove("pci") {
        Some(Value::Object(pci)) => pci,
        _ => Map::new(),
    };
    pci.insert("pci-address".to_owned(), function.to_string().into());
    if !rdma.is_empty() {
        pci.insert("rdma-device".to_owned(), rdma.join(",").into());
    }
    if let Some(pf) = pf {
        pci.insert("pf-pci-address".to_owned(), pf.to_string().into());
    }
    object.insert("pci".to_owned(), pci.into());
    Value::Object(object).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::Machine;

    #[test]
    fn what_cannot_be_read_is_not_written_over() {
        let machine = Machine::new().file("run/x/info/other", "");
        let function = "0000:01:10.2".parse().unwrap();
        let failure = write(&machine.host(), "/run/x/info", function, &[], None).unwrap_err();
        assert_eq!(failure.code, Code::IO);
        nix::unistd::mkfifo(&machine.path("run/x/pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let failure = write(&machine.host(), "/run/x/pipe", function, &[], None).unwrap_err();
        assert!(failure.msg.contains("no regular file"), "{}", failure.msg);
    }

    #[test]
    fn what_others_wrote_stays() {
        let machine = Machine::new().file(
            "run/x/info",
            r#"{"version":"1.0.0","pci":{"vhost-net":"v"},"note":1}"#,
        );
        let function = "0000:01:10.2".parse().unwrap();
        write(&machine.host(), "/run/x/info", function, &["mlx5_2"], None).unwrap();
        let value: Value = serde_json::from_str(&machine.read("run/x/info")).unwrap();
        assert_eq!(value["version"], "1.0.0");
        assert_eq!(value["pci"]["rdma-device"], "mlx5_2");
        assert_eq!(
            (&value["pci"]["vhost-net"], &value["note"]),
            (&"v".into(), &1.into())
        );
    }

    #[test]
    fn no_file_and_no_path() {
        let machine = Machine::new().file("run/x/y", "");
        let function = "0000:01:10.2".parse().unwrap();
        write(&machine.host(), "", function, &[], None).unwrap();
        write(&machine.host(), "/run/x/new", function, &[], Some(function)).unwrap();
        assert!(
            machine
                .read("run/x/new")
                .contains("\"pf-pci-address\":\"0000:01:10.2\"")
        );
        for path in ["x", "../x", "/run/../x"] {
            assert_eq!(
                write(&machine.host(), path, function, &[], None)
                    .unwrap_err()
                    .code
                    .0,
                7
            );
        }
    }
}
