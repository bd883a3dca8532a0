//! The manual pages as two readers have them.

use crate::root::run;

#[test]
fn both_readers_find_nothing_to_complain_of() {
    let said = run(&[
        "sh",
        "-c",
        "for page in man/*.[58]; do
             mandoc -T lint \"$page\" || bad=1
             man --warnings=all -l -Tutf8 -Z \"$page\" >/dev/null || bad=1
             lexgrog \"$page\" | grep -q '^man/.*: \"rdmactl.* - ' || { echo \"$page: no whatis\"; bad=1; }
         done; exit ${bad-0}",
    ])
    .ok();
    assert_eq!(format!("{}{}", said.stderr, said.stdout), "");
    // The readers do complain where there is a reason.
    let said = run(&[
        "sh",
        "-c",
        "printf '.TH X 8 2026-11-21\\n.SH NAME\\nx \\\\- y\\n.nosuch\\n' | mandoc -T lint",
    ]);
    assert!(!said.ok && said.stdout.contains("nosuch"), "{said:?}");
}

/// What a person reads, on a terminal of 80 columns.
#[test]
fn a_page_reads_well() {
    let page = run(&["env", "MANWIDTH=80", "man", "-l", "man/rdmactl-dev.8"])
        .ok()
        .stdout;
    for line in page.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    for text in [
        "dev reclaim [OPTIONS] [DEV]",
        "--from NETNS",
        "rdmactl dev set mlx5_3 netns blue",
        "SEE ALSO",
    ] {
        assert!(page.contains(text), "{text}:\n{page}");
    }
}
