//! `-batch`: beside iproute2's, and where iproute2's ends or sees what is gone.

use crate::beside::{Beside, Place, Setting};
use crate::case::{Case, case};
use crate::handle::{FACES, Lab};

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("batches_are_iproute2s", same),
        case("each_line_sees_what_the_last_did", live_state),
        case("more_lines_than_files_and_one_socket", long).limit(240),
    ]
}

/// The files are compared with each of the options.
fn same(lab: &Lab) {
    let dev = lab.vf_rdma(0);
    let beside = Beside::new(lab, Place::Root, &[Setting::InfiniBand, Setting::Shared]);
    let files = [
        "# all\ndev show DEV\n\nlink show DEV/1\nsystem show\ndev \\\n  show   DEV\nres show DEV\n",
        "dev show DEV # one\ndev show nope\nlink show DEV/1\n",
        "dev set DEV adaptive-moderation on\ndev set DEV adaptive-moderation off\n",
        "",
        "\tdev\tshow \"DEV\"\nlink show 'DEV/1'\n   \n#\nstat qp mode",
        "link show nope/1\nres show qp link nope\ndev set nope name x\n",
    ];
    let options = [
        "-b /tmp/batch",
        "--batch /tmp/batch",
        "-f -b /tmp/batch",
        "-d -b /tmp/batch",
    ];
    for file in files {
        std::fs::write("/tmp/batch", file.replace("DEV", &dev)).unwrap();
        for options in options {
            same_batch(&beside, file, options);
        }
    }
    for options in ["-b /no/such", "-f -b /no/such", "-j -b /no/such"] {
        same_batch(&beside, "", options);
    }
    // JSON: a document a line, as iproute2 has it, but for `system`, whose line it prints as text.
    let file = "dev show DEV\nlink show DEV/1\n";
    std::fs::write("/tmp/batch", file.replace("DEV", &dev)).unwrap();
    for options in ["-j -b /tmp/batch", "-jp -b /tmp/batch", "-b /tmp/batch -d"] {
        same_batch(&beside, file, options);
    }
    std::fs::remove_file("/tmp/batch").unwrap();
    let piped = |program: &str| {
        lab.sh(&format!("echo dev show {dev} | {program} -d -b -"))
            .ok()
            .stdout
    };
    let ours = piped(&format!("{FACES}/rdma"));
    assert_eq!(piped("rdma"), beside.aged("dev", &ours));
    beside.note(["-d -b -"]);
}

fn same_batch(beside: &Beside<'_>, file: &str, options: &str) {
    let (theirs, ours) = (beside.theirs(options), beside.ours(options));
    assert_eq!(
        (theirs.status, &theirs.stdout),
        (ours.status, &beside.aged("dev", &ours.stdout)),
        "{file}\n{theirs}\n{ours}"
    );
    // Each of its sentences, before those of ours that say more.
    let mut rest = ours.stderr.as_str();
    for line in theirs.stderr.lines() {
        let at = rest.find(line);
        rest = &rest[at.unwrap_or_else(|| panic!("{file}\n{theirs}\n{ours}"))..];
    }
    beside.note([format!("{options}: {}", file.replace(['\n', '\t'], " ")).as_str()]);
}

/// iproute2 reads the devices once, and looks for the old name on the second line.
fn live_state(lab: &Lab) {
    let dev = lab.vf_rdma(0);
    std::fs::write(
        "/tmp/batch",
        format!("dev set {dev} name batch0\ndev set batch0 name {dev}\ndev show {dev}\n"),
    )
    .unwrap();
    lab.rdmactl(&["-b", "/tmp/batch"])
        .ok()
        .stdout_has(&format!(": {dev}: "));
    let json = lab.rdmactl(&["-j", "--batch", "/tmp/batch"]).ok().json();
    assert_eq!(json.as_array().map(Vec::len), Some(3), "{json}");
    assert_eq!(json[2][0]["ifname"], dev.as_str());
    // Two devices swap their names and swap them back: what was known of a name is found out.
    let other = lab.vf_rdma(1);
    let lines = [
        format!("dev show {dev}"),
        format!("dev set {dev} name batch0"),
        format!("dev set {other} name {dev}"),
        format!("dev show {dev}"),
        format!("link show {dev}/1"),
        format!("resource show pd dev {dev}"),
        format!("dev set {dev} name {other}"),
        format!("dev set batch0 name {dev}"),
        format!("link show {dev}/1"),
    ];
    std::fs::write("/tmp/batch", lines.join("\n")).unwrap();
    let json = lab.rdmactl(&["-j", "-b", "/tmp/batch"]).ok().json();
    let index = |at: usize| json[at][0]["ifindex"].as_u64().unwrap();
    let (first, second) = (index(0), index(3));
    assert_ne!(first, second, "{json}");
    assert_eq!((index(4), index(8)), (second, first), "{json}");
    // Unknown words are failures here, and the line is named.
    std::fs::write("/tmp/batch", "bogus\nsystem show\n").unwrap();
    lab.rdmactl(&["-batch", "/tmp/batch"])
        .fails(1)
        .stderr_has("Command failed /tmp/batch:1");
    lab.rdmactl(&["-force", "-batch", "/tmp/batch"])
        .fails(1)
        .stdout_has("netns shared");
    std::fs::remove_file("/tmp/batch").unwrap();
}

/// With a limit of 1024 files iproute2 ends after some 1,020 lines.
fn long(lab: &Lab) {
    std::fs::write("/tmp/batch", "system show\n".repeat(1100)).unwrap();
    let out = lab.rdmactl(&["-b", "/tmp/batch"]).ok().stdout;
    assert_eq!(out.lines().count(), 1100);
    std::fs::write("/tmp/batch", "system show\n".repeat(20)).unwrap();
    let sockets = lab.sh(&format!("strace -f -e trace=socket {FACES}/rdmactl -b /tmp/batch 2>&1 >/dev/null | grep -c AF_NETLINK")).ok();
    sockets.stdout_is("1\n");
    // A device that is named again is asked for alone, and all output is one write.
    let dev = lab.vf_rdma(0);
    std::fs::write("/tmp/batch", format!("dev show {dev}\n").repeat(20)).unwrap();
    let calls = lab.sh(&format!("strace -e trace=sendto,write {FACES}/rdmactl -b /tmp/batch 2>&1 >/dev/null | cut -d '(' -f 1 | sort | uniq -c | tr -s ' '")).ok();
    calls.stdout_has(" 20 sendto\n 1 write\n");
    std::fs::remove_file("/tmp/batch").unwrap();
}
