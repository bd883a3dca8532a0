//! Tracked objects as a real kernel sent them, decoded; each file says which command had them sent.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod support;

use rdmactl::wire::nldev::resource::{Kind, Object, Query, Summary, What};
use support::capture;

fn recorded(what: &str) -> Vec<u8> {
    capture(&format!("resource-{what}"))
}

fn query(kind: Kind) -> Query {
    Query {
        kind,
        raw: false,
        driver_details: false,
    }
}

fn objects(kind: Kind, name: &str) -> Vec<Object> {
    let objects = query(kind).decode_table(&recorded(name)).unwrap();
    assert!(
        objects.iter().all(|object| object.device == "rxe0"),
        "{name}"
    );
    assert!(
        objects.iter().all(|object| object.driver.is_empty()),
        "{name}"
    );
    objects
}

const FILES: [(Kind, &str); 7] = [
    (Kind::Qp, "qp"),
    (Kind::CmId, "cm-id"),
    (Kind::Cq, "cq"),
    (Kind::Mr, "mr"),
    (Kind::Pd, "pd"),
    (Kind::Ctx, "ctx"),
    (Kind::Srq, "srq"),
];

#[test]
fn the_counts_are_those_of_the_listings() {
    let summary = Summary::decode(&recorded("summary")).unwrap();
    let of = |name: &str| {
        let count = summary.counts.iter().find(|count| count.name == name);
        usize::try_from(count.unwrap().current).unwrap()
    };
    let names: Vec<&str> = summary
        .counts
        .iter()
        .map(|count| count.name.as_str())
        .collect();
    assert_eq!(names, ["pd", "cq", "qp", "cm_id", "mr", "ctx", "srq"]);
    for (kind, file) in FILES {
        assert_eq!(
            objects(kind, file).len(),
            of(&file.replace('-', "_")),
            "{file}"
        );
    }
}

#[test]
fn what_the_programs_hold() {
    let qps = objects(Kind::Qp, "qp");
    let gsi = qps.iter().find(|qp| qp.task.pid.is_none()).unwrap();
    assert_eq!(
        (gsi.port, gsi.task.kernel.as_deref()),
        (Some(1), Some("ib_core"))
    );
    let What::Qp(gsi) = &gsi.what else {
        panic!("{gsi:?}");
    };
    assert_eq!(
        (gsi.lqpn, gsi.qp_type, gsi.state, gsi.rqpn, gsi.pdn),
        (1, 1, 3, None, None)
    );
    let srqs = objects(Kind::Srq, "srq");
    let What::Srq(srq) = &srqs[0].what else {
        panic!("{srqs:?}");
    };
    let shared: u32 = srq.qps.iter().map(|run| run.last - run.first + 1).sum();
    assert_eq!((srqs.len(), srq.srqn, shared), (1, 0, 4));
    let ends: Vec<String> = objects(Kind::CmId, "cm-id")
        .iter()
        .filter_map(|object| match &object.what {
            What::CmId(cm_id) if cm_id.state == 8 => cm_id.source,
            _ => None,
        })
        .map(|end| format!("{}:{}", end.address, end.port))
        .collect();
    assert!(ends.contains(&"192.168.77.1:7174".to_owned()), "{ends:?}");
    for mr in objects(Kind::Mr, "mr") {
        assert!(mr.task.pid.is_some());
        let What::Mr(mr) = mr.what else {
            panic!("{mr:?}");
        };
        assert!(mr.rkey.is_some() && mr.lkey.is_some() && mr.iova.is_none() && mr.mrlen > 0);
    }
}

/// Every beginning of a capture is an answer that a torn read could leave.
#[test]
fn no_beginning_of_a_capture_panics() {
    for (kind, file) in FILES {
        let bytes = recorded(file);
        for end in 0..bytes.len() {
            let _ = query(kind).decode_table(&bytes[..end]);
            let _ = query(kind).decode_one(&bytes[..end]);
            let _ = Summary::decode(&bytes[..end]);
        }
    }
}
