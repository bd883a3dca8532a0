//! What cannot be watched, and what has no rate.

use crate::reader::call;
use crate::support::Tape;

#[test]
fn what_cannot_be_watched_or_has_no_rate() {
    for (line, why) in [
        ("dev set mlx5_0 name x", "this one changes something"),
        ("dev delete mlx5_0", "this one changes something"),
        ("link add x type rxe netdev y", "this one changes something"),
        ("system set netns exclusive", "this one changes something"),
        (
            "res set frmr_pools dev x aging 1",
            "this one changes something",
        ),
        (
            "stat set link x/1 optional-counters y",
            "this one changes something",
        ),
        ("stat qp bind link x/1 lqpn 1", "this one changes something"),
        (
            "stat qp set link x/1 auto off",
            "this one changes something",
        ),
        ("monitor", "monitor tells each change when it happens"),
        ("-b /dev/null", "--batch runs its commands once"),
    ] {
        let ran = call(&Tape::default(), &format!("rdmactl --watch 1 {line}"), 9);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{line}");
        assert!(
            ran.err.starts_with("error: ") && ran.err.contains(why),
            "{ran:?}"
        );
    }
    for seconds in ["0", "0.09", "-1", "nan", "1e9", "dev"] {
        let ran = call(
            &Tape::default(),
            &format!("rdmactl dev --watch {seconds}"),
            9,
        );
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{seconds}");
    }
    for line in [
        "mode",
        "qp mode",
        "set link x/1 optional-counters y",
        "qp set link x/1",
    ] {
        let ran = call(&Tape::default(), &format!("rdmactl stat {line} --rate"), 9);
        assert_eq!(ran.code, 2, "{line}");
        assert!(
            ran.err.contains("--rate goes with statistic show"),
            "{ran:?}"
        );
    }
}
