//! Words that make no command, and short ones that do.

use crate::devices::call;
use crate::support::Tape;

#[test]
fn words_that_make_no_command() {
    for line in [
        "rdma stat bogus",
        "rdma stat link",
        "rdma stat qp bind link mlx5_0/1",
        "rdma stat qp bind link mlx5_0/1 lqpn x",
        "rdma stat qp unbind link mlx5_0/1 lqpn 1",
        "rdma stat qp set link mlx5_0/1 auto foo on",
        "rdma stat qp set link mlx5_0/1 auto type off",
        "rdma stat qp set link auto off",
        "rdma stat qp set link mlx5_0/1 auto type",
        "rdma stat qp show link mlx5_0/1 cntn x",
        "rdma stat set link mlx5_0/1",
        "rdma stat set link mlx5_0/1 optional-counters",
        "rdma stat unset link mlx5_0/1",
    ] {
        let ran = call(&Tape::default(), line, None);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{line}");
        assert!(ran.err.starts_with("error: "), "{line}: {}", ran.err);
    }
    let ran = call(
        &Tape::default(),
        "rdma stat qp set link mlx5_0/1 auto type",
        None,
    );
    assert!(
        ran.code == 2 && ran.err.contains("write on behind it"),
        "{ran:?}"
    );
}

#[test]
fn abbreviations_in_the_order_of_iproute2() {
    for (line, plain) in [
        ("st", "statistic"),
        ("s", "system"),
        ("stat l", "statistic show"),
        ("stat m", "statistic mr"),
        ("stat mo su l x/1", "statistic mode supported link x/1"),
        ("stat mo s", "statistic mode show"),
        ("stat s m mr 3", "statistic show mr --mrn=3"),
        (
            "stat q b l x/1 l 5 c 2",
            "statistic qp bind link x/1 --lqpn=5 --cntn=2",
        ),
        (
            "stat qp u l x/1 c 2",
            "statistic qp unbind link x/1 --cntn=2",
        ),
        (
            "stat qp se l x/1 a type on opt off",
            "statistic qp set link x/1 auto type on --optional-counters=off",
        ),
        (
            "stat se l x/1 o a,b",
            "statistic set link x/1 optional-counters a,b",
        ),
        (
            "stat u l x/1 o",
            "statistic unset link x/1 optional-counters",
        ),
        ("stat h", "statistic --help"),
        ("stats", "stats"),
    ] {
        let words = ["rdma"].into_iter().chain(line.split(' '));
        let read = rdmactl::cli::spelled_out(words.map(Into::into));
        let read: Vec<_> = read
            .iter()
            .skip(1)
            .filter_map(|word| word.to_str())
            .collect();
        assert_eq!(read.join(" "), plain, "{line}");
    }
}
