//! `resource` through iproute2's `rdma` and through ours, while programs hold objects and wait.

use std::cell::RefCell;

use super::parity::State;
use crate::adapter::until;
use crate::case::{Case, case};
use crate::handle::{FACES, Lab};
use crate::running::Running;
use crate::soft_roce::SoftRoce;

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("nothing", nothing).no_adapter(),
        case("soft_roce", soft_roce).no_adapter().limit(400),
        case("soft_roce_unprivileged", soft_roce_unprivileged)
            .no_adapter()
            .limit(400),
        case("infiniband", hardware).limit(400),
        case("ethernet", hardware).ethernet().limit(400),
        case("another_namespace", another_namespace)
            .exclusive()
            .limit(400),
        case("better", better).limit(120),
    ]
}

/// DEV is a device with objects, QPN a queue pair on it, PROCESS what made that, PDNUM its protection domain.
const LINES: [&str; 126] = [
    "resource",
    "r",
    "res",
    "res show",
    "res s",
    "res list",
    "res l",
    "-j res",
    "-jp res",
    "-d res",
    "-dd res",
    "-dd -j res",
    "-o res",
    "-r res",
    "res show DEV",
    "-dd res show DEV",
    "-j res show DEV",
    "res show qp",
    "res show q",
    "res list qp",
    "res l q",
    "-d res show qp",
    "-dd res show qp",
    "-j res show qp",
    "-jp res show qp",
    "-jp -dd res show pd",
    "-o -d res show qp",
    "res show qp link DEV",
    "res show qp link DEV/",
    "res show qp link DEV/1",
    "res show qp link DEV/-",
    "-j res show qp link DEV/-",
    "-jp res show qp link DEV/-",
    "res show qp link DEV/0",
    "res show qp link DEV/9",
    "-j res show qp link DEV/9",
    "res show qp link DEV/x",
    "res show qp link nope/1",
    "res show qp link nope",
    "-j res show qp link nope",
    "res show qp lqpn QPN",
    "-j res show qp lqpn QPN",
    "res show qp link DEV/1 lqpn QPN",
    "res show qp lqpn QPN link DEV/1",
    "res show qp lqpn QPN pid PROCESS",
    "res show qp lqpn QPN pid 1",
    "res show qp lqpn 1",
    "res show qp lqpn 999999",
    "-j res show qp lqpn 999999",
    "res show qp lqpn QPN,1",
    "res show qp lqpn 0-QPN",
    "res show qp lqpn 1-2,QPN-99999",
    "res show qp pid PROCESS",
    "res show qp pid 0-99999",
    "res show qp type rc",
    "res show qp type RC,GSI",
    "res show qp ty gsi",
    "res show qp type r",
    "res show qp state init",
    "res show qp state RTS,INIT",
    "res show qp sq-psn 0",
    "res show qp rq-psn 0",
    "res show qp rqpn 0-999999",
    "res show qp pdn PDNUM",
    "res show qp pdn 0-100 state INIT type RC",
    "res show cm_id",
    "res show c",
    "-j res show cm_id",
    "-jp res show cm_id",
    "-dd res show cm_id",
    "res show cm_id link DEV",
    "res show cm_id link DEV/1",
    "res show cm_id link DEV/-",
    "res show cm_id state LISTEN",
    "res show cm_id state connect,listen",
    "res show cm_id ps tcp",
    "res show cm_id ps udp",
    "res show cm_id cm-idn 0",
    "res show cm_id cm-idn 0-1",
    "res show cm_id cm-idn 77",
    "res show cm_id src-port 7174",
    "res show cm_id dst-port 0-7174",
    "res show cm_id src-addr 192.168.77.1",
    "res show cm_id dst-addr 0.0.0.0,192.168.77.1",
    "res show cm_id pid PROCESS",
    "res show cm_id dev-type x",
    "res show cq",
    "res show cq dev DEV",
    "-j res show cq",
    "-jp res show cq dev DEV",
    "-dd res show cq",
    "res show cq cqn 0",
    "res show cq cqn 1",
    "res show cq cqn 0-5",
    "res show cq users 1-100",
    "res show cq poll-ctx workqueue",
    "res show cq ctxn 0",
    "res show cq dev DEV pid PROCESS",
    "res show cq dev DEV/1",
    "res show cq dev nope",
    "-j res show cq dev nope",
    "res show mr",
    "res show m",
    "-j res show mr",
    "-jp res show mr dev DEV",
    "-dd res show mr",
    "res show mr mrn 0",
    "res show mr mrn 0-3",
    "res show mr mrlen 4096",
    "res show mr mrlen 1-100000",
    "res show mr pid PROCESS",
    "res show mr dev DEV pdn PDNUM",
    "res show pd",
    "res show p",
    "-j res show pd",
    "-jp res show pd dev DEV",
    "res show pd pdn PDNUM",
    "res show pd dev DEV users 1-9 pid PROCESS",
    "res show ctx",
    "-jp res show ctx",
    "res show ct ctxn 0",
    "res show ctx dev DEV pid PROCESS",
    "res show srq",
    "-j res show s",
    "res show srq srqn 0",
    "res show srq type basic",
];

/// What iproute2 has since 6.7, and srq rows, whose command name it made up before.
const NEWER: [&str; 12] = [
    "-jp res show srq",
    "res show srq dev DEV",
    "res show srq lqpn QPN",
    "res show srq lqpn 0-QPN",
    "-j res show srq lqpn 0-999999",
    "res show srq lqpn 999998-999999",
    "res show srq pid PROCESS pdn PDNUM",
    "-r res show qp link DEV/1",
    "-r -j res show cq",
    "-r res show mr dev DEV",
    "-r res show qp link DEV/1 lqpn QPN",
    "-r -j res show pd",
];

/// What iproute2 has since 7.1.
const POOLS: [&str; 10] = [
    "res show frmr_pools",
    "res show f",
    "-j res show frmr_pools",
    "-jp res show frmr_pools dev DEV",
    "-d res show frmr_pools",
    "res show frmr_pools dev DEV queue 0-9",
    "res show frmr_pools dev nope",
    "res set frmr_pools dev DEV aging 10",
    "-j res se f dev DEV a 10",
    "res set frmr_pools dev DEV pinned 1:2:3:0 4",
];

/// Compares every line, with the numbers of an object that iproute2 shows.
fn compare(state: &State<'_>, least: usize) {
    let listed = state.run("rdma", "-j res show qp type RC,UD").ok();
    let rows = listed.json();
    let of = |key: &str| {
        let found = rows
            .as_array()
            .and_then(|rows| rows.iter().find_map(|row| row[key].as_u64()));
        found.unwrap_or(0).to_string()
    };
    let (qpn, process, pdn) = (of("lqpn"), of("pid"), of("pdn"));
    let absent = rows.as_array().is_none_or(Vec::is_empty) && qpn == "0";
    let old = state.iproute2 < (6, 7);
    let lines: Vec<String> = LINES
        .iter()
        .filter(|line| !(old && (line.contains("srq") || line.ends_with(" s"))))
        // A device that is not there is an unknown word to iproute2, and no failure.
        .filter(|line| !(absent && line.ends_with("show DEV")))
        .chain(NEWER.iter().filter(|_| !old))
        .chain(POOLS.iter().filter(|_| state.iproute2 >= (7, 1)))
        .map(|line| {
            line.replace("QPN", &qpn)
                .replace("PROCESS", &process)
                .replace("PDNUM", &pdn)
        })
        .collect();
    let compared = state.compare(lines.iter().map(|line| (line.as_str(), "")));
    assert!(compared >= least, "{compared}");
}

fn nothing(lab: &Lab) {
    compare(&State::new(lab, "nope"), 90);
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

fn soft_roce(lab: &Lab) {
    with_soft_roce(lab, |lab| {
        compare(&State::new(lab, "rxe0"), 110);
        // A driver without raw forms is named for each of its devices, and the exit status says it.
        let raw = lab.exec(&format!("{FACES}/rdma -r res show qp"));
        raw.fails(1).stderr_has("of rxe0").stderr_has("of rxe1");
    });
}

fn soft_roce_unprivileged(lab: &Lab) {
    with_soft_roce(lab, |lab| {
        let mut state = State::new(lab, "rxe0");
        state.before = "setpriv --reuid=65534 --regid=65534 --clear-groups";
        compare(&state, 110);
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

fn hardware(lab: &Lab) {
    let dev = lab.vf_rdma(1);
    let _clients = (client(lab, 0, &[], "0"), client(lab, 1, &[], "5"));
    compare(&State::new(lab, &dev), 110);
}

/// In exclusive mode, a namespace with one device and a process in it.
fn another_namespace(lab: &Lab) {
    let dev = lab.vf_rdma(1);
    let netns = lab.netns("par");
    lab.iproute2_rdma(&["dev", "set", &dev, "netns", "par"])
        .ok();
    {
        let _client = client(lab, 1, &["ip", "netns", "exec", "par"], "2");
        let mut state = State::new(lab, &dev);
        state.before = "nsenter --net=/run/netns/par";
        compare(&state, 110);
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
    // Pools are newer than the kernel, or the driver has none.
    ours(&format!("res set frmr_pools dev {dev} aging 10"))
        .fails(1)
        .stderr_has("error: ");
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
