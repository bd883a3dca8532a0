//! Optional counters: shown, switched, and unknown ones.

use rdmactl::wire::Request;
use rdmactl::wire::nldev::attr_ids::*;
use rdmactl::wire::nldev::statistic::optional;

use crate::devices::{answer, call, devices, named, printed};
use crate::support::Tape;

fn status(on: &[u32]) -> Request {
    named(0).nest(RDMA_NLDEV_ATTR_STAT_HWCOUNTERS, |table| {
        let always = table.nest(RDMA_NLDEV_ATTR_STAT_HWCOUNTER_ENTRY, |entry| {
            entry
                .text(RDMA_NLDEV_ATTR_STAT_HWCOUNTER_ENTRY_NAME, "rx")
                .u32(RDMA_NLDEV_ATTR_STAT_HWCOUNTER_INDEX, 0)
        });
        [(1, "cc_rx_ce_pkts"), (2, "cc_rx_cnp_pkts")]
            .iter()
            .fold(always, |table, (index, name)| {
                table.nest(RDMA_NLDEV_ATTR_STAT_HWCOUNTER_ENTRY, |entry| {
                    entry
                        .text(RDMA_NLDEV_ATTR_STAT_HWCOUNTER_ENTRY_NAME, name)
                        .u32(RDMA_NLDEV_ATTR_STAT_HWCOUNTER_INDEX, *index)
                        .u8(
                            RDMA_NLDEV_ATTR_STAT_HWCOUNTER_DYNAMIC,
                            on.contains(index).into(),
                        )
                })
            })
    })
}

fn with_status(tape: Tape, on: &[u32]) -> Tape {
    tape.then(optional::get(0, 1), answer(&status(on)))
}

#[test]
fn optional_counters_are_shown_and_switched() {
    let both = "    cc_rx_ce_pkts,\n    cc_rx_cnp_pkts\n";
    let seen = |on: &[u32], line: &str| printed(&with_status(devices(), on), line);
    assert_eq!(seen(&[], "rdma stat mode link mlx5_0/1"), "");
    assert_eq!(
        seen(&[1, 2], "rdma stat mo l mlx5_0"),
        format!("link mlx5_0/1 optional-counters \n{both}")
    );
    assert_eq!(
        seen(&[], "rdma stat mode su l mlx5_0"),
        format!("link mlx5_0/1 supported optional-counters \n{both}")
    );
    assert_eq!(
        seen(&[2], "rdma -j stat mode link mlx5_0"),
        "[{\"ifname\":\"mlx5_0\",\"port\":1,\"optional-counters\":[\"cc_rx_cnp_pkts\"]}\n]\n"
    );
    let set = with_status(devices(), &[]).then(optional::set(0, 1, &[2]), answer(&named(0)));
    let line = "rdma stat set link mlx5_0/1 optional-counters cc_rx_cnp_pkts,";
    assert_eq!(printed(&with_status(set, &[2]), line), "");
    let unset = with_status(devices(), &[2]).then(optional::set(0, 1, &[]), answer(&named(0)));
    let line = "rdma -j stat u l mlx5_0/1 o";
    assert_eq!(printed(&with_status(unset, &[]), line), "[]\n");
}

#[test]
fn an_unknown_optional_counter_is_told_apart() {
    let ran = call(
        &with_status(devices(), &[]),
        "rdma stat set link mlx5_0/1 optional-counters cc_rx_cnp_pkt",
        None,
    );
    assert_eq!(ran.code, 1);
    assert_eq!(
        ran.err,
        "mlx5_0/1 has no optional counter \"cc_rx_cnp_pkt\"\n\
         cause: did you mean cc_rx_cnp_pkts or cc_rx_ce_pkts? The optional counters of mlx5_0/1 are cc_rx_ce_pkts, cc_rx_cnp_pkts\n  \
           fix: rdmactl statistic mode supported link mlx5_0/1\n"
    );
}
