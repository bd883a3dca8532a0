//! `resource` through iproute2's `rdma` and through ours, while programs hold objects and wait.

use std::cell::RefCell;

use crate::adapter::until;
use crate::beside::{Beside, Place, Setting};
use crate::case::{Case, case};
use crate::handle::{FACES, Lab};
use crate::running::Running;
use crate::soft_roce::SoftRoce;

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("nothing", nothing).no_adapter(),
        case("soft_roce", soft_roce).no_adapter().limit(240),
        case("infiniband", infiniband).limit(180),
        case("ethernet", ethernet).ethernet().limit(180),
        case("another_namespace", another_namespace)
            .exclusive()
            .limit(180),
        case("better", better).limit(120),
    ]
}

const LINES: &str = include_str!("../lines/resource.txt");
const POOLS: &str = include_str!("../lines/frmr_pools.txt");

/// The numbers of an object that iproute2 shows, for its queue pair, process and protection domain.
fn numbered<'a>(beside: Beside<'a>) -> Beside<'a> {
    let listed = beside.inside(|| beside.theirs("-j res show qp type RC,UD"));
    let rows = listed.ok().json();
    let of = |key: &str| {
        let found = rows
            .as_array()
            .and_then(|rows| rows.iter().find_map(|row| row[key].as_u64()));
        found.unwrap_or(0).to_string()
    };
    beside
        .name("QPN", of("lqpn"))
        .name("PROCESS", of("pid"))
        .name("PDNUM", of("pdn"))
}

fn nothing(lab: &Lab) {
    let beside = Beside::new(lab, Place::Root, &[Setting::Shared]);
    // A device that is not there is an unknown word to iproute2, and no failure.
    let beside = beside.name("DEV", "nope").without(&["res show DEV"]);
    assert!(numbered(beside).compare(LINES) >= 70);
}

/// Two soft-RoCE devices; on the first, programs of every kind that wait for someone to talk to.
fn with_soft_roce(lab: &Lab, test: impl Fn(&Lab)) {
    let _devices = SoftRoce::devices(2);
    lab.sh("modprobe rdma_ucm").ok();
    {
        let programs = [
            Running::new(&["ibv_rc_pingpong", "-d", "rxe0", "-g", "0"]),
            Running::new(&[
                "ibv_srq_pingpong",
                "-d",
                "rxe0",
                "-g",
                "0",
                "-p",
                "18600",
                "-q",
                "4",
            ]),
            Running::new(&["ibv_ud_pingpong", "-d", "rxe0", "-g", "0", "-p", "18700"]),
            Running::new(&["rping", "-s", "-a", "192.168.77.1", "-p", "7174"]),
        ];
        let shows =
            |what: &str, word: &str| lab.exec(&format!("rdma {what}")).stdout.contains(word);
        until("the programs wait", || {
            shows("res show srq", "srqn")
                && shows("res show cm_id", "LISTEN")
                && shows("res show qp type RC state INIT", "rc_pingpong")
                && shows("res show qp type UD", "ud_pingpong")
        })
        .unwrap_or_else(|error| {
            let now = lab.sh("rdma res; rdma res show qp; rdma res show cm_id; ps ax | tail -n 12");
            panic!("{error}\n{now}")
        });
        // A connection of which both ends stand still.
        let connected = [
            Running::new(&["rping", "-s", "-a", "192.168.77.1", "-p", "7175", "-P"]),
            Running::new(&[
                "sh",
                "-c",
                "exec rping -c -a 192.168.77.1 -p 7175 -C 1000000",
            ]),
        ];
        let joined = until("two ends are connected", || {
            shows("res show cm_id state CONNECT", "CONNECT")
        });
        joined.unwrap_or_else(|error| panic!("{error}\n{}", lab.exec("rdma res show cm_id")));
        for each in &connected {
            lab.exec(&format!("kill -STOP {}", each.pid())).ok();
        }
        let last = RefCell::new(String::new());
        until("nothing moves", || {
            let now = lab.exec("rdma res show qp").stdout;
            last.replace(now.clone()) == now
        })
        .unwrap_or_else(|error| panic!("{error}"));
        test(lab);
        drop((programs, connected));
    }
}

/// For the administrator, who sees keys, and for everyone else.
fn soft_roce(lab: &Lab) {
    with_soft_roce(lab, |lab| {
        let settings = [Setting::SoftRoce, Setting::Shared];
        let beside = Beside::new(lab, Place::Root, &settings).name("DEV", "rxe0");
        let beside = numbered(beside).all();
        assert!(beside.compare(LINES) >= 150);
        // A device without pools.
        assert!(beside.compare(POOLS) >= 20 || beside.iproute2 < (7, 1));
        let beside = Beside::new(lab, Place::Nobody, &settings).name("DEV", "rxe0");
        assert!(numbered(beside).compare(LINES) >= 70);
        // A driver without raw forms is named for each of its devices, and the exit status says it.
        let raw = lab.exec(&format!("{FACES}/rdma -r res show qp"));
        raw.fails(1).stderr_has("of rxe0").stderr_has("of rxe1");
    });
}

/// A process with objects on a function of the simulated adapter.
fn client(lab: &Lab, index: u32, before: &[&str], qps: &str) -> Running {
    let folder = format!("/sys/bus/pci/devices/{}/infiniband_verbs", lab.vf(index));
    let uverbs = lab.exec(&format!("ls {folder}")).ok().stdout;
    let uverbs = format!("/dev/infiniband/{}", uverbs.trim());
    let words = [before, &["/lab/adapter/uverbs-client", &uverbs, qps]].concat();
    let running = Running::new(&words);
    let dev = lab.sh(&format!("{} rdma res", before.join(" "))).ok();
    until("the client has its queue pairs", || {
        let shown = lab
            .sh(&format!("{} rdma res show qp", before.join(" ")))
            .stdout;
        qps == "0" || shown.matches("state INIT").count() >= qps.parse().unwrap_or(0)
    })
    .unwrap_or_else(|error| panic!("{error}\n{dev}"));
    running
}

fn infiniband(lab: &Lab) {
    hardware(lab, Setting::InfiniBand);
}

fn ethernet(lab: &Lab) {
    hardware(lab, Setting::Ethernet);
}

fn hardware(lab: &Lab, fabric: Setting) {
    let dev = lab.vf_rdma(1);
    let _clients = (client(lab, 0, &[], "0"), client(lab, 1, &[], "5"));
    let beside =
        |place| numbered(Beside::new(lab, place, &[fabric, Setting::Shared]).name("DEV", &dev));
    assert!(beside(Place::Root).compare(LINES) >= 70);
    // Where there is no such state, iproute2 takes it for the first.
    beside(Place::Root)
        .compare("res show qp path-mig-state migrated\n-j res show qp pa MIGRATED,REARM");
    let pools =
        beside(Place::Nobody).all().compare(POOLS) + beside(Place::Root).all().compare(POOLS);
    assert!(
        pools >= 40 || beside(Place::Root).iproute2 < (7, 1),
        "{pools}"
    );
}

/// In exclusive mode, a namespace with one device and a process in it.
fn another_namespace(lab: &Lab) {
    let dev = lab.vf_rdma(1);
    let netns = lab.netns("par");
    lab.iproute2_rdma(&["dev", "set", &dev, "netns", "par"])
        .ok();
    {
        let _client = client(lab, 1, &["ip", "netns", "exec", "par"], "2");
        let beside = Beside::new(lab, Place::Netns("par"), &[Setting::Exclusive]);
        assert!(numbered(beside.name("DEV", &dev)).compare(LINES) >= 70);
    }
    lab.rdmactl(&["--netns", "par", "dev", "set", &dev, "netns", "1"])
        .ok();
    drop(netns);
}

/// What iproute2 cannot do or does wrong.
fn better(lab: &Lab) {
    let dev = lab.vf_rdma(1);
    let other = lab.vf_rdma(0);
    let running = client(lab, 1, &[], "2");
    let pid = running.pid();
    let ours = |line: &str| lab.exec(&format!("{FACES}/rdma {line}"));
    // The same selectors everywhere, and a short key means one key.
    let by_link = ours(&format!("res show qp link {dev}")).ok().stdout;
    ours(&format!("res show qp dev {dev}"))
        .ok()
        .stdout_is(&by_link);
    ours(&format!("res show qp l {dev}"))
        .ok()
        .stdout_is(&by_link);
    ours(&format!("res show pd link {dev}/1"))
        .ok()
        .stdout_has("pdn");
    ours(&format!("res show qp p {pid}"))
        .ok()
        .stdout_has("state INIT");
    ours(&format!("res show qp dev {other} p {pid}"))
        .ok()
        .stdout_is("");
    // Keys are filtered by, and in the form in which they are printed.
    let mr = ours(&format!("res show mr dev {dev}")).ok().stdout;
    let lkey = mr
        .split("lkey ")
        .nth(1)
        .and_then(|rest| rest.split(' ').next());
    let lkey = lkey.unwrap_or_else(|| panic!("{mr}"));
    ours(&format!("res show mr dev {dev} lkey {lkey}"))
        .ok()
        .stdout_is(&mr);
    ours(&format!("res show mr dev {dev} lkey 0xfffffffe"))
        .ok()
        .stdout_is("");
    // What is absent has no value.
    ours("res show qp path-mig-state rearm").ok().stdout_is("");
    // Words that make no filter.
    for line in [
        "res show qp lqpn",
        "res show qp lqpn x",
        "res show qp bogus 1",
        "res show bogus 1",
    ] {
        ours(line).fails(2).stdout_is("");
    }
    // Where the adapter tells numbers of its own, JSON has all their bits.
    let details = ours("-dd res show cq").ok().stdout;
    if details.contains("drv_lab_u64_hex 0xfedcba9876543210") {
        let json = ours("-dd -j res show cq").ok();
        json.stdout_has(&format!(
            "\"drv_lab_u64_hex\":{}",
            0xfedc_ba98_7654_3210_u64
        ));
    }
    // Bytes for a driver's tools, which text runs together.
    let raw = ours("-j -r res show cq").ok().json();
    let bytes = raw[0]["data"].as_array().expect("a list of bytes").iter();
    let bytes: Vec<u64> = bytes.filter_map(serde_json::Value::as_u64).collect();
    let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(hex.len() >= 8, "{raw}");
    lab.rdmactl(&["--format", "table", "-r", "resource", "show", "cq"])
        .ok()
        .stdout_has(&format!("  {} ", hex[..8].join(" ")));
    // Pools are newer than the other kernels.
    let aged = ours(&format!("res set frmr_pools dev {dev} aging 10"));
    if aged.status != 0 {
        aged.fails(1)
            .stderr_has("error: Invalid argument")
            .stderr_has("Linux 7.1 or later is needed");
    }
    ours(&format!("res set frmr_pools dev {dev} aging 0"))
        .fails(2)
        .stdout_is("");
    lab.rdmactl(&[
        "--dry-run",
        "resource",
        "set",
        "frmr_pools",
        "dev",
        &dev,
        "pinned",
        "1:2:3:0",
        "4",
    ])
    .ok()
    .stdout_has("would pin 4 handles of the FRMR pool 1:2:3:0");
    // Owners, in our own words only.
    ours("-d res show ctx")
        .ok()
        .stdout_has(&format!("pid {pid} comm uverbs-client \n"));
    lab.rdmactl(&["-d", "-j", "resource", "show", "ctx"])
        .ok()
        .stdout_has("uverbs-client");
}
