//! Every case of the lab; a file's `cases()` lists its own.

mod adapter;
mod all_netns;
mod batch;
mod busy;
mod char_devices;
mod cni_call;
mod cni_calls;
mod cni_chain;
mod cni_install;
mod cni_leftovers;
pub(crate) mod cni_parallel;
mod cni_rdma;
mod cni_rdma_changes;
mod cni_rdma_devices;
mod cni_rdma_kills;
mod cni_rdma_logs;
mod cni_rdma_names;
mod cni_rdma_owners;
mod cni_rdma_protocol;
mod cni_rdma_recovery;
mod cni_rdma_rows;
mod cni_rdma_several;
mod cni_repair;
pub(crate) mod cni_sweeps;
mod completions;
mod dev;
mod doctor;
mod doctor_adapter;
mod doctor_cni;
mod doctor_managers;
mod explain;
mod ib_sriov;
mod ib_sriov_check;
mod ib_sriov_guids;
mod ib_sriov_kills;
mod ib_sriov_names;
mod ib_sriov_partition;
mod ib_sriov_pods;
mod ib_sriov_policies;
mod ib_sriov_recovery;
mod ib_sriov_refusals;
mod ib_sriov_rows;
mod ib_sriov_vfio;
mod ib_sriov_vfs;
mod ib_sriov_waits;
mod lab_itself;
mod link;
mod link_delete;
mod monitor;
mod node_image;
mod oci_cdi;
mod oci_docker;
mod oci_hook;
mod oci_podman;
mod parity;
mod parity_resource;
mod parity_statistic;
mod parity_tally;
mod persist;
mod picture;
mod provision;
mod provision_apply;
mod provision_back;
mod provision_boot;
mod provision_hosts;
mod provision_keys;
mod provision_kills;
mod reclaim;
mod reclaim_names;
mod reclaim_use;
mod runtime_node;
mod runtimes;
mod scraping;
mod statistic;
mod system;
mod topology;
mod topology_adapters;
mod topology_forms;
mod vf;
mod vf_bind;
mod vf_create;
mod vf_create_failures;
mod vf_create_namespace;
mod vf_create_use;
mod vf_create_waits;
mod vf_ethernet;
mod vf_guids;
mod vf_refusals;
mod vf_ways;
mod vf_words;
mod watch;

use crate::case::Case;

pub(crate) fn all() -> Vec<Case> {
    [
        ("lab_itself", lab_itself::cases()),
        ("adapter", adapter::cases()),
        ("busy", busy::cases()),
        ("explain", explain::cases()),
        ("persist", persist::cases()),
        ("picture", picture::cases()),
        ("parity", parity::cases()),
        ("monitor", monitor::cases()),
        ("scraping", scraping::cases()),
        ("parity_resource", parity_resource::cases()),
        ("parity_statistic", parity_statistic::cases()),
        ("parity_tally", parity_tally::cases()),
        ("statistic", statistic::cases()),
        ("watch", watch::cases()),
        ("batch", batch::cases()),
        ("system", system::cases()),
        ("completions", completions::cases()),
        ("dev", dev::cases()),
        ("reclaim", reclaim::cases()),
        ("reclaim_use", reclaim_use::cases()),
        ("reclaim_names", reclaim_names::cases()),
        ("all_netns", all_netns::cases()),
        ("topology", topology::cases()),
        ("topology_adapters", topology_adapters::cases()),
        ("link", link::cases()),
        ("link_delete", link_delete::cases()),
        ("doctor", doctor::cases()),
        ("doctor_cni", doctor_cni::cases()),
        ("doctor_managers", doctor_managers::cases()),
        ("doctor_adapter", doctor_adapter::cases()),
        ("vf", vf::cases()),
        ("vf_words", vf_words::cases()),
        ("vf_guids", vf_guids::cases()),
        ("vf_refusals", vf_refusals::cases()),
        ("vf_ethernet", vf_ethernet::cases()),
        ("vf_ways", vf_ways::cases()),
        ("provision", provision::cases()),
        ("provision_apply", provision_apply::cases()),
        ("provision_back", provision_back::cases()),
        ("provision_hosts", provision_hosts::cases()),
        ("provision_keys", provision_keys::cases()),
        ("provision_kills", provision_kills::cases()),
        ("provision_boot", provision_boot::cases()),
        ("cni_rdma", cni_rdma::cases()),
        ("cni_rdma_devices", cni_rdma_devices::cases()),
        ("cni_rdma_protocol", cni_rdma_protocol::cases()),
        ("cni_rdma_recovery", cni_rdma_recovery::cases()),
        ("cni_rdma_changes", cni_rdma_changes::cases()),
        ("cni_rdma_owners", cni_rdma_owners::cases()),
        ("cni_rdma_kills", cni_rdma_kills::cases()),
        ("cni_rdma_logs", cni_rdma_logs::cases()),
        ("cni_rdma_names", cni_rdma_names::cases()),
        ("cni_rdma_several", cni_rdma_several::cases()),
        ("cni_sweeps", cni_sweeps::cases()),
        ("cni_calls", cni_calls::cases()),
        ("cni_parallel", cni_parallel::cases()),
        ("cni_chain", cni_chain::cases()),
        ("vf_create", vf_create::cases()),
        ("vf_create_use", vf_create_use::cases()),
        ("vf_create_failures", vf_create_failures::cases()),
        ("vf_create_waits", vf_create_waits::cases()),
        ("vf_create_namespace", vf_create_namespace::cases()),
        ("vf_bind", vf_bind::cases()),
        ("cni_leftovers", cni_leftovers::cases()),
        ("cni_install", cni_install::cases()),
        ("cni_repair", cni_repair::cases()),
        ("ib_sriov", ib_sriov::cases()),
        ("ib_sriov_refusals", ib_sriov_refusals::cases()),
        ("ib_sriov_check", ib_sriov_check::cases()),
        ("ib_sriov_pods", ib_sriov_pods::cases()),
        ("ib_sriov_policies", ib_sriov_policies::cases()),
        ("ib_sriov_recovery", ib_sriov_recovery::cases()),
        ("ib_sriov_names", ib_sriov_names::cases()),
        ("ib_sriov_guids", ib_sriov_guids::cases()),
        ("ib_sriov_partition", ib_sriov_partition::cases()),
        ("char_devices", char_devices::cases()),
        ("ib_sriov_rows", ib_sriov_rows::cases()),
        ("ib_sriov_vfs", ib_sriov_vfs::cases()),
        ("ib_sriov_kills", ib_sriov_kills::cases()),
        ("ib_sriov_waits", ib_sriov_waits::cases()),
        ("ib_sriov_vfio", ib_sriov_vfio::cases()),
        ("cni_rdma_rows", cni_rdma_rows::cases()),
        ("runtimes", runtimes::cases()),
        ("oci_hook", oci_hook::cases()),
        ("node_image", node_image::cases()),
        ("oci_cdi", oci_cdi::cases()),
        ("oci_docker", oci_docker::cases()),
        ("oci_podman", oci_podman::cases()),
    ]
    .into_iter()
    .flat_map(|(file, cases)| {
        cases.into_iter().map(move |case| Case {
            name: format!("{file}::{}", case.name),
            ..case
        })
    })
    .collect()
}

pub(crate) fn named(name: &str) -> Case {
    all()
        .into_iter()
        .find(|case| case.name == name)
        .unwrap_or_else(|| panic!("no case is named {name}"))
}

/// Those with the same needs one after the other, so that the adapter is seldom loaded anew.
pub(crate) fn in_order() -> Vec<Case> {
    let mut cases = all();
    cases.sort_by_key(|case| {
        (
            case.root,
            case.pf,
            case.last,
            case.adapter,
            case.netns.word(),
            case.vfs,
        )
    });
    cases
}
