//! `--watch`: frames on a terminal and off one, how they change, and how it ends.

use std::os::unix::process::ExitStatusExt;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::case::{Case, case};
use crate::handle::{FACES, Lab};
use crate::terminal::Screen;

const SIGINT: i32 = 2;
const SIGTERM: i32 = 15;

pub(super) fn cases() -> Vec<Case> {
    let drawn = |name, run| {
        case(name, run).only(
            &["6.12"],
            "what a frame shows is what the command shows, on every kernel",
        )
    };
    vec![
        drawn("a_terminal_is_redrawn", redrawn),
        drawn("a_device_goes_and_comes_back", comes_back),
        drawn("off_a_terminal", off_a_terminal),
        case("changes_are_not_watched", refused).only(&["6.12"], "no kernel is asked"),
    ]
}

/// Below the heading and its blank line.
fn body(screen: &Screen) -> Vec<String> {
    let rows = screen.rows().split_off(2);
    rows.into_iter().filter(|row| !row.is_empty()).collect()
}

/// Whether a frame with so many rows below its heading has been drawn to its end.
fn rests_below(screen: &Screen, rows: usize) -> bool {
    body(screen).len() == rows && screen.cursor() == (2 + rows, 0)
}

fn heading(screen: &Screen, command: &str) -> bool {
    let first = &screen.rows()[0];
    first.starts_with(&format!("Every 0.2 s: {command} ")) && first.ends_with('Z')
}

fn redrawn(lab: &Lab) {
    let dev = lab.vf_rdma(0);
    let traced = format!(
        "strace -f -e trace=socket,write -s 9999 -o /tmp/trace {FACES}/rdmactl --watch 0.2 dev"
    );
    let mut terminal = lab.on_terminal(&traced, 150, 24);
    let modes = terminal.modes();
    // A head, the PF, two VFs.
    let screen = terminal.until("shows devices", |screen| rests_below(screen, 4));
    assert!(heading(&screen, "rdmactl dev"), "{screen:?}");
    assert!(screen.rows()[0].chars().count() == 150, "{screen:?}");
    let all = body(&screen);
    assert!(
        all[0].starts_with("INDEX  NAME ") && screen.has(&format!(" {dev} ")),
        "{screen:?}"
    );

    // Longer and shorter names leave nothing behind.
    lab.iproute2_rdma(&["dev", "set", &dev, "name", "a_name_that_is_long"])
        .ok();
    terminal.until("shows the new name", |screen| {
        screen.has(" a_name_that_is_long ") && !screen.has(&format!(" {dev} "))
    });
    lab.iproute2_rdma(&["dev", "set", "a_name_that_is_long", "name", &dev])
        .ok();
    terminal.until("shows the old name", |screen| body(screen) == all);

    // As wide and high as it is now.
    terminal.resize(150, 5);
    let screen = terminal.until("cuts", |screen| {
        screen.rows()[3] == "… 3 more lines" && screen.rows()[4].is_empty()
    });
    assert!(heading(&screen, "rdmactl dev"), "{screen:?}");
    terminal.resize(60, 24);
    terminal.until("fits", |screen| {
        let widest = screen.rows().iter().map(|row| row.chars().count()).max();
        heading(screen, "rdmactl dev") && widest <= Some(60) && body(screen).len() > 4
    });

    // What it leaves: the last frame, the cursor below it, and a terminal as it was.
    terminal.press("\u{3}");
    assert_eq!(terminal.wait().signal(), Some(SIGINT));
    let screen = terminal.until("shows the key", |screen| {
        body(screen).last().is_some_and(|row| row == "^C")
    });
    assert!(heading(&screen, "rdmactl dev"), "{screen:?}");
    assert_eq!(screen.cursor().0, 2 + body(&screen).len() - 1, "{screen:?}");
    assert_eq!(screen.strange, [""; 0], "{screen:?}");
    assert_eq!(terminal.modes(), modes);

    // One socket, and a frame is one write.
    let trace = std::fs::read_to_string("/tmp/trace").unwrap();
    std::fs::remove_file("/tmp/trace").unwrap();
    assert_eq!(trace.matches("AF_NETLINK").count(), 1, "{trace}");
    let writes: Vec<&str> = trace
        .lines()
        .filter(|line| line.contains("write(1,"))
        .collect();
    assert!(writes.len() >= 5, "{trace}");
    for write in writes {
        assert_eq!(write.matches("\\33[H").count(), 1, "{write}");
    }
}

/// In iproute2's dialect, with what was on the screen before.
fn comes_back(lab: &Lab) {
    let dev = lab.vf_rdma(0);
    let rename = |from: &str, to: &str| {
        lab.iproute2_rdma(&["dev", "set", from, "name", to]).ok();
    };
    let script = format!("printf 'before\\nthat\\n'; exec {FACES}/rdma --watch 0.2 dev show {dev}");
    let script = script.replace(' ', "\t");
    let mut terminal = lab.on_terminal(&format!("bash -c {script}"), 60, 24);
    // A line of iproute2's is longer than this one.
    let screen = terminal.until("shows the device", |screen| rests_below(screen, 2));
    assert!(
        heading(&screen, &format!("rdma dev show {dev}")),
        "{screen:?}"
    );
    let long = body(&screen).concat();
    for word in [": node_type ca", "node_guid", "sys_image_guid"] {
        assert!(long.contains(word), "{screen:?}");
    }
    assert_eq!(screen.above, ["before", "that"], "{screen:?}");

    rename(&dev, "x0");
    let screen = terminal.until("tells of it", |screen| {
        screen.has(&format!("Wrong device name - {dev}"))
    });
    assert!(
        heading(&screen, &format!("rdma dev show {dev}")),
        "{screen:?}"
    );
    rename("x0", &dev);
    terminal.until("shows it again", |screen| body(screen).concat() == long);

    lab.exec(&format!("kill -TERM {}", terminal.pid())).ok();
    assert_eq!(terminal.wait().signal(), Some(SIGTERM));
    let screen = terminal.until("rests", |screen| rests_below(screen, body(screen).len()));
    assert_eq!(screen.strange, [""; 0], "{screen:?}");

    // A terminal that can do nothing gets what a file gets.
    let dumb = format!("env TERM=dumb {FACES}/rdmactl --watch 0.2 system");
    let mut terminal = lab.on_terminal(&dumb, 80, 24);
    let screen = terminal.until("shows frames", |screen| {
        screen.has("NETNS") && {
            let times = screen.rows().into_iter().filter(|row| row.ends_with('Z'));
            times.count() > 2
        }
    });
    assert_eq!(screen.strange, [""; 0], "{screen:?}");
    terminal.press("\u{3}");
    assert_eq!(terminal.wait().signal(), Some(SIGINT));
}

fn seconds(frame: &Value) -> f64 {
    let time = frame["time"].as_str().unwrap_or_else(|| panic!("{frame}"));
    let clock = time.split_once('T').expect("a date and a time").1;
    let parts = clock.trim_end_matches('Z').split(':');
    parts.fold(0.0, |sum, part| sum * 60.0 + part.parse::<f64>().unwrap())
}

fn off_a_terminal(lab: &Lab) {
    let dev = lab.vf_rdma(0);
    // JSON: an object a line, neither early nor late however long a frame takes.
    let mut frames = lab.start(&format!("{FACES}/rdmactl -j --watch 0.3 link show {dev}"));
    let read: Vec<Value> = (0..5).map(|_| frames.json()).collect();
    drop(frames);
    for frame in &read {
        assert_eq!(frame["rows"][0]["ifname"], dev.as_str(), "{frame}");
    }
    let (first, last) = (seconds(&read[0]), seconds(&read[4]));
    let passed = (last - first).rem_euclid(86_400.0);
    assert!((1.0..1.8).contains(&passed), "{passed}");

    // Text: the time above each frame, and no escape sequence. A reader that leaves ends it, and
    // not only when the next frame is due.
    let begun = Instant::now();
    let out = lab
        .sh(&format!(
            "{FACES}/rdma --watch 60 dev show {dev} | head -n 2; echo ${{PIPESTATUS[0]}}"
        ))
        .ok()
        .stdout;
    let lines: Vec<&str> = out.lines().collect();
    assert!(begun.elapsed() < Duration::from_secs(30), "{out}");
    assert!(
        lines[0].starts_with("20") && lines[0].ends_with('Z'),
        "{out}"
    );
    assert!(lines[1].contains(&format!(": {dev}: node_type")), "{out}");
    assert_eq!(lines[2..], ["0"], "{out}");
    let ended = lab.sh(&format!(
        "set -o pipefail; {FACES}/rdmactl -j --watch 0.2 system show | head -n 1 | jq -r '.rows[0].netns'"
    ));
    ended.ok().stdout_is("shared\n");

    // A frame that fails is told of in its line; one that fails at first ends the command.
    let mut frames = lab.start(&format!("{FACES}/rdmactl -j --watch 0.2 res show {dev}"));
    assert_eq!(frames.json()["rows"][0]["ifname"], dev.as_str());
    lab.iproute2_rdma(&["dev", "set", &dev, "name", "x0"]).ok();
    let failed = loop {
        let frame = frames.json();
        if frame.get("errors").is_some() {
            break frame;
        }
    };
    lab.iproute2_rdma(&["dev", "set", "x0", "name", &dev]).ok();
    let error = format!("Wrong device name - {dev}");
    assert_eq!(failed["errors"][0]["error"], error, "{failed}");
    assert_eq!(failed["rows"], Value::Array(Vec::new()), "{failed}");
    while frames.json().get("errors").is_some() {}
    drop(frames);
    lab.rdmactl(&["--watch", "0.2", "dev", "show", "nope"])
        .fails(1)
        .stdout_is("")
        .stderr_has("Wrong device name - nope");

    // In another namespace, and asleep between frames: a handful of clock ticks in a second.
    let blue = lab.netns("blue");
    let mut frames = lab.start(&format!("{FACES}/rdmactl --netns blue -j --watch 0.5 dev"));
    let first = frames.json();
    assert!(
        first["rows"]
            .as_array()
            .is_some_and(|rows| !rows.is_empty()),
        "{first}"
    );
    let before = ticks(frames.pid());
    sleep(Duration::from_secs(1));
    let used = ticks(frames.pid()) - before;
    assert!(used < 40, "{used} of 100 clock ticks");
    drop(frames);
    drop(blue);
}

/// Clock ticks of a process, in user and system mode: a hundredth of a second each.
fn ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let behind = stat.rsplit(')').next().unwrap_or_default();
    let fields: Vec<&str> = behind.split_whitespace().collect();
    fields[11..13]
        .iter()
        .map(|field| field.parse::<u64>().unwrap())
        .sum()
}

fn refused(lab: &Lab) {
    for line in [
        "--watch 1 dev set x name y",
        "monitor --watch 1",
        "--watch 1 -b /dev/null",
        "--watch 0.01 dev",
        "stat mode --rate",
    ] {
        let out = lab.exec(&format!("{FACES}/rdmactl {line}"));
        out.fails(2).stdout_is("").stderr_has("error: ");
    }
}
