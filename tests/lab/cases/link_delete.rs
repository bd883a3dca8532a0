//! `link delete` of a soft-RoCE device that programs, or the kernel, use.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::adapter::until;
use crate::case::{Case, case};
use crate::handle::{FACES, Lab};
use crate::running::Running;
use crate::soft_roce::SoftRoce;

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("users_are_named", users_are_named).no_adapter(),
        case("users_are_waited_for", users_are_waited_for).no_adapter(),
        case("force_waits_in_the_kernel", force_waits)
            .no_adapter()
            .only(
                &["6.1", "6.12"],
                "the driver can take a device from its users since 7.3",
            ),
        case("force_takes_it", force_takes)
            .no_adapter()
            .only(&["7.3"], "before, the driver cannot"),
        case("an_open_file_is_seen_too_late", open_file)
            .no_adapter()
            .only(&["6.12"], "nothing is lost where the driver can let go"),
        case("connections_of_the_kernel", connections_of_the_kernel).no_adapter(),
    ]
}

const DELETE: [&str; 3] = ["link", "delete", "rxe0"];
const IN_USE: &str = "RDMA device \"rxe0\" is in use\n";

fn shows(lab: &Lab, what: &str, word: &str) {
    until(&format!("{what} shows {word}"), || {
        lab.exec(&format!("rdma {what}")).stdout.contains(word)
    })
    .unwrap_or_else(|error| panic!("{error}\n{}", lab.exec("rdma res")));
}

/// A program with a context of rxe0 that waits for someone to talk to.
fn pingpong(lab: &Lab) -> Running {
    let running = Running::new(&["ibv_rc_pingpong", "-d", "rxe0", "-g", "0"]);
    shows(lab, "res show qp", "ibv_rc_pingpong");
    running
}

fn is_there(lab: &Lab) -> bool {
    lab.exec("rdma dev").stdout.contains("rxe0:")
}

fn users_are_named(lab: &Lab) {
    let soft = SoftRoce::devices(1);
    {
        let program = pingpong(lab);
        let user = format!("in use by pid {} ibv_rc_pingpong", program.pid());
        let end = format!(
            "kill {}; rdmactl link delete rxe0; or, to wait for them: rdmactl link delete rxe0 --wait 60; or, all the same: rdmactl link delete rxe0 --force\n",
            program.pid()
        );
        for face in ["rdmactl", "rdma"] {
            lab.exec(&format!("{FACES}/{face} link delete rxe0"))
                .fails(1)
                .stdout_is("")
                .stderr_has(IN_USE)
                .stderr_has(&user)
                .stderr_has(&end);
        }
        lab.exec(&format!("{FACES}/rdmactl --dry-run link delete rxe0"))
            .ok()
            .stdout_has("would not delete software RDMA device rxe0 (index ")
            .stdout_has(&user);
        // Who may not delete it is told that, and not whom to end.
        lab.exec(&format!(
            "setpriv --reuid=65534 --regid=65534 --clear-groups {FACES}/rdmactl link delete rxe0"
        ))
        .fails(1)
        .stderr_has("error: Operation not permitted\n");
        // From another PID namespace nobody can be seen, and the use can.
        lab.exec(&format!(
            "unshare --pid --fork --mount-proc {FACES}/rdmactl link delete rxe0"
        ))
        .fails(1)
        .stderr_has(IN_USE)
        .stderr_has("in use by a process that cannot be seen from here");
    }
    {
        // The other way round: the user is in another one.
        let _unshare = Running::new(&[
            "unshare",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
            "ibv_rc_pingpong",
            "-d",
            "rxe0",
            "-g",
            "0",
        ]);
        shows(lab, "res show qp", "ibv_rc_pingpong");
        lab.rdmactl(&DELETE)
            .fails(1)
            .stderr_has(IN_USE)
            .stderr_has(" ibv_rc_pingpong; a deletion");
    }
    shows(lab, "res", "ctx 0");
    lab.sh("modprobe rdma_ucm").ok();
    {
        let server = Running::new(&["rping", "-s", "-a", "192.168.77.1", "-p", "7174"]);
        shows(lab, "res show cm_id", "LISTEN");
        lab.rdmactl(&DELETE)
            .fails(1)
            .stderr_has(IN_USE)
            .stderr_has(&format!("in use by pid {} rping; a deletion", server.pid()));
    }
    shows(lab, "res", "ctx 0");
    assert!(is_there(lab));
    // Who listens at every address needs none of them.
    let mut server = Running::new(&["rping", "-s", "-p", "7174"]);
    shows(lab, "res show cm_id", "LISTEN");
    lab.exec(&format!("{FACES}/rdmactl --dry-run link delete rxe0"))
        .ok()
        .stdout_has("would delete software RDMA device rxe0 (index ");
    assert!(is_there(lab));
    lab.rdmactl(&DELETE).ok().silent();
    assert!(!is_there(lab) && server.goes_on());
    drop((server, soft));
}

fn users_are_waited_for(lab: &Lab) {
    let _soft = SoftRoce::devices(1);
    let program = pingpong(lab);
    let wait = |seconds: &str| lab.rdmactl(&[&DELETE[..], &["--wait", seconds]].concat());
    let begun = Instant::now();
    wait("0.5")
        .fails(1)
        .stderr_has(IN_USE)
        .stderr_has(&format!("pid {} ibv_rc_pingpong", program.pid()));
    assert!(begun.elapsed() >= Duration::from_millis(500) && is_there(lab));
    lab.exec(&format!(
        "{FACES}/rdmactl --dry-run link delete rxe0 --wait 1"
    ))
    .ok()
    .stdout_has("would wait 1 s for nobody to use software RDMA device rxe0 (index ")
    .stdout_has("then delete it; now in use by pid ");
    let end = std::thread::spawn(move || {
        sleep(Duration::from_millis(700));
        drop(program);
    });
    let begun = Instant::now();
    wait("50").ok().silent();
    // A pause between two looks is at most a second.
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert!(!is_there(lab));
    end.join().expect("the program ended");
}

/// The child process that waits in the kernel; the guest has no init that would take note of its end.
fn waits(lab: &Lab) -> String {
    lab.sh("pgrep -x -r D rdmactl").stdout.trim().to_owned()
}

fn force_waits(lab: &Lab) {
    let soft = SoftRoce::devices(1);
    let program = pingpong(lab);
    let user = format!("in use by pid {} ibv_rc_pingpong; ", program.pid());
    // The pipes of the call are read to their end: nobody else holds them.
    let begun = Instant::now();
    let refused = lab
        .rdmactl(&[&DELETE[..], &["--force"]].concat())
        .fails(1)
        .stderr_has("RDMA device \"rxe0\" is still being deleted\n")
        .stderr_has(&user)
        .stderr_has("it is deleted as soon as its users have ended")
        .stderr_has(&format!("fix: kill {}\n", program.pid()));
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(15), "{took:?}");
    let pid = waits(lab);
    let refused = refused.stderr_has(&format!("in process {pid}, which cannot be stopped"));
    assert!(!is_there(lab), "{refused}");
    lab.rdmactl(&["link", "add", "rxe0", "type", "rxe", "netdev", "par1"])
        .fails(1)
        .stderr_has("a device that cannot be seen from here has the name rxe0");
    drop(program);
    until("the process that waited has ended", || {
        waits(lab).is_empty()
    })
    .unwrap_or_else(|error| panic!("{error}"));
    lab.rdmactl(&["link", "add", "rxe0", "type", "rxe", "netdev", "par0"])
        .ok()
        .silent();
    drop(soft);
}

fn force_takes(lab: &Lab) {
    let _soft = SoftRoce::devices(1);
    let mut program = pingpong(lab);
    lab.rdmactl(&DELETE).fails(1).stderr_has(IN_USE);
    lab.rdmactl(&["--dry-run", "link", "delete", "rxe0", "--force"])
        .ok()
        .stdout_has("would delete software RDMA device rxe0 (index ")
        .stdout_has("in use by pid ");
    lab.rdmactl(&[&DELETE[..], &["--force"]].concat())
        .ok()
        .silent();
    assert!(!is_there(lab) && waits(lab).is_empty() && program.goes_on());
}

/// Without a context nothing shows the use before; it is named all the same, and nothing hangs.
fn open_file(lab: &Lab) {
    let _soft = SoftRoce::devices(1);
    until("the device file is there", || {
        Path::new("/dev/infiniband/uverbs0").exists()
    })
    .unwrap_or_else(|error| panic!("{error}"));
    let program = Running::new(&["sh", "-c", "exec sleep 100 3<> /dev/infiniband/uverbs0"]);
    until("the file is open", || {
        Path::new(&format!("/proc/{}/fd/3", program.pid())).exists()
    })
    .unwrap_or_else(|error| panic!("{error}"));
    lab.rdmactl(&DELETE)
        .fails(1)
        .stderr_has("RDMA device \"rxe0\" is still being deleted\n")
        .stderr_has(&format!("in use by pid {} sleep; ", program.pid()));
    drop(program);
    until("the process that waited has ended", || {
        waits(lab).is_empty()
    })
    .unwrap_or_else(|error| panic!("{error}"));
}

/// An NVMe target listens at the address of the device, and would lose it.
fn connections_of_the_kernel(lab: &Lab) {
    let _soft = SoftRoce::devices(1);
    let _target = Target::new(lab);
    shows(lab, "res show cm_id", "nvmet_rdma");
    lab.rdmactl(&DELETE)
        .fails(1)
        .stderr_has(IN_USE)
        .stderr_has("in use by the kernel module nvmet_rdma; a deletion")
        .stderr_has("fix: to wait for them: ");
    lab.rdmactl(&[&DELETE[..], &["--force"]].concat())
        .ok()
        .silent();
    assert!(!is_there(lab));
}

/// An NVMe target without a disk, gone with the guard.
struct Target<'a>(&'a Lab);

const NVMET: &str = "/sys/kernel/config/nvmet";

impl<'a> Target<'a> {
    fn new(lab: &'a Lab) -> Self {
        let target = Self(lab);
        lab.sh(&format!(
            "set -e; modprobe nvmet-rdma; mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config
            mkdir {NVMET}/ports/1 {NVMET}/subsystems/lab; cd {NVMET}/ports/1
            echo rdma > addr_trtype; echo ipv4 > addr_adrfam; echo 192.168.77.1 > addr_traddr; echo 4420 > addr_trsvcid
            ln -s {NVMET}/subsystems/lab subsystems/lab"
        ))
        .ok();
        target
    }
}

impl Drop for Target<'_> {
    fn drop(&mut self) {
        self.0.sh(&format!(
            "rm -f {NVMET}/ports/1/subsystems/lab; rmdir {NVMET}/ports/1 {NVMET}/subsystems/lab; rmmod nvmet_rdma"
        ));
    }
}
