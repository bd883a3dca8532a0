//! The same `statistic` lines through iproute2's `rdma` and through ours, in the same state.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread::panicking;

use crate::case::{Case, case};
use crate::handle::{FACES, Lab};
use crate::output::Output;
use crate::soft_roce::SoftRoce;

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("no_counters", no_counters).no_adapter().limit(120),
        case("soft_roce", soft_roce).no_adapter().limit(120),
        case("infiniband", hardware).limit(240),
        case("ethernet", hardware).ethernet().limit(240),
        case("unprivileged", unprivileged).limit(120),
        case("another_namespace", another_namespace)
            .exclusive()
            .limit(120),
        case("automatic", automatic).limit(120),
        case("own_dialect", own_dialect),
    ]
}

/// Lines that change nothing. A and B are queue pairs of DEV, or numbers that none has.
const SHOWS: [&str; 82] = [
    "statistic",
    "st",
    "stat",
    "stat show",
    "stat s",
    "stat list",
    "stat l",
    "-d stat",
    "-r stat",
    "-j stat",
    "-jp stat",
    "-o stat",
    "-o -j stat",
    "stat show link",
    "stat s l",
    "stat show link DEV",
    "stat show link DEV/",
    "stat show link DEV/1",
    "stat s l DEV/1",
    "stat show link DEV/-",
    "stat show link DEV/0",
    "stat show link DEV/9",
    "stat show link nope",
    "stat show link nope/1",
    "-j stat show link DEV/1",
    "-jp stat show link DEV/1",
    "-o stat show link DEV/1",
    "-j stat show link nope/1",
    "-jp stat show link nope",
    "stat qp",
    "stat q",
    "-j stat qp",
    "-jp stat qp",
    "-o stat qp",
    "-d stat qp",
    "-dd stat qp",
    "-r stat qp",
    "stat qp show",
    "stat qp s",
    "stat qp list",
    "stat qp show link",
    "stat qp show link DEV",
    "stat qp show link DEV/",
    "stat qp show link DEV/1",
    "stat qp s l DEV/1",
    "stat qp show link DEV/9",
    "-j stat qp show link nope",
    "stat qp show link DEV/1 cntn 1",
    "stat qp show link DEV/1 cntn 1-5",
    "stat qp show link DEV/1 cntn 2,1",
    "stat qp show link DEV/1 cntn 77",
    "stat qp show link DEV/1 lqpn A",
    "stat qp show link DEV/1 lqpn 99",
    "stat qp show link DEV qp-type rc",
    "stat qp show link DEV qp-type ud,rc",
    "stat qp show link DEV qp-type ud",
    "stat qp show link DEV pid 1",
    "-j stat qp show link DEV/1 cntn 1 lqpn A",
    "stat qp mode",
    "stat qp m",
    "-j stat qp mode",
    "-jp stat qp mode",
    "stat qp mode link DEV",
    "stat qp mode link DEV/1",
    "stat qp mode l DEV/-",
    "stat qp mode link nope/1",
    "stat qp set link DEV/1",
    "-j stat qp set link DEV",
    "stat qp se l",
    "stat mr",
    "stat m",
    "-j stat mr",
    "-jp stat mr",
    "-dd stat mr",
    "stat mr mrn 0",
    "stat mr mrn 0-9",
    "stat mr mrn 77",
    "-j stat mr mrn 77",
    "stat show mr",
    "-j stat show mr mrn 0",
    "stat mode",
    "stat mo",
];

/// More of them, about optional counters.
const OPTIONAL_SHOWS: [&str; 20] = [
    "-j stat mode",
    "-jp stat mode",
    "-o stat mode",
    "stat mode show",
    "stat mode s",
    "stat mode link DEV",
    "stat mode link DEV/1",
    "stat mode l DEV/1",
    "stat mode link nope/1",
    "-j stat mode link DEV/9",
    "stat mode supported",
    "stat mode su",
    "-j stat mode supported",
    "-jp stat mode supported",
    "-o stat mode supported",
    "stat mode supported link",
    "stat mode supported link DEV",
    "stat mode supported link DEV/1",
    "-j stat mode su l DEV/1",
    "stat mode supported link nope",
];

const OFF: &str = "stat qp set link DEV/1 auto off";
const NONE: &str = "stat unset link DEV/1 optional-counters";
const FREE: &str = "stat qp unbind link DEV/1 cntn 1";

/// Lines that change something or try to, each with what undoes it.
const CHANGES: [(&str, &str); 46] = [
    ("stat qp bind link DEV/1 lqpn A", FREE),
    ("-j stat qp bind link DEV/1 lqpn A", FREE),
    ("-jp stat qp bind link DEV/1 lqpn B", FREE),
    ("stat qp b l DEV/1 l A", FREE),
    ("stat qp bind link DEV/1 lqpn 99", ""),
    ("-j stat qp bind link DEV/1 lqpn 99", ""),
    ("stat qp bind link DEV/1 lqpn A cntn 77", ""),
    ("stat qp bind link nope/1 lqpn A", ""),
    ("-j stat qp bind link nope/1 lqpn A", ""),
    ("stat qp bind link DEV/9 lqpn A", ""),
    ("stat qp unbind link DEV/1 cntn 77", ""),
    ("-j stat qp unbind link DEV/1 cntn 77", ""),
    ("stat qp u l DEV/1 c 77", ""),
    ("stat qp unbind link DEV/1 cntn 77 lqpn A", ""),
    ("stat qp unbind link DEV/1 cntn 77 lqpn 99", ""),
    ("-j stat qp unbind link nope/1 cntn 1", ""),
    ("stat qp set link DEV/1 auto off", ""),
    ("-j stat qp set link DEV/1 auto off", ""),
    ("stat qp set link DEV/1 auto o", ""),
    ("stat qp se l DEV/1 a of", ""),
    ("stat qp set link nope auto off", ""),
    ("-j stat qp set link nope/1 auto off", ""),
    ("stat qp set link DEV/1 auto type on", OFF),
    ("-j stat qp set link DEV/1 auto type on", OFF),
    ("stat qp set link DEV auto pid on", OFF),
    ("stat qp set link DEV/1 auto pid,type on", OFF),
    ("stat qp set link DEV/1 a type o", OFF),
    (
        "stat qp set link DEV/1 auto type on optional-counters on",
        OFF,
    ),
    (
        "-j stat qp set link DEV/1 auto type on optional-counters off",
        OFF,
    ),
    ("stat set link DEV/1 optional-counters cc_rx_ce_pkts", NONE),
    (
        "-j stat set link DEV/1 optional-counters cc_rx_ce_pkts,cc_tx_cnp_pkts",
        NONE,
    ),
    ("stat se l DEV/1 o cc_rx_ce_pkts,", NONE),
    ("stat set link DEV/1 optional-counters nope", ""),
    ("-j stat set link DEV/1 optional-counters nope", ""),
    (
        "stat set link DEV/1 optional-counters cc_rx_ce_pkts,out_of_buffer",
        "",
    ),
    ("stat set link nope/1 optional-counters cc_rx_ce_pkts", ""),
    ("-j stat set link DEV/9 optional-counters x", ""),
    ("stat unset link DEV/1 optional-counters", ""),
    ("-j stat unset link DEV/1 optional-counters", ""),
    ("stat u l DEV/1 o", ""),
    ("stat unset link nope/1 optional-counters", ""),
    ("-jp stat unset link nope/1 optional-counters", ""),
    ("stat unset link DEV/9 optional-counters", ""),
    ("stat qp set link DEV/- auto off", ""),
    ("stat qp set link DEV/ auto off", ""),
    ("stat qp bind link DEV/0 lqpn A", ""),
];

/// What the capital words stand for, and how a command is run.
struct State<'a> {
    lab: &'a Lab,
    dev: &'a str,
    qps: [String; 2],
    before: &'a str,
    iproute2: (u32, u32),
}

impl<'a> State<'a> {
    fn new(lab: &'a Lab, dev: &'a str) -> Self {
        let version = lab.iproute2_rdma(&["-V"]).ok().stdout;
        let mut numbers = version
            .trim()
            .rsplit('-')
            .next()
            .unwrap_or_default()
            .split('.');
        let mut next = || numbers.next().and_then(|number| number.parse().ok());
        let (Some(major), Some(minor)) = (next(), next()) else {
            panic!("no version in {version}");
        };
        Self {
            lab,
            dev,
            qps: ["98".to_owned(), "97".to_owned()],
            before: "",
            iproute2: (major, minor),
        }
    }

    fn run(&self, program: &str, line: &str) -> Output {
        let words = line.split(' ').map(|word| match word {
            "A" => self.qps[0].clone(),
            "B" => self.qps[1].clone(),
            _ => word.replace("DEV", self.dev),
        });
        let words: Vec<String> = words.collect();
        let line = words.join(" ");
        self.lab.exec(&format!("{} {program} {line}", self.before))
    }

    /// Whether the iproute2 beside us has what the line asks for.
    fn can(&self, line: &str) -> bool {
        let has = |word: &str| line.split(' ').any(|each| each == word);
        let lacks_oneline = self.iproute2 < (6, 7) && has("-o");
        let lacks_optional = self.iproute2 < (6, 15) && line.contains("on optional-counters");
        !lacks_oneline && !lacks_optional
    }

    /// Our output as the iproute2 beside us would have it: only what README lists.
    fn aged(&self, line: &str, ours: &str) -> String {
        let mut text = ours.to_owned();
        if self.iproute2 < (6, 7) || line.split(' ').any(|word| matches!(word, "mr" | "m")) {
            text = text
                .replace("}\n,", "},")
                .replace("}\n]", "}]")
                .replace("}\n ]", "} ]");
        }
        if self.iproute2 < (6, 7) && !text.starts_with('[') {
            text = text.replace("\n    ", "").replace("LQPN: ", "\n    LQPN: ");
        }
        if self.iproute2 < (6, 15) {
            text = text.replace(" on optional-counters off", " on");
        }
        text
    }

    /// Runs the lines through both; the number compared.
    fn compare<'l>(&self, lines: impl IntoIterator<Item = (&'l str, &'l str)>) -> usize {
        let (mut compared, mut differences) = (0, Vec::new());
        for (line, undo) in lines.into_iter().filter(|(line, _)| self.can(line)) {
            let theirs = self.run("rdma", line);
            self.undo(&theirs, undo);
            let ours = self.run(&format!("{FACES}/rdma"), line);
            self.undo(&ours, undo);
            compared += 1;
            if theirs.status != ours.status || theirs.stdout != self.aged(line, &ours.stdout) {
                differences.push(format!("`rdma {line}`\niproute2: {theirs}\nours: {ours}"));
            }
            if ours.status != 0 && ours.stderr.trim().is_empty() {
                differences.push(format!("`rdma {line}` fails without a word"));
            }
        }
        let count = differences.len();
        assert!(
            differences.is_empty(),
            "{count} of {compared} lines differ\n{}",
            differences.join("\n\n")
        );
        compared
    }

    fn undo(&self, done: &Output, undo: &str) {
        if done.status == 0 && !undo.is_empty() {
            self.run("rdma", undo).ok();
        }
    }

    fn compare_shows(&self) -> usize {
        let shows = SHOWS.into_iter().chain(OPTIONAL_SHOWS);
        self.compare(shows.map(|line| (line, "")))
    }
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
    assert!(State::new(lab, "nope").compare_shows() >= 70);
}

fn soft_roce(lab: &Lab) {
    let _devices = SoftRoce::devices(2);
    let state = State::new(lab, "rxe0");
    let compared = state.compare_shows() + state.compare(CHANGES);
    assert!(compared >= 100, "{compared}");
}

/// With nothing bound, with a queue pair bound, and with optional counters on.
fn hardware(lab: &Lab) {
    let dev = lab.vf_rdma(1);
    let client = Client::new(lab, 1);
    let state = State {
        qps: client.qps.clone(),
        ..State::new(lab, &dev)
    };
    let mut compared = state.compare(CHANGES);
    state.run("rdma", "stat qp bind link DEV/1 lqpn A").ok();
    state
        .run(
            "rdma",
            "stat set link DEV/1 optional-counters cc_rx_ce_pkts,cc_tx_cnp_pkts",
        )
        .ok();
    compared += state.compare_shows();
    compared += state.compare([
        ("stat qp bind link DEV/1 lqpn A", ""),
        (
            "stat qp bind link DEV/1 lqpn B",
            "stat qp unbind link DEV/1 cntn 2",
        ),
        (
            "stat qp bind link DEV/1 lqpn B cntn 1",
            "stat qp unbind link DEV/1 cntn 1 lqpn B",
        ),
        (
            "stat qp unbind link DEV/1 cntn 1 lqpn A",
            "stat qp bind link DEV/1 lqpn A",
        ),
        (
            "-j stat qp unbind link DEV/1 cntn 1",
            "stat qp bind link DEV/1 lqpn A",
        ),
        ("stat qp unbind link DEV/1 cntn 1 lqpn B", ""),
        ("stat qp set link DEV/1 auto type on", ""),
        ("-j stat qp set link DEV/1 auto off", ""),
    ]);
    state.run("rdma", FREE).ok();
    state.run("rdma", NONE).ok();
    assert!(compared >= 120, "{compared}");
}

fn unprivileged(lab: &Lab) {
    let dev = lab.vf_rdma(1);
    let client = Client::new(lab, 1);
    let root = State::new(lab, &dev);
    let state = State {
        qps: client.qps.clone(),
        before: "setpriv --reuid=65534 --regid=65534 --clear-groups",
        ..State::new(lab, &dev)
    };
    root.run(
        "rdma",
        &format!("stat qp bind link DEV/1 lqpn {}", client.qps[0]),
    )
    .ok();
    let compared = state.compare_shows() + state.compare(CHANGES);
    root.run("rdma", FREE).ok();
    assert!(compared >= 100, "{compared}");
}

fn another_namespace(lab: &Lab) {
    let dev = lab.vf_rdma(1);
    let netns = lab.netns("pst");
    lab.iproute2_rdma(&["dev", "set", &dev, "netns", "pst"])
        .ok();
    let state = State {
        before: "nsenter --net=/run/netns/pst",
        ..State::new(lab, &dev)
    };
    let outside = State::new(lab, &dev).compare_shows();
    let compared = state.compare_shows() + state.compare(CHANGES);
    lab.rdmactl(&["--netns", "pst", "dev", "set", &dev, "netns", "1"])
        .ok();
    drop(netns);
    assert!(outside + compared >= 150, "{outside} {compared}");
}

/// Queue pairs that the kernel binds itself, by each criterion.
fn automatic(lab: &Lab) {
    let dev = lab.vf_rdma(1);
    let mut state = State::new(lab, &dev);
    for criteria in ["type", "pid", "type,pid"] {
        let _off = Off(State::new(lab, &dev));
        state
            .run(
                "rdma",
                &format!("stat qp set link DEV/1 auto {criteria} on"),
            )
            .ok();
        let client = Client::new(lab, 1);
        state.qps = client.qps.clone();
        let own = state.run("rdma", "-j stat qp show link DEV/1").ok().stdout;
        assert!(own.contains("\"lqpn\":["), "{criteria}: {own}");
        // iproute2 hides a counter of which one queue pair is not asked for (README).
        let qp = SHOWS
            .into_iter()
            .filter(|line| line.contains(" qp") && !line.ends_with("lqpn A"));
        assert!(state.compare(qp.map(|line| (line, ""))) >= 30);
        let pid = format!("stat qp show link DEV pid {}", client.child.id());
        state.compare([
            (pid.as_str(), ""),
            ("stat qp bind link DEV/1 lqpn A", ""),
            (FREE, ""),
        ]);
        drop(client);
    }
}

/// The automatic mode of a port, off with the guard.
struct Off<'a>(State<'a>);

impl Drop for Off<'_> {
    fn drop(&mut self) {
        let off = self.0.run("rdma", OFF);
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
