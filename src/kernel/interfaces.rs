//! The names of network interfaces, as the calling thread's namespace has them.

use super::Host;
use super::file;

/// Thousands of interfaces, of about 130 bytes each.
const MAX_LIST: u64 = 4 * 1024 * 1024;

/// Every interface, in the kernel's order; empty when `/proc` is not there.
///
/// `/proc/thread-self/net` follows the thread, which `/sys/class/net` does not.
pub fn list(host: &Host) -> Vec<String> {
    let path = host.path("/proc/thread-self/net/dev");
    let text = file::read(&path, MAX_LIST)
        .ok()
        .flatten()
        .unwrap_or_default();
    // Two lines of headings, then `NAME: COUNTERS`; a name holds no colon.
    String::from_utf8_lossy(&text)
        .lines()
        .skip(2)
        .filter_map(|line| line.split_once(':'))
        .map(|(name, _)| name.trim().to_owned())
        .collect()
}

/// Whether it is a VLAN, on which soft-RoCE refuses to sit.
pub fn is_vlan(host: &Host, name: &str) -> bool {
    let path = host.path("/proc/thread-self/net/vlan").join(name);
    path.symlink_metadata().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::{Machine, host};
    use std::path::Path;

    #[test]
    fn names_without_their_counters() {
        let machine = Machine::new().file(
            "proc/thread-self/net/dev",
            "Inter-|   Receive  |  Transmit\n face |bytes | bytes\n    lo:  0 0\neth0.5: 1 1\ngarbage",
        );
        assert_eq!(list(&machine.host()), ["lo", "eth0.5"]);
        assert!(list(&Machine::new().host()).is_empty());
        let real = host(Path::new("/"));
        assert!(list(&real).contains(&"lo".to_owned()));
        assert!(!is_vlan(&real, "lo"));
    }
}
