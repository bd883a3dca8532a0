//! Why a command about counters failed, and where to look.

use super::Advice;
use crate::rdma::statistic::StatisticError;
use crate::types::near::near;

/// The cause and the command that shows what there is.
pub(super) fn advice(error: &StatisticError) -> Advice {
    let cause = error.to_string();
    match error {
        StatisticError::SeveralPorts { .. } => (None, None),
        StatisticError::NoCounters { .. } => (
            Some(format!("{cause}: its driver does not offer them")),
            None,
        ),
        StatisticError::NoOptionalCounter {
            name,
            port,
            supported,
        } => (
            Some(optional(port, name, supported)),
            (!supported.is_empty())
                .then(|| format!("rdmactl statistic mode supported link {port}")),
        ),
        StatisticError::AlreadyBound { port, counter, .. } => (
            Some(cause),
            Some(format!(
                "rdmactl statistic qp unbind link {port} cntn {counter}"
            )),
        ),
        StatisticError::NotBound { port, .. } | StatisticError::NoCounter { port, .. } => (
            Some(cause),
            Some(format!("rdmactl statistic qp show link {port}")),
        ),
        StatisticError::NoQueuePair { port, .. } => (
            Some(cause),
            Some(format!("rdmactl resource show qp link {port}")),
        ),
    }
}

fn optional(port: &str, name: &str, supported: &[String]) -> String {
    if supported.is_empty() {
        return format!("{port} has no optional counters");
    }
    let names = near(name, supported.iter().map(String::as_str));
    if names.is_empty() {
        format!(
            "the optional counters of {port} are {}",
            supported.join(", ")
        )
    } else {
        format!(
            "did you mean {}? The optional counters of {port} are {}",
            names.join(" or "),
            supported.join(", ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_in_the_name_of_a_counter() {
        let error = |name: &str, supported: &[&str]| StatisticError::NoOptionalCounter {
            name: name.to_owned(),
            port: "mlx5_0/1".to_owned(),
            supported: supported.iter().map(|name| (*name).to_owned()).collect(),
        };
        let all = ["cc_rx_ce_pkts", "cc_rx_cnp_pkts"];
        assert_eq!(
            advice(&error("cc_rx_ce_pkt", &all)).0.unwrap(),
            "did you mean cc_rx_ce_pkts or cc_rx_cnp_pkts? The optional counters of mlx5_0/1 are cc_rx_ce_pkts, cc_rx_cnp_pkts"
        );
        assert_eq!(
            advice(&error("foo", &all)).0.unwrap(),
            "the optional counters of mlx5_0/1 are cc_rx_ce_pkts, cc_rx_cnp_pkts"
        );
        assert_eq!(
            advice(&error("foo", &[])),
            (Some("mlx5_0/1 has no optional counters".to_owned()), None)
        );
    }
}
