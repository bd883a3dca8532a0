//! Links, names and values of a tree that nothing leads out of.

use super::*;
use std::os::unix::fs::symlink;
use std::thread;

#[test]
fn a_collision_is_no_failure() {
    let mut left = 5;
    let opened = patiently(|| {
        left -= 1;
        if left > 0 { Err(Errno::EAGAIN) } else { Ok(()) }
    });
    assert_eq!((opened, left), (Ok(()), 0));
    let mut tries = 0;
    let never = patiently(|| {
        tries += 1;
        Err::<(), _>(Errno::EAGAIN)
    });
    assert_eq!((never, tries), (Err(Errno::EAGAIN), TRIES));
    let refused = patiently(|| Err::<(), _>(Errno::EXDEV));
    assert_eq!(refused, Err(Errno::EXDEV));
}

fn tree() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let vf = dir.path().join("sys/devices/0000:01:10.2");
    std::fs::create_dir_all(vf.join("infiniband/mlx5_2")).unwrap();
    std::fs::create_dir_all(dir.path().join("sys/bus")).unwrap();
    std::fs::write(vf.join("vendor"), "0x8086\n").unwrap();
    std::fs::write(dir.path().join("secret"), "s").unwrap();
    symlink("../devices/0000:01:10.2", dir.path().join("sys/bus/vf")).unwrap();
    symlink("../../secret", dir.path().join("sys/bus/out")).unwrap();
    symlink("/etc/passwd", dir.path().join("sys/bus/abs")).unwrap();
    dir
}

#[test]
fn links_inside_are_followed() {
    let dir = tree();
    let sysfs = Sysfs::new(dir.path().join("sys"));
    assert_eq!(sysfs.read("bus/vf/vendor").unwrap(), "0x8086");
    assert_eq!(sysfs.list("bus/vf/infiniband").unwrap(), ["mlx5_2"]);
    assert_eq!(sysfs.link_name("bus/vf").unwrap(), "0000:01:10.2");
    assert_eq!(
        sysfs.links_in("bus", ["vf", "none"]).unwrap(),
        [Some("0000:01:10.2".to_owned()), None]
    );
    assert!(sysfs.links_in("none", ["vf"]).unwrap_err().is_absent());
    let bus = sysfs.below("bus").unwrap();
    assert_eq!(
        bus.links_in("", ["vf"]).unwrap(),
        [Some("0000:01:10.2".to_owned())]
    );
    assert_eq!(bus.read("vf/vendor").unwrap_err().errno, Errno::EXDEV);
    let vf = sysfs.below("bus/vf").unwrap();
    assert_eq!(vf.read("vendor").unwrap(), "0x8086");
    assert!(sysfs.below("bus/none").unwrap_err().is_absent());
    let no_link = sysfs.links_in("bus/vf", ["vendor"]).unwrap_err();
    assert_eq!(no_link.errno, Errno::EINVAL);
    assert!(sysfs.list_if_there("bus/vf/net").unwrap().is_empty());
    sysfs.write("bus/vf/vendor", "1").unwrap();
    assert_eq!(
        sysfs.read("bus/vf/vendor").unwrap(),
        "18086".replace("18086", "1x8086")
    );
}

#[test]
fn renames_elsewhere_make_nothing_absent() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let dir = tree();
    let sysfs = Sysfs::new(dir.path().join("sys"));
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let (one, other) = (dir.path().join("one"), dir.path().join("other"));
            std::fs::write(&one, "").unwrap();
            while !done.load(Ordering::Relaxed) {
                std::fs::rename(&one, &other).unwrap();
                std::fs::rename(&other, &one).unwrap();
            }
        });
        let read: Vec<_> = (0..20_000).map(|_| sysfs.read("bus/vf/vendor")).collect();
        done.store(true, Ordering::Relaxed);
        assert_eq!(read.iter().filter(|read| read.is_err()).count(), 0);
    });
}

#[test]
fn nothing_leads_out() {
    let dir = tree();
    let sysfs = Sysfs::new(dir.path().join("sys"));
    for path in [
        "bus/out",
        "bus/abs",
        "../secret",
        "/etc/passwd",
        "bus/vf/../../../secret",
    ] {
        let error = sysfs.read(path).unwrap_err();
        assert_eq!(error.errno, Errno::EXDEV, "{path}");
    }
    assert!(sysfs.read("bus/nope").unwrap_err().is_absent());
}
