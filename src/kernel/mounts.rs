//! Network namespaces that are mounted somewhere, as `/proc/PID/mountinfo` lists them.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use super::netns::NetnsId;
use super::procfs::parse_net;

/// The mounts of nsfs that hold a network namespace, in the kernel's order.
///
/// A line reads `ID PARENT MAJOR:MINOR ROOT MOUNTPOINT OPTIONS [TAG...] - TYPE SOURCE OPTIONS`
/// (`Documentation/filesystems/proc.rst`, 3.5); the root of an nsfs mount is `net:[INODE]`.
pub fn namespaces(mountinfo: &[u8]) -> Vec<(PathBuf, NetnsId)> {
    let lines = mountinfo.split(|byte| *byte == b'\n');
    lines.filter_map(namespace).collect()
}

fn namespace(line: &[u8]) -> Option<(PathBuf, NetnsId)> {
    let mut fields = line.split(|byte| *byte == b' ');
    let root = fields.nth(3)?;
    let id = parse_net(root)?;
    let mount_point = fields.next()?;
    let mut behind = fields.skip_while(|field| *field != b"-");
    let is_nsfs = behind.nth(1) == Some(b"nsfs");
    is_nsfs.then(|| (PathBuf::from(unescape(mount_point)), id))
}

/// The kernel writes space, tab, line feed and backslash as `\` and three octal digits.
fn unescape(text: &[u8]) -> OsString {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        let octal = |byte: &u8| (b'0'..=b'7').contains(byte);
        match tail.first_chunk::<3>() {
            Some(digits) if first == b'\\' && digits.iter().all(octal) => {
                let value = digits
                    .iter()
                    .fold(0_u32, |n, digit| n * 8 + u32::from(digit - b'0'));
                bytes.push(value as u8);
                rest = &tail[3..];
            }
            _ => bytes.push(first),
        }
    }
    OsString::from_vec(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nsfs_mounts_and_no_others() {
        let text = b"22 27 0:21 / /proc rw,relatime - proc proc rw\n\
            90 25 0:24 /netns /run/netns rw,nosuid shared:5 - tmpfs tmpfs rw\n\
            91 90 0:4 net:[4026532281] /run/netns/pod1 rw shared:59 master:2 - nsfs nsfs rw\n\
            92 90 0:4 mnt:[4026532282] /run/snapd/ns/x.mnt rw - nsfs nsfs rw\n\
            93 90 0:4 net:[4026532283] /run/netns/a\\040b\\134 rw - nsfs nsfs rw\n\
            94 90 0:5 net:[4026532284] /tmp/liar rw - tmpfs nsfs rw\n\
            95 90 0:4 net:[4026532285]\n";
        assert_eq!(
            namespaces(text),
            [
                (PathBuf::from("/run/netns/pod1"), NetnsId(4026532281)),
                (PathBuf::from("/run/netns/a b\\"), NetnsId(4026532283)),
            ]
        );
    }

    proptest! {
        #[test]
        fn no_text_panics(text in prop::collection::vec(any::<u8>(), 0..200)) {
            namespaces(&text);
            unescape(&text);
        }

        #[test]
        fn no_line_panics(line in "([0-9]{1,3} ){0,3}(net:\\[[0-9]{0,21}\\]?)? (/[a-z\\\\0-9]{0,9})? rw( -)?( nsfs)?") {
            namespaces(line.as_bytes());
        }
    }
}
