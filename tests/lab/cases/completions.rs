//! Completion in the guest's bash: names are those of the machine at that moment, and in that namespace.

use crate::case::{Case, case};
use crate::handle::{FACES, Lab};
use crate::output::Output;
use crate::pci;

pub(super) fn cases() -> Vec<Case> {
    vec![case("live_names", live_names).exclusive().only(
        &["6.12"],
        "bash asks, and the names are those that dev shows on every kernel",
    )]
}

// `source <(...)`, as help has it, takes /dev/fd, which these guests lack.
/// A line per word that `line` can go on with, as bash is told it, the names in `path` coming first.
fn script(path: &str, line: &str) -> String {
    format!(
        "eval \"$({FACES}/rdmactl completions bash)\" && PATH={path}:$PATH; COMP_WORDS=({line}); \
         COMP_LINE='{line}'; COMP_POINT=${{#COMP_LINE}}; _rdmactl; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    )
}

fn words(said: Output) -> Vec<String> {
    let lines = said.ok().stdout;
    let words = lines.lines().filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

fn live_names(lab: &Lab) {
    let offered = |line: &str| words(lab.sh(&script(FACES, line)));
    let (first, second) = (lab.vf_rdma(0), lab.vf_rdma(1));
    let pf = pci::netdev(&lab.pf()).expect("the PF has an interface");
    assert!(offered("rdmactl dev show ").contains(&second));
    assert_eq!(offered("rdmactl --netns "), [""; 0]);

    let blue = lab.netns("blue");
    lab.rdmactl(&["dev", "set", &second, "netns", "blue"]).ok();
    for name in ["rdmactl", "rdma"] {
        let here = offered(&format!("{name} dev show "));
        assert!(here.contains(&first), "{here:?}");
        assert!(!here.contains(&second), "{here:?}");
    }
    let there = lab.in_netns(
        "blue",
        &["bash", "-c", &script(FACES, "rdma link show mlx")],
    );
    assert_eq!(words(there), [second.clone(), format!("{second}/1")]);
    assert_eq!(
        offered(&format!("rdmactl dev set {first} netns ")),
        ["blue"]
    );
    let vfs = [format!("{pf}/0"), format!("{pf}/1")];
    assert_eq!(offered(&format!("rdmactl vf set {pf}/")), vfs);
    assert_eq!(offered(&format!("rdmactl vf create {pf}")), [pf.as_str()]);
    // iproute2's own rdma, where it is the one that is called.
    let theirs = words(lab.sh(&script("/usr/sbin", "rdma dev show ")));
    assert_eq!(theirs, [""; 0]);

    lab.rdmactl(&["--netns", "blue", "dev", "set", &second, "netns", "1"])
        .ok();
    assert!(offered("rdmactl dev show ").contains(&second));
    drop(blue);
    assert_eq!(offered("rdmactl --netns "), [""; 0]);

    // With the keys of a person.
    let mut terminal = lab.on_terminal("bash --norc -i", 100, 20);
    terminal.press(&format!(
        "PATH={FACES}:$PATH; eval \"$(rdmactl completions bash)\"; echo re''ady\n"
    ));
    terminal.until("is ready", |screen| screen.has("ready"));
    terminal.press(&format!("rdma -d dev se\t{first} na\tother"));
    let would = format!("rdma -d dev set {first} name other");
    terminal.until("completes both words", |screen| screen.has(&would));
    terminal.press("\u{15}exit\n");
    terminal.wait();
}
