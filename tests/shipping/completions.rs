//! Completions in the shells themselves, on a machine made of files.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::root::{BINARY, run_on, scratch};

/// A /sys with a PF that has one VF.
fn sysfs() -> tempfile::TempDir {
    let dir = scratch();
    let file = |path: &str, text: &str| {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    for (address, dev) in [("0000:01:00.0", "mlx5_0"), ("0000:01:10.0", "mlx5_1")] {
        file(&format!("devices/{address}/infiniband/{dev}/x"), "");
        file(&format!("class/infiniband/{dev}/ports/1/state"), "");
        fs::create_dir_all(dir.path().join("bus/pci/devices")).unwrap();
        symlink(
            format!("../../../devices/{address}"),
            dir.path().join(format!("bus/pci/devices/{address}")),
        )
        .unwrap();
    }
    file("devices/0000:01:00.0/sriov_totalvfs", "4");
    file("fs/cgroup/x", "");
    symlink(
        "../0000:01:10.0",
        dir.path().join("devices/0000:01:00.0/virtfn0"),
    )
    .unwrap();
    symlink(
        "../0000:01:00.0",
        dir.path().join("devices/0000:01:10.0/physfn"),
    )
    .unwrap();
    dir
}

/// What each line of these can go on with, as a script for the shell says; words by blanks.
const LINES: [(&str, &str); 9] = [
    ("rdmactl dev s", "set show"),
    ("rdmactl dev show mlx5_", "mlx5_0 mlx5_1"),
    ("rdma dev show mlx5_", "mlx5_0 mlx5_1"),
    ("rdma link sh", "show"),
    ("rdmactl dev set mlx5_0 netns b", "blue"),
    ("rdmactl vf create ml", "mlx5_0"),
    ("rdmactl vf set 0000:01:00.0/", "0000:01:00.0/0"),
    ("rdmactl --format=j", "--format=json"),
    ("rdmactl -b /etc/hostn", "/etc/hostname"),
];

/// Runs a script in the root, with the program on PATH and a namespace called blue.
fn answers(sysfs: &Path, shell: &str, script: &str) -> String {
    let setup = format!(
        "mkdir -p /run/netns /run/bin; : >/run/netns/blue; : >/etc/hostname; ln -s {BINARY} /run/bin/rdmactl; ln -s {BINARY} /run/bin/rdma; \
         export PATH=/run/bin:$PATH TERM=dumb; exec {shell}"
    );
    let script = format!("{script}\n");
    let file = sysfs.join("script");
    fs::write(&file, script).unwrap();
    let said = run_on(sysfs, &["sh", "-c", &format!("{setup} /sys/script")]).ok();
    assert_eq!(said.stderr, "", "{}", said.stdout);
    said.stdout
}

fn check(answers: &str, lines: &[(&str, &str)]) {
    let got: Vec<&str> = answers.lines().collect();
    let wanted: Vec<&str> = lines.iter().map(|(_, words)| *words).collect();
    assert_eq!(got, wanted);
}

#[test]
fn bash() {
    let sysfs = sysfs();
    // As readline calls it: the words cut at its own characters, and what stands behind the last
    // of these to be replaced.
    let mut script = "source completions/rdmactl.bash\n\
        ask() { COMP_LINE=$1 COMP_POINT=${#1}; read -ra COMP_WORDS <<<\"${1//[:=]/ & }\"; COMP_CWORD=$((${#COMP_WORDS[@]} - 1));\n\
        local last=${1##* } before; before=${last%\"${last##*[:=]}\"}; files=; compopt() { files=1; }; _rdmactl;\n\
        if [ $files ]; then COMPREPLY=($(compgen -f -- \"$last\")); before=; fi\n\
        printf '%s\\n' \"${COMPREPLY[@]/#/$before}\" | sort | paste -sd' '; }\n"
        .to_owned();
    for (line, _) in LINES {
        script += &format!("ask '{line}'\n");
    }
    check(&answers(sysfs.path(), "bash", &script), &LINES);
}

/// On a terminal of its own, keys and all.
#[test]
fn bash_on_a_terminal() {
    let sysfs = sysfs();
    let script = "import os, pty, time, select, sys\n\
        pid, fd = pty.fork()\n\
        if pid == 0: os.execvp('bash', ['bash', '--norc', '-i'])\n\
        def say(text):\n\
        \x20   os.write(fd, text.encode()); out = b''\n\
        \x20   while select.select([fd], [], [], 2)[0]: out += os.read(fd, 4096)\n\
        \x20   return out.decode()\n\
        say('source completions/rdmactl.bash\\n')\n\
        seen = say('echo rdmactl; rdmactl -b /dev/null vf sh 0000:01:0\\t\\x01echo \\n')\n\
        sys.stdout.write('whole' if 'vf sh 0000:01:00.0' in seen.replace('\\r', '') else repr(seen))\n";
    assert_eq!(answers(sysfs.path(), "python3", script), "whole");
}

#[test]
fn zsh() {
    let sysfs = sysfs();
    // A shell on a terminal of its own, whose completion widget hands over its matches.
    let mut script = "zmodload zsh/zpty\n\
        zpty shell 'exec zsh -f -i'\n\
        zpty -w shell 'autoload -Uz compinit; compinit -u -D; source completions/_rdmactl'\n\
        zpty -w shell 'compadd() { local -a all; builtin compadd -O all \"$@\"; print -rC1 -- $all >>/run/said; builtin compadd \"$@\" }'\n\
        zpty -w shell 'ask() { BUFFER=$(</run/line); CURSOR=$#BUFFER; zle complete-word; print >/run/done; BUFFER=; zle redisplay }'\n\
        zpty -w shell 'zle -N ask; zle -C complete-word .complete-word _main_complete; bindkey \"^X\" ask; print >/run/ready'\n\
        for i in {1..300}; do [[ -e /run/ready ]] && break; sleep 0.1; done\n\
        sleep 0.5\n\
        ask() { rm -f /run/done /run/said; : >/run/said; print -r -- \"$1\" >/run/line; zpty -wn shell $'\\x18'\n\
        for i in {1..300}; do [[ -e /run/done ]] && break; sleep 0.1; done; sort -u /run/said | grep . | paste -sd' ' }\n"
        .to_owned();
    let lines = &LINES[..7];
    for (line, _) in lines {
        script += &format!("ask '{line}'\n");
    }
    check(&answers(sysfs.path(), "zsh -f", &script), lines);
}

#[test]
fn fish() {
    let sysfs = sysfs();
    let mut script = "source completions/rdmactl.fish\n".to_owned();
    for (line, _) in LINES {
        script +=
            &format!("complete -C '{line}' | string split -f1 \\t | sort | string join ' '\n");
    }
    // string join fails where there is but one to be joined.
    script += "true\n";
    check(&answers(sysfs.path(), "fish --no-config", &script), &LINES);
}

/// What the program prints is what the packages carry.
#[test]
fn the_program_brings_its_scripts() {
    for (shell, file) in [
        ("bash", "rdmactl.bash"),
        ("zsh", "_rdmactl"),
        ("fish", "rdmactl.fish"),
    ] {
        let output = std::process::Command::new(BINARY)
            .args(["completions", shell])
            .output()
            .unwrap();
        let text = fs::read(format!("{}/completions/{file}", crate::root::TREE)).unwrap();
        assert!(output.status.success() && output.stdout == text, "{shell}");
    }
}
