//! The initramfs of the running kernel: where it is, and what makes it anew.

use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use super::Host;
use super::file;
use super::modules;

/// What is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Image {
    /// It lies here and was made then.
    At(PathBuf, SystemTime),
    /// There is none in any place known.
    Absent,
    /// The places cannot be looked at, or the running kernel is not known.
    Unknown,
}

/// Finds the image that the running kernel was, or will be, started with.
pub fn find(host: &Host) -> Image {
    let Some(release) = modules::release(host).filter(|release| !release.contains('/')) else {
        return Image::Unknown;
    };
    if file::list(&host.path("/boot")).is_err() {
        return Image::Unknown;
    }
    let found = candidates(host, &release).into_iter().find_map(|path| {
        let meta = fs::metadata(host.path(&path)).ok()?;
        Some(Image::At(path.into(), meta.modified().ok()?))
    });
    found.unwrap_or(Image::Absent)
}

/// Debian, Fedora, SUSE; then kernel-install's layout, rpm-ostree's, and Arch's package name.
fn candidates(host: &Host, release: &str) -> Vec<String> {
    let mut paths: Vec<String> = [
        "/boot/initrd.img-RELEASE",
        "/boot/initramfs-RELEASE.img",
        "/boot/initrd-RELEASE",
        "/boot/initrd-RELEASE.img",
        "/boot/initramfs-RELEASE",
        "/usr/lib/modules/RELEASE/initramfs.img",
    ]
    .iter()
    .map(|path| path.replace("RELEASE", release))
    .collect();
    let line = |path: &str| {
        let text = file::read(&host.path(path), 256).ok()??;
        let text = String::from_utf8_lossy(&text).trim().to_owned();
        (!text.is_empty() && !text.contains(['/', '\0'])).then_some(text)
    };
    if let Some(machine) = line("/etc/machine-id") {
        for boot in ["/efi", "/boot/efi", "/boot"] {
            paths.push(format!("{boot}/{machine}/{release}/initrd"));
        }
    }
    if let Some(package) = line(&format!("/usr/lib/modules/{release}/pkgbase")) {
        paths.push(format!("/boot/initramfs-{package}.img"));
    }
    paths
}

const UPDATE_INITRAMFS: &str = "update-initramfs -u";
const DRACUT: &str = "dracut -f";
const MKINITCPIO: &str = "mkinitcpio -P";

/// The command of this distribution that makes the image anew: the tool that is installed, or
/// else the one that the distribution is known for.
pub fn rebuild_command(host: &Host) -> Option<&'static str> {
    let tools = [
        ("update-initramfs", UPDATE_INITRAMFS),
        ("dracut", DRACUT),
        ("mkinitcpio", MKINITCPIO),
    ];
    let installed = |name: &str| {
        ["/usr/sbin", "/usr/bin", "/sbin", "/bin"]
            .iter()
            .any(|folder| host.path(folder).join(name).exists())
    };
    let found = tools.iter().find(|(name, _)| installed(name));
    found
        .map(|(_, command)| *command)
        .or_else(|| known_for(host))
}

fn known_for(host: &Host) -> Option<&'static str> {
    let text = ["/etc/os-release", "/usr/lib/os-release"]
        .iter()
        .find_map(|path| file::read(&host.path(path), 16 * 1024).ok()?)?;
    let text = String::from_utf8_lossy(&text);
    let ids = text.lines().filter_map(|line| {
        let (key, value) = line.split_once('=')?;
        matches!(key, "ID" | "ID_LIKE").then(|| value.trim_matches(['"', '\'']))
    });
    let mut ids = ids.flat_map(str::split_whitespace);
    ids.find_map(|id| match id {
        "debian" | "ubuntu" => Some(UPDATE_INITRAMFS),
        "fedora" | "rhel" | "centos" | "suse" | "opensuse" => Some(DRACUT),
        "arch" => Some(MKINITCPIO),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fake::Machine;

    #[test]
    fn in_the_places_of_each_distribution() {
        for (path, extra) in [
            ("boot/initrd.img-6.1.0", ""),
            ("boot/initramfs-6.1.0.img", ""),
            ("boot/efi/abc/6.1.0/initrd", ""),
            ("boot/initramfs-linux-lts.img", "linux-lts\n"),
        ] {
            let machine = Machine::new()
                .file("proc/sys/kernel/osrelease", "6.1.0\n")
                .file("etc/machine-id", "abc\n")
                .file("usr/lib/modules/6.1.0/pkgbase", extra)
                .file(path, "");
            let Image::At(found, _) = find(&machine.host()) else {
                panic!("{path}");
            };
            assert_eq!(found.to_str().unwrap().trim_start_matches('/'), path);
        }
        let other = Machine::new()
            .file("proc/sys/kernel/osrelease", "6.1.0\n")
            .file("boot/initrd.img-6.0.0", "");
        assert_eq!(find(&other.host()), Image::Absent);
        assert_eq!(find(&Machine::new().host()), Image::Unknown);
    }

    #[test]
    fn the_command_of_the_distribution() {
        let installed = Machine::new()
            .file("usr/sbin/dracut", "")
            .file("etc/os-release", "ID=debian\n");
        assert_eq!(rebuild_command(&installed.host()), Some(DRACUT));
        for (text, command) in [
            ("NAME=x\nID=debian\n", Some(UPDATE_INITRAMFS)),
            (
                "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n",
                Some(DRACUT),
            ),
            ("ID=manjaro\nID_LIKE=arch\n", Some(MKINITCPIO)),
            ("ID=alpine\n", None),
            ("garbage", None),
        ] {
            let machine = Machine::new().file("etc/os-release", text);
            assert_eq!(rebuild_command(&machine.host()), command, "{text}");
        }
    }
}
