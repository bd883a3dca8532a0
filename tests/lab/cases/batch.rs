//! `-batch`: beside iproute2's, and where iproute2's ends or sees what is gone.

use crate::case::{Case, case};
use crate::handle::{FACES, Lab};

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("batches_are_iproute2s", same).only(
            &["6.12", "7.3"],
            "the iproute2 of 6.1 prints less of a device",
        ),
        case("each_line_sees_what_the_last_did", live_state),
        case("more_lines_than_files_and_one_socket", long).limit(240),
    ]
}

fn same(lab: &Lab) {
    let dev = lab.vf_rdma(0);
    let good = format!("# all\ndev show {dev}\n\n");
    let files = [
        format!("{good}link show {dev}/1\nsystem show\ndev \\\n  show   {dev}\nres show {dev}\n"),
        format!("dev show {dev}\ndev show nope\nlink show {dev}/1\n"),
        format!("dev set {dev} adaptive-moderation on\ndev set {dev} adaptive-moderation off\n"),
        String::new(),
    ];
    for (at, file) in files.iter().enumerate() {
        std::fs::write("/tmp/batch", file).unwrap();
        for options in [
            "-b /tmp/batch",
            "-f -b /tmp/batch",
            "-d -b /tmp/batch",
            "-b /no/such",
        ] {
            let theirs = lab.exec(&format!("rdma {options}"));
            let ours = lab.exec(&format!("{FACES}/rdma {options}"));
            assert_eq!(
                (theirs.status, &theirs.stdout),
                (ours.status, &ours.stdout),
                "{at} {options}\n{theirs}\n{ours}"
            );
            let said = theirs
                .stderr
                .lines()
                .filter(|line| line.starts_with("Command failed"));
            for line in said {
                assert!(ours.stderr.contains(line), "{line}\n{ours}");
            }
        }
    }
    // JSON: a document a line, as iproute2 has it, but for `system`, whose line it prints as text.
    std::fs::write("/tmp/batch", format!("dev show {dev}\nlink show {dev}/1\n")).unwrap();
    let theirs = lab.exec("rdma -j -b /tmp/batch").ok().stdout;
    lab.exec(&format!("{FACES}/rdma -j -b /tmp/batch"))
        .ok()
        .stdout_is(&theirs);
    std::fs::remove_file("/tmp/batch").unwrap();
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
