//! An interface of a partition on top of the VF's own: made, checked, and gone with the attachment.

use serde_json::{Value, json};

use super::cni_call::{refused, with, without};
use super::ib_sriov::*;
use crate::case::{Case, case};
use crate::handle::{FACES, Lab};

pub(crate) fn cases() -> Vec<Case> {
    let partition = |name, run, adapter| {
        case(name, run)
            .exclusive()
            .adapter(adapter)
            .may_change(ANEW)
            .limit(120)
    };
    vec![
        partition(
            "b26_made_and_gone",
            b26_made_and_gone,
            "mode=ib pkey=0x8005",
        ),
        partition(
            "b26_where_ipoib_follows",
            b26_made_and_gone,
            "mode=ib pkey=0x8005 ipoib_netns=device",
        )
        .only(
            &["6.12"],
            "whether IPoIB follows is the driver's; the kernel's part is shown by b26_made_and_gone",
        ),
        case("b26_ethernet", b26_ethernet)
            .ethernet()
            .may_change(ANEW),
    ]
}

fn conf(lab: &Lab, pkey: &str) -> Value {
    let conf = with("pkey", json!(pkey), config(&lab.vf(0)));
    with("pkeyInterface", json!(true), with_ipam(conf))
}

/// The interfaces of the host, by name.
fn at_home(lab: &Lab) -> String {
    lab.exec("ls /sys/class/net").ok().stdout
}

fn b26_made_and_gone(lab: &Lab) {
    let before = as_it_is(lab, 0);
    let links = at_home(lab);
    let pod = lab.netns("pod");
    for bad in ["", "0x8000", "zz", "0x10000"] {
        refused(call(lab, "ADD", POD, &conf(lab, bad)), 7, "pkeyInterface");
    }
    refused(
        call(
            lab,
            "ADD",
            POD,
            &with("pkeyInterface", json!("yes"), conf(lab, "0x5")),
        ),
        7,
        "pkeyInterface",
    );
    let long = [("CNI_NETNS", POD), ("CNI_IFNAME", "elevenbytes")];
    let long = lab.cni("ib-sriov", "ADD", &long, &conf(lab, "5").to_string());
    refused(long, 7, "no name for the interface");
    lab.exec("ip -n pod link add eth0.8005 type veth peer name peer0")
        .ok();
    refused(
        call(lab, "ADD", POD, &conf(lab, "0x5")),
        102,
        "already has an interface eth0.8005",
    );
    lab.in_netns("pod", &["ip", "link", "del", "eth0.8005"])
        .ok();
    is_as_it_was(lab, 0, &before);

    for isolation in [true, false] {
        let conf = with("rdmaIsolation", json!(isolation), conf(lab, "0x5"));
        let added = call(lab, "ADD", POD, &conf).ok();
        assert!(!added.stderr.contains("not in partition"), "{added}");
        let added = added.json();
        let names: Vec<_> = [0, 1]
            .map(|n| added["interfaces"][n]["name"].clone())
            .into();
        assert_eq!(names, ["eth0", "eth0.8005"]);
        assert_eq!(added["ips"][0]["interface"], 1);
        let shown = lab
            .in_netns("pod", &["ip", "-d", "address", "show", "eth0.8005"])
            .ok()
            .stdout_has("0x8005")
            .stdout_has("10.9.0.");
        assert!(shown.stdout.contains("eth0.8005@eth0"), "{shown}");
        let conf = with("prevResult", added, conf);
        let check = || call(lab, "CHECK", POD, &conf);
        check().ok();
        let pod = |line: &str| {
            let words: Vec<&str> = line.split(' ').collect();
            lab.in_netns("pod", &words).ok()
        };
        pod("ip link set eth0.8005 down");
        refused(check(), 105, "eth0.8005 is switched off");
        pod("ip link set eth0.8005 name other");
        refused(check(), 105, "eth0.8005 is called other");
        // Renamed it goes all the same, and when it is gone already.
        if isolation {
            call(lab, "DEL", POD, &conf).ok();
        } else {
            pod("ip link del other");
            refused(check(), 105, "no interface of partition 0x8005");
            call(lab, "DEL", POD, &conf).ok();
        }
        is_as_it_was(lab, 0, &before);
        assert_eq!(at_home(lab), links);
        lab.in_netns("pod", &["ip", "link"])
            .ok()
            .stdout_lacks("other")
            .stdout_lacks("eth0");
        // Without isolation it stays where it is when its parent leaves.
        call(lab, "ADD", POD, &without("prevResult", conf.clone())).ok();
        call(lab, "DEL", POD, &conf).ok();
        lab.in_netns("pod", &["ip", "link"])
            .ok()
            .stdout_lacks("eth0");
        is_as_it_was(lab, 0, &before);
    }

    // A partition that the port is not in: said, and no failure but of CHECK.
    let foreign = conf(lab, "0x7");
    let added = call(lab, "ADD", POD, &foreign)
        .ok()
        .stderr_has("is not in partition 0x8007");
    let foreign = with("prevResult", added.json(), foreign);
    refused(
        call(lab, "CHECK", POD, &foreign),
        105,
        "is not in partition 0x8007",
    );
    call(lab, "DEL", POD, &foreign).ok();

    // Killed after it was made; its namespace gone, with the RDMA device and without.
    for isolation in [true, false] {
        let conf = with("rdmaIsolation", json!(isolation), conf(lab, "0x5"));
        // The last record that is written says that it is done.
        let last = if isolation { 2 } else { 1 };
        lab.sh(&format!(
            "export CNI_COMMAND=ADD CNI_CONTAINERID=lab-container CNI_IFNAME=eth0 CNI_NETNS={POD} CNI_PATH={FACES}:/usr/lib/cni
             exec strace -f -o /dev/null -e trace=rename -e inject=rename:signal=KILL:when={last} {FACES}/ib-sriov <<'END'\n{conf}\nEND"
        ))
        .fails(137);
        call(lab, "DEL", POD, &conf).ok();
        is_as_it_was(lab, 0, &before);
        lab.in_netns("pod", &["ip", "link"])
            .ok()
            .stdout_lacks("eth0");
        assert_eq!(at_home(lab), links);
    }
    drop(pod);
    for isolation in [true, false] {
        let conf = with("rdmaIsolation", json!(isolation), conf(lab, "0x5"));
        {
            let _pod = lab.netns("pod");
            call(lab, "ADD", POD, &conf).ok();
        }
        call(lab, "DEL", "", &conf).ok();
        is_as_it_was(lab, 0, &before);
        assert_eq!(at_home(lab), links);
    }
    lab.exec("rm -rf /run/lab/ipam").ok();
}

fn b26_ethernet(lab: &Lab) {
    let _pod = lab.netns("pod");
    let conf = without("runtimeConfig", without("ipam", conf(lab, "0x5")));
    let conf = without("rdmaIsolation", without("link_state", conf));
    let before = as_it_is(lab, 0);
    refused(call(lab, "ADD", POD, &conf), 7, "is no IPoIB interface");
    is_as_it_was(lab, 0, &before);
}
