//! What `who_has_what` looks at in every form: text, table, diagram, a part, as nobody.

use serde_json::Value;

use super::topology::{find, rows, text};
use crate::handle::{FACES, Lab};
use crate::pci;

pub(super) fn selections(lab: &Lab, all: &[Value], netdev: &str) {
    let pf = lab.pf();
    for word in [&pf, netdev, all[0]["rdma_dev"].as_str().unwrap()] {
        assert_eq!(rows(lab, &[word]), all, "{word}");
    }
    assert_eq!(rows(lab, &[&format!("{netdev}/1")]), all[2..3]);
    for key in ["pci", "rdma_dev"] {
        let word = all[1][key].as_str().unwrap();
        assert_eq!(rows(lab, &[word]), all[1..2], "{key}");
    }
    // Names of interfaces are those of the caller's namespace, if it has them.
    assert_eq!(rows(lab, &[all[4]["netdev"].as_str().unwrap()]), all[4..]);
    assert_eq!(
        rows(lab, &[all[4]["auxiliary"].as_str().unwrap()]),
        all[4..]
    );
    let none = lab.rdmactl(&["-j", "map", "mlx5_77"]).fails(1);
    assert_eq!(none.stdout, "[]\n");
    none.stderr_has("there is no \"mlx5_77\"")
        .stderr_has("near to it: mlx5_");
}

/// Lines, tables and diagrams say the same, and always in the same words.
pub(super) fn forms(lab: &Lab, name: &str, netdev: &str) {
    let own = lab.rdmactl(&["-o", "topology"]).ok();
    let state = text(&format!("/sys/class/net/{netdev}/operstate")).unwrap();
    let state = if state == "up" { "Up" } else { "Down" };
    let pf = pci::rdma(&lab.pf()).unwrap();
    assert!(
        own.stdout
            .starts_with(&format!("{pf} port 1 ==> {netdev} ({state})\n")),
        "{own}"
    );
    assert!(
        own.stdout.contains(&format!("\n{name} port 1 ==> ")),
        "{own}"
    );
    let firmware = text(&format!("/sys/class/infiniband/{pf}/fw_ver")).unwrap();
    let line = format!(
        "{} {pf} fw {firmware} port 1 (ACTIVE) ==> {netdev} ({state})\n",
        lab.pf()
    );
    lab.rdmactl(&["-o", "-d", "map"]).ok().stdout_has(&line);
    for (form, word) in [("dot", "digraph topology {"), ("mermaid", "flowchart LR")] {
        let draw = || lab.rdmactl(&["--format", form, "topology"]).ok();
        let once = draw();
        assert!(
            once.stdout.starts_with(word) && once.stdout.contains(name),
            "{once}"
        );
        assert!(
            once.stdout.contains("VF 1") && once.stdout.contains("no driver"),
            "{once}"
        );
        assert_eq!(once.stdout, draw().stdout);
        lab.rdmactl(&["--format", form, "dev"])
            .fails(2)
            .stderr_has("for topology");
    }
    let table = |columns: u32, words: &str| {
        let script =
            format!("script -qec 'stty cols {columns}; {FACES}/rdmactl {words}' /dev/null");
        lab.sh(&script).ok().stdout.replace('\r', "")
    };
    let narrow = table(80, "topology");
    let head = narrow.lines().next().unwrap();
    assert!(
        head.starts_with("FUNCTION ") && head.ends_with("HOLDER"),
        "{narrow}"
    );
    for words in ["topology", "-d topology"] {
        let shown = table(80, words);
        assert!(
            shown.lines().all(|line| line.chars().count() <= 80),
            "{shown}"
        );
    }
    let all = table(80, "-d topology");
    assert!(all.contains("NODE GUID") && all.contains("uverbs"), "{all}");
    // As `rdma`, text on a terminal too.
    let script = format!("script -qec '{FACES}/rdma topology' /dev/null");
    lab.sh(&script)
        .ok()
        .stdout_has(&format!("pf pci {} ", lab.pf()));
}

/// That there is more is known, and what is in the way is said.
pub(super) fn unprivileged(lab: &Lab, name: &str) {
    let nobody =
        format!("setpriv --reuid=65534 --regid=65534 --clear-groups {FACES}/rdmactl -j topology");
    let out = lab
        .exec(&nobody)
        .fails(1)
        .stderr_has("Cannot enter network namespace \"blue\"");
    let json = out.json();
    let row = find(json.as_array().unwrap(), "rdma_dev", name);
    assert_eq!(
        (&row["missing"], &row["netns"]),
        (&true.into(), &Value::Null),
        "{out}"
    );
    assert!(row["uverbs"].is_string(), "{out}");
}

/// The kernel takes nearly any name.
pub(super) fn hostile(lab: &Lab, name: &str) {
    let odd = "a\"]; b\\";
    let set = |from: &str, to: &str| {
        lab.in_netns("blue", &["rdma", "dev", "set", from, "name", to])
            .ok();
    };
    set(name, odd);
    let all = rows(lab, &[]);
    find(&all, "rdma_dev", odd);
    lab.rdmactl(&["--format", "dot", "topology"])
        .ok()
        .stdout_has("label=\"a\\\"]; b\\\\\\nACTIVE\"");
    lab.rdmactl(&["--format", "mermaid", "topology"])
        .ok()
        .stdout_has("a#34;]#59; b#92;<br>ACTIVE");
    set(odd, name);
}
