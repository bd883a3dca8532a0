//! The same `statistic` lines through iproute2's `rdma` and through ours, in the same state.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread::panicking;

use crate::beside::{Beside, Place, Setting};
use crate::case::{Case, case};
use crate::handle::Lab;
use crate::soft_roce::SoftRoce;

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("no_counters", no_counters).no_adapter().limit(120),
        case("soft_roce", soft_roce).no_adapter().limit(120),
        case("infiniband", infiniband).limit(240),
        case("ethernet", ethernet).ethernet().limit(240),
        case("unprivileged", unprivileged).limit(120),
        case("another_namespace", another_namespace)
            .exclusive()
            .limit(120),
        case("automatic", automatic).limit(120),
        case("own_dialect", own_dialect),
    ]
}

const SHOWS: &str = include_str!("../lines/statistic.txt");
const CHANGES: &str = include_str!("../lines/statistic_changes.txt");
const BOUND: &str = include_str!("../lines/bound.txt");

/// DEV, and of its queue pairs two, or numbers that none has.
fn beside<'a>(lab: &Lab, place: Place<'a>, settings: &[Setting], dev: &str) -> Beside<'a> {
    Beside::new(lab, place, settings)
        .name("DEV", dev)
        .name("QPN", "98")
        .name("OTHER", "97")
}

/// A process with queue pairs and a memory region on a VF of the simulated adapter.
pub(super) struct Client {
    child: Child,
    pub(super) qps: [String; 2],
}

impl Client {
    pub(super) fn new(lab: &Lab, vf: u32) -> Self {
        let folder = format!("/sys/bus/pci/devices/{}/infiniband_verbs", lab.vf(vf));
        let uverbs = lab.exec(&format!("ls {folder}")).ok().stdout;
        let mut child = Command::new("/lab/adapter/uverbs-client")
            .args([&format!("/dev/infiniband/{}", uverbs.trim()), "2"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the client starts");
        let out = child.stdout.take().expect("it has an output");
        let mut line = String::new();
        BufReader::new(out)
            .read_line(&mut line)
            .expect("it says what it has");
        let qps = line.trim().split_once(" qpn ").and_then(|(_, numbers)| {
            let (first, second) = numbers.split_once(' ')?;
            Some([first.to_owned(), second.to_owned()])
        });
        Self {
            child,
            qps: qps.unwrap_or_else(|| panic!("{line}")),
        }
    }
}

/// It ends with its standard input.
impl Drop for Client {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn no_counters(lab: &Lab) {
    let beside = beside(lab, Place::Root, &[Setting::Shared], "nope");
    assert!(beside.compare(SHOWS) >= 60);
}

fn soft_roce(lab: &Lab) {
    let _devices = SoftRoce::devices(2);
    let settings = [Setting::SoftRoce, Setting::Shared];
    let beside = beside(lab, Place::Root, &settings, "rxe0");
    let compared = beside.compare(SHOWS) + beside.compare(CHANGES);
    assert!(compared >= 80, "{compared}");
}

fn infiniband(lab: &Lab) {
    hardware(lab, Setting::InfiniBand, Beside::all);
}

fn ethernet(lab: &Lab) {
    hardware(lab, Setting::Ethernet, |beside| beside);
}

/// With nothing bound, with a queue pair bound, and with optional counters on.
fn hardware(lab: &Lab, fabric: Setting, of: impl Fn(Beside<'static>) -> Beside<'static>) {
    let dev = lab.vf_rdma(1);
    let client = Client::new(lab, 1);
    let beside = of(beside(lab, Place::Root, &[fabric, Setting::Shared], &dev))
        .name("QPN", &client.qps[0])
        .name("OTHER", &client.qps[1]);
    let mut compared = beside.compare(CHANGES);
    for line in [
        "stat qp bind link DEV/1 lqpn QPN",
        "stat set link DEV/1 optional-counters cc_rx_ce_pkts,cc_tx_cnp_pkts",
    ] {
        beside.theirs(line).ok();
    }
    compared += beside.compare(SHOWS) + beside.compare(BOUND);
    for line in [FREE, "stat unset link DEV/1 optional-counters"] {
        beside.theirs(line).ok();
    }
    assert!(compared >= 90, "{compared}");
}

const FREE: &str = "stat qp unbind link DEV/1 cntn 1";

fn unprivileged(lab: &Lab) {
    let dev = lab.vf_rdma(1);
    let client = Client::new(lab, 1);
    let at = |place| {
        beside(lab, place, &[Setting::Shared], &dev)
            .name("QPN", &client.qps[0])
            .name("OTHER", &client.qps[1])
    };
    let (root, nobody) = (at(Place::Root), at(Place::Nobody));
    root.theirs("stat qp bind link DEV/1 lqpn QPN").ok();
    let compared = nobody.compare(SHOWS) + nobody.compare(CHANGES);
    root.theirs(FREE).ok();
    assert!(compared >= 80, "{compared}");
}

/// Inside, and outside, from where the device has gone.
fn another_namespace(lab: &Lab) {
    let dev = lab.vf_rdma(1);
    let netns = lab.netns("pst");
    lab.iproute2_rdma(&["dev", "set", &dev, "netns", "pst"])
        .ok();
    let at = |place| beside(lab, place, &[Setting::Exclusive], &dev);
    let (outside, inside) = (at(Place::Root), at(Place::Netns("pst")));
    let compared = outside.compare(SHOWS) + inside.compare(SHOWS) + inside.compare(CHANGES);
    lab.rdmactl(&["--netns", "pst", "dev", "set", &dev, "netns", "1"])
        .ok();
    drop(netns);
    assert!(compared >= 140, "{compared}");
}

/// Queue pairs that the kernel binds itself, by each criterion.
fn automatic(lab: &Lab) {
    let dev = lab.vf_rdma(1);
    let root = beside(
        lab,
        Place::Root,
        &[Setting::InfiniBand, Setting::Shared],
        &dev,
    );
    for criteria in ["type", "pid", "type,pid"] {
        let _off = Off(&root);
        root.theirs(&format!("stat qp set link DEV/1 auto {criteria} on"))
            .ok();
        let client = Client::new(lab, 1);
        let own = root.theirs("-j stat qp show link DEV/1").ok().stdout;
        assert!(own.contains("\"lqpn\":["), "{criteria}: {own}");
        // iproute2 hides a counter of which one queue pair is not asked for (README).
        let beside = beside(
            lab,
            Place::Root,
            &[Setting::InfiniBand, Setting::Shared],
            &dev,
        )
        .name("QPN", &client.qps[0])
        .name("OWNER", client.child.id().to_string())
        .only(&[" qp"])
        .without(&["lqpn QPN"]);
        assert!(beside.compare(SHOWS) >= 25);
        beside
            .only(&[])
            .without(&[])
            .compare("stat qp show link DEV pid OWNER\nstat qp bind link DEV/1 lqpn QPN\nstat qp unbind link DEV/1 cntn 1");
        drop(client);
    }
}

/// The automatic mode of a port, off with the guard.
struct Off<'a>(&'a Beside<'a>);

impl Drop for Off<'_> {
    fn drop(&mut self) {
        let off = self.0.theirs("stat qp set link DEV/1 auto off");
        assert!(panicking() || off.status == 0, "{off}");
    }
}

/// Where ours does more than iproute2's.
fn own_dialect(lab: &Lab) {
    let dev = lab.vf_rdma(1);
    let client = Client::new(lab, 1);
    let qp = &client.qps[0];
    let link = format!("{dev}/1");
    let stat = |words: &[&str]| {
        let words: Vec<&str> = ["stat"].into_iter().chain(words.iter().copied()).collect();
        lab.rdmactl(&words)
    };
    // A device without a port, and the counter that was allocated.
    stat(&["qp", "bind", "link", &dev, "lqpn", qp])
        .ok()
        .stdout_is(&format!("link {link} cntn 1 lqpn {qp} \n"));
    stat(&["qp", "bind", "link", &link, "lqpn", qp])
        .fails(1)
        .stderr_has("error: Cannot allocate memory\n")
        .stderr_has(&format!(
            "queue pair {qp} of {link} is bound to counter 1 already"
        ));
    stat(&["qp", "unbind", "link", &link, "cntn", "7"])
        .fails(1)
        .stderr_has("error: No such file or directory\n")
        .stderr_has(&format!("{link} has no counter 7"));
    stat(&["qp", "unbind", "link", &link, "cntn", "1"])
        .ok()
        .stdout_is("");
    stat(&["set", "link", &link, "optional-counters", "cc_rx_ce_pkt"])
        .fails(1)
        .stderr_has("did you mean cc_rx_ce_pkts")
        .stderr_has("are cc_rx_ce_pkts, cc_rx_cnp_pkts, cc_tx_cnp_pkts");
    let dry = [
        "--dry-run",
        "stat",
        "set",
        "link",
        &link,
        "opt",
        "cc_rx_ce_pkts",
    ];
    lab.rdmactl(&dry).ok().stdout_is(&format!(
        "would switch cc_rx_ce_pkts of {link} on and its other optional counters off\n"
    ));
    stat(&["mode", "link", &link]).ok().stdout_is("");
    let regions = lab.rdmactl(&["-j", "stat", "mr", "dev", &dev]).ok().stdout;
    assert!(
        regions.ends_with("\"page_faults\":3,\"page_invalidations\":1,\"page_prefetch\":0}\n]\n"),
        "{regions}"
    );
}
