//! `system set netns --persist`: what it writes, what it keeps, and what it says is left to do.

use super::explain::{BUSY, EXCLUSIVE, mode_is};
use crate::case::{Case, case};
use crate::handle::Lab;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        case("persist_makes_a_file", persist_makes_a_file),
        case("persist_keeps_what_is_there", persist_keeps_what_is_there)
            .only(&["6.12"], "lines of a file are kept"),
        case("persist_knows_the_initramfs", persist_knows_the_initramfs),
        case(
            "persist_is_the_way_out_of_busy",
            persist_is_the_way_out_of_busy,
        ),
    ]
}

fn persist_makes_a_file(lab: &Lab) {
    let conf = "/etc/modprobe.d/rdmactl.conf";
    let persist = [&EXCLUSIVE[..], &["--persist"]].concat();
    lab.rdmactl(&persist).ok().stdout_has(conf).stderr_is("");
    lab.sh(&format!("cat {conf}; stat -c %a {conf}"))
        .ok()
        .stdout_is("options ib_core netns_mode=0\n644\n");
    lab.sh("modprobe --showconfig | grep '^options ib_core'")
        .ok()
        .stdout_is("options ib_core netns_mode=0\n");
    lab.rdmactl(&["system", "show", "-d"])
        .ok()
        .stdout_has("netns exclusive")
        .stdout_has("configured exclusive")
        .stdout_has(conf);
    lab.rdmactl(&persist).ok().stdout_has("already");
    lab.rdmactl(&["system", "set", "netns", "shared", "--persist"])
        .ok()
        .stdout_has(conf);
    lab.sh(&format!("cat {conf}; rm {conf}"))
        .ok()
        .stdout_is("options ib_core netns_mode=1\n");
    mode_is(lab, "shared");
}

fn persist_keeps_what_is_there(lab: &Lab) {
    let conf = "/etc/modprobe.d/a-lab.conf";
    lab.sh(&format!("printf '# mine\\noptions ib-core \\\\\\n  a=1 netns_mode=Y b=2\\nblacklist nosuch\\n' > {conf}")).ok();
    lab.rdmactl(&[&EXCLUSIVE[..], &["--persist"]].concat())
        .ok()
        .stdout_has(conf);
    lab.sh(&format!("cat {conf}"))
        .ok()
        .stdout_is("# mine\noptions ib-core \\\n  a=1 netns_mode=0 b=2\nblacklist nosuch\n");
    lab.sh("ls /etc/modprobe.d/rdmactl.conf").fails(2);
    lab.rdmactl(&["system", "show", "-d"])
        .ok()
        .stdout_has(&format!("{conf}:3"));
    lab.sh(&format!("rm {conf}")).ok();
    lab.rdmactl(&["system", "set", "netns", "shared"]).ok();
}

fn persist_knows_the_initramfs(lab: &Lab) {
    // An image of the lab's own, in a folder that the guest forgets.
    let image = "/boot/initrd.img-$(uname -r)";
    let release = lab.sh("uname -r").ok().stdout.trim().to_owned();
    lab.sh(&format!(
        "mkdir -p /boot; mv -f {image} /tmp/initrd 2> /dev/null; touch -d '1 hour ago' {image}"
    ))
    .ok();
    let persist = [&EXCLUSIVE[..], &["--persist"]].concat();
    lab.rdmactl(&persist)
        .ok()
        .stdout_has("initramfs")
        .stdout_has("update-initramfs -u");
    lab.rdmactl(&["system", "show", "-d"])
        .ok()
        .stdout_has("at boot unknown")
        .stdout_has(&format!("initramfs stale (/boot/initrd.img-{release})"))
        .stdout_has("update-initramfs -u");
    lab.sh(&format!("sleep 0.1; touch {image}")).ok();
    lab.rdmactl(&["system", "show", "-d"])
        .ok()
        .stdout_has("at boot exclusive")
        .stdout_has("initramfs current");
    lab.rdmactl(&persist).ok().stdout_lacks("update-initramfs");
    lab.sh(&format!(
        "rm {image} /etc/modprobe.d/rdmactl.conf; mv -f /tmp/initrd {image} 2> /dev/null; true"
    ))
    .ok();
    lab.rdmactl(&["system", "set", "netns", "shared"]).ok();
}

fn persist_is_the_way_out_of_busy(lab: &Lab) {
    let _blue = lab.netns("pod-blue");
    lab.rdmactl(&EXCLUSIVE)
        .fails(1)
        .stderr_has("rdmactl system set netns exclusive --persist, then reboot");
    lab.rdmactl(&[&EXCLUSIVE[..], &["--persist"]].concat())
        .fails(1)
        .stdout_has("/etc/modprobe.d/rdmactl.conf")
        .stderr_has(BUSY)
        .stderr_has("pod-blue");
    lab.sh("cat /etc/modprobe.d/rdmactl.conf; rm /etc/modprobe.d/rdmactl.conf")
        .ok()
        .stdout_is("options ib_core netns_mode=0\n");
    mode_is(lab, "shared");
}
