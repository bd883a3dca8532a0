//! The names in an open folder, for the price of reading them and nothing else.

use std::ffi::OsString;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStringExt;

use nix::errno::Errno;
use nix::libc;

/// Enough for what a PF with 127 VFs shows below it.
const ROOM: usize = 8 * 1024;

/// Where the length of an entry and its name stand (`struct linux_dirent64`, `linux/dirent.h`).
const LENGTH_AT: usize = 16;
const NAME_AT: usize = 19;

/// The names, `.` and `..` left out, in the order of the kernel.
///
/// `opendir(3)` asks first whether it has a folder, and sets aside 32 KiB: most folders of sysfs that are read have one
/// name.
///
/// # Errors
/// What the kernel says; ENOTDIR for what is no folder.
pub(super) fn names(folder: &impl AsFd) -> Result<Vec<OsString>, Errno> {
    let number = folder.as_fd().as_raw_fd();
    let mut room = [0_u8; ROOM];
    let mut names = Vec::new();
    loop {
        #[expect(unsafe_code, reason = "libc reads folders by streams only")]
        // SAFETY: the kernel is given a buffer of ours and its length.
        let length =
            unsafe { libc::syscall(libc::SYS_getdents64, number, room.as_mut_ptr(), room.len()) };
        match Errno::result(length) {
            Ok(0) => return Ok(names),
            Ok(length) => {
                let length = usize::try_from(length).unwrap_or_default();
                take(room.get(..length).unwrap_or_default(), &mut names);
            }
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

fn take(mut entries: &[u8], names: &mut Vec<OsString>) {
    while let Some([low, high]) = entries.get(LENGTH_AT..LENGTH_AT + 2) {
        let length = usize::from(u16::from_ne_bytes([*low, *high]));
        let Some((entry, rest)) = entries.split_at_checked(length.max(NAME_AT)) else {
            return;
        };
        // The name ends with a NUL, and more of them fill the entry up.
        let name = entry[NAME_AT..].split(|byte| *byte == 0).next();
        let name = name.unwrap_or_default();
        if !name.is_empty() && name != b"." && name != b".." {
            names.push(OsString::from_vec(name.to_vec()));
        }
        entries = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};

    #[test]
    fn all_of_a_folder_that_fills_the_room_more_than_once() {
        let dir = tempfile::tempdir().unwrap();
        let mut expected: Vec<OsString> = (0..600).map(|n| format!("virtfn{n}").into()).collect();
        expected.push("x".repeat(255).into());
        for name in &expected {
            fs::write(dir.path().join(name), "").unwrap();
        }
        let mut found = names(&File::open(dir.path()).unwrap()).unwrap();
        found.sort();
        expected.sort();
        assert_eq!(found, expected);
        let file = File::open(dir.path().join("virtfn0")).unwrap();
        assert_eq!(names(&file), Err(Errno::ENOTDIR));
    }

    #[test]
    fn an_entry_that_is_cut_off_is_none() {
        let mut found = Vec::new();
        for length in [0, 17, 18, 19, 24] {
            let mut entry = [0; 24];
            entry[LENGTH_AT] = 200;
            take(&entry[..length], &mut found);
        }
        assert!(found.is_empty());
        let mut entry = [b'a'; 24];
        entry[LENGTH_AT..LENGTH_AT + 2].copy_from_slice(&24_u16.to_ne_bytes());
        take(&entry, &mut found);
        assert_eq!(found, ["aaaaa"]);
    }
}
