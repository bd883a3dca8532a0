//! `statistic`: rates of counters that grow, go back and come anew; optional ones; a single region.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::case::{Case, case};
use crate::handle::{FACES, Lab};
use crate::output::Started;
use crate::soft_roce::SoftRoce;

use super::parity_statistic::Client;

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("rates_between_frames", frames),
        case("rates_of_one_look", one_look),
        case("rates_of_a_device_that_comes_anew", anew).no_adapter(),
        case("optional_counters_take_effect", optional),
        case("one_memory_region", one_region),
    ]
}

/// The rates of a frame's first row, by counter.
fn rates(row: &Value) -> Vec<(String, f64)> {
    let row = row.as_object().unwrap_or_else(|| panic!("{row}"));
    let rate = |(key, value): (&String, &Value)| {
        let name = key.strip_suffix("_per_second")?;
        Some((name.to_owned(), value.as_f64()?))
    };
    row.iter().filter_map(rate).collect()
}

/// A frame in which every counter has a rate for which `holds`; those before it are stale.
fn rated(frames: &mut Started, holds: impl Fn(f64) -> bool) -> Value {
    loop {
        let frame = frames.json();
        let found = rates(&frame["rows"][0]);
        if found.len() == 12 && found.iter().all(|(_, rate)| holds(*rate)) {
            return frame;
        }
    }
}

fn frames(lab: &Lab) {
    let dev = lab.vf_rdma(0);
    let line = format!("{FACES}/rdmactl -j --watch 0.3 stat show link {dev} --rate");
    let mut frames = lab.start(&line);
    let first = frames.json();
    assert_eq!(rates(&first["rows"][0]), [], "{first}");
    rated(&mut frames, |rate| rate == 0.0);
    // By the time that passed, to which the interval is only near.
    lab.inject("stat_base", "6000");
    let grown = rated(&mut frames, |rate| rate > 0.0);
    for (name, rate) in rates(&grown["rows"][0]) {
        assert!((1000.0..30_000.0).contains(&rate), "{name}: {grown}");
    }
    // A counter beyond 2^53 is whole, and its rate as good as any.
    let big = grown["rows"][0]["rx_icrc_encapsulated"].as_u64();
    assert!(big > Some(1 << 60), "{grown}");
    rated(&mut frames, |rate| rate == 0.0);
    // Back again: nothing is told, and the next time it stands still.
    lab.inject("stat_base", "1000");
    loop {
        let frame = frames.json();
        let found = rates(&frame["rows"][0]);
        if found.is_empty() {
            break;
        }
        assert!(found.iter().all(|(_, rate)| *rate == 0.0), "{frame}");
    }
    rated(&mut frames, |rate| rate == 0.0);
    drop(frames);

    // Renamed it is the same device; a table has the column from the first frame on.
    let mut frames = lab.start(&format!("{FACES}/rdmactl -j --watch 0.3 stat --rate"));
    frames.json();
    lab.iproute2_rdma(&["dev", "set", &dev, "name", "x0"]).ok();
    loop {
        let frame = frames.json();
        let rows = frame["rows"].as_array().cloned().unwrap_or_default();
        if let Some(row) = rows.iter().find(|row| row["ifname"] == "x0") {
            assert_eq!(rates(row).len(), 12, "{frame}");
            break;
        }
    }
    drop(frames);
    lab.iproute2_rdma(&["dev", "set", "x0", "name", &dev]).ok();
    let table = format!("{FACES}/rdmactl --watch 0.2 stat show link {dev} --rate");
    let mut terminal = lab.on_terminal(&table, 100, 30);
    let head = "DEVICE  PORT  NAME                     VALUE                PER SECOND";
    let screen = terminal.until("shows counters", |screen| screen.has("out_of_buffer"));
    assert!(screen.has(head), "{screen:?}");
    terminal.until("shows rates", |screen| {
        screen.has(head) && screen.rows()[3].ends_with(" 0")
    });
    terminal.press("\u{3}");
    terminal.wait();
}

/// Two readings a second apart.
fn one_look(lab: &Lab) {
    let dev = lab.vf_rdma(0);
    let begun = Instant::now();
    let line = format!("{FACES}/rdma stat show link {dev}/1 --rate");
    let ended = AtomicBool::new(false);
    let out = thread::scope(|scope| {
        scope.spawn(|| {
            // Some 1,000 a second, however long the program takes to begin.
            for base in (1000..).step_by(50) {
                if ended.load(Ordering::Relaxed) {
                    break;
                }
                lab.inject("stat_base", &base.to_string());
                thread::sleep(Duration::from_millis(50));
            }
        });
        let out = lab.exec(&line);
        ended.store(true, Ordering::Relaxed);
        out
    });
    lab.inject("stat_base", "1000");
    assert!(begun.elapsed() >= Duration::from_secs(1));
    let out = out.ok().stdout;
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(
        (lines.len(), lines[0]),
        (13, format!("link {dev}/1 ").as_str()),
        "{out}"
    );
    for line in &lines[1..] {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, _, "per_second", rate] = words[..] else {
            panic!("{line}");
        };
        let rate: f64 = rate.parse().unwrap();
        assert!(rate > 100.0 && rate <= 1100.0, "{line}");
    }

    // Counters of queue pairs and of memory regions have rates, too.
    let client = Client::new(lab, 0);
    let qp = &client.qps[0];
    lab.iproute2_rdma(&[
        "stat",
        "qp",
        "bind",
        "link",
        &format!("{dev}/1"),
        "lqpn",
        qp,
    ])
    .ok();
    for (kind, counter) in [("qp", "out_of_buffer"), ("mr", "page_faults")] {
        let line = format!("{FACES}/rdmactl -j --watch 0.1 stat {kind} --rate");
        let mut frames = lab.start(&line);
        let key = format!("{counter}_per_second");
        let first = frames.json();
        assert!(first["rows"][0].get(&key).is_none(), "{first}");
        let second = frames.json();
        assert_eq!(second["rows"][0][&key], 0, "{second}");
    }
    let link = format!("{dev}/1");
    lab.iproute2_rdma(&["stat", "qp", "unbind", "link", &link, "cntn", "1"])
        .ok();
}

/// The name is the same, the index is not, and the counters begin anew.
fn anew(lab: &Lab) {
    let device = SoftRoce::devices(1);
    let mut frames = lab.start(&format!("{FACES}/rdmactl -j --watch 0.2 stat --rate"));
    let first = frames.json();
    assert_eq!(
        (
            first["rows"][0]["ifname"].as_str(),
            rates(&first["rows"][0])
        ),
        (Some("rxe0"), vec![])
    );
    let second = frames.json();
    assert!(!rates(&second["rows"][0]).is_empty(), "{second}");
    lab.sh("rdma link delete rxe0").ok();
    while frames.json()["rows"][0].is_object() {}
    device.add(0);
    let back = loop {
        let frame = frames.json();
        if frame["rows"][0].is_object() {
            break frame;
        }
    };
    assert_eq!(rates(&back["rows"][0]), [], "{back}");
    let then = frames.json();
    assert!(!rates(&then["rows"][0]).is_empty(), "{then}");
    drop(frames);
    // Between two frames, so that no frame is without it.
    let mut frames = lab.start(&format!("{FACES}/rdmactl -j --watch 0.8 stat --rate"));
    frames.json();
    lab.sh("rdma link delete rxe0").ok();
    device.add(0);
    let other = frames.json();
    assert_eq!(other["rows"][0]["ifname"], "rxe0", "{other}");
    assert_eq!(rates(&other["rows"][0]), [], "{other}");
    drop((frames, device));
}

fn optional(lab: &Lab) {
    let dev = lab.vf_rdma(0);
    let link = format!("{dev}/1");
    let shown = || {
        let ours = lab
            .rdmactl(&["-j", "stat", "show", "link", &link])
            .ok()
            .json();
        let theirs = lab
            .iproute2_rdma(&["-j", "stat", "show", "link", &link])
            .ok()
            .json();
        assert_eq!(ours, theirs);
        let keys = ours[0].as_object().unwrap().keys();
        keys.filter(|key| key.starts_with("cc_"))
            .cloned()
            .collect::<Vec<_>>()
    };
    let stat = |words: &[&str]| {
        let words: Vec<&str> = ["stat"].into_iter().chain(words.iter().copied()).collect();
        lab.rdmactl(&words).ok().silent();
    };
    assert_eq!(shown(), [""; 0]);
    stat(&["set", "link", &link, "optional-counters", "cc_rx_ce_pkts"]);
    assert_eq!(shown(), ["cc_rx_ce_pkts"]);
    // While it is watched, a counter that comes has no rate at first.
    let mut frames = lab.start(&format!(
        "{FACES}/rdmactl -j --watch 0.4 stat show link {link} --rate"
    ));
    frames.json();
    stat(&[
        "set",
        "link",
        &link,
        "optional-counters",
        "cc_rx_ce_pkts,cc_tx_cnp_pkts",
    ]);
    let frame = frames.json();
    let row = &frame["rows"][0];
    assert!(
        row["cc_tx_cnp_pkts"].is_u64() && row["cc_rx_ce_pkts_per_second"].is_number(),
        "{row}"
    );
    assert!(row.get("cc_tx_cnp_pkts_per_second").is_none(), "{row}");
    assert_eq!(frames.json()["rows"][0]["cc_tx_cnp_pkts_per_second"], 0);
    drop(frames);
    assert_eq!(shown(), ["cc_rx_ce_pkts", "cc_tx_cnp_pkts"]);
    // Exactly those named are on.
    stat(&["set", "link", &dev, "optional-counters", "cc_tx_cnp_pkts"]);
    assert_eq!(shown(), ["cc_tx_cnp_pkts"]);
    stat(&["unset", "link", &link, "optional-counters"]);
    assert_eq!(shown(), [""; 0]);
}

/// The kernel is asked for it by its number, as iproute2 asks, and for details where it does.
fn one_region(lab: &Lab) {
    let dev = lab.vf_rdma(0);
    let client = Client::new(lab, 0);
    let listed = lab.rdmactl(&["-j", "stat", "mr", "dev", &dev]).ok().json();
    let mrn = listed[0]["mrn"]
        .as_u64()
        .unwrap_or_else(|| panic!("{listed}"));
    let version = lab.iproute2_rdma(&["-V"]).ok().stdout;
    let old = version.contains("iproute2-6.1.");
    for options in ["", "-dd "] {
        let words = format!("{options}stat mr mrn {mrn}");
        let sent = |program: &str| {
            let trace = format!(
                "strace -f -xx -s 200 -e trace=sendto,sendmsg -o /tmp/trace {program} {words}"
            );
            let out = lab.exec(&trace).ok().stdout;
            (out, std::fs::read_to_string("/tmp/trace").unwrap())
        };
        let (theirs, their_requests) = sent("rdma");
        let (ours, our_requests) = sent(&format!("{FACES}/rdma"));
        assert!(ours.contains(&format!("dev {dev} mrn {mrn} ")), "{ours}");
        assert_eq!(ours.replace("\n    ", ""), theirs.replace("\n    ", ""));
        // RDMA_NLDEV_ATTR_RES_MRN is 62, RDMA_NLDEV_ATTR_DRIVER_DETAILS 97.
        let number = format!("\\x08\\x00\\x3e\\x00\\x{mrn:02x}\\x00\\x00\\x00");
        let details = "\\x05\\x00\\x61\\x00\\x01";
        for (requests, knows_details) in [(&their_requests, !old), (&our_requests, true)] {
            assert!(requests.contains(&number), "{requests}");
            let wanted = knows_details && !options.is_empty();
            assert_eq!(requests.contains(details), wanted, "{requests}");
        }
        std::fs::remove_file("/tmp/trace").unwrap();
    }
    drop(client);
    lab.rdmactl(&["stat", "mr", "mrn", "4000000"]).ok().silent();
}
