//! `resource` over tapes: what it asks the kernel, what it prints, how it ends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod support;

use proptest::prelude::*;
use rdmactl::types::FrmrKey;
use rdmactl::wire::nldev::attr_ids::*;
use rdmactl::wire::nldev::device;
use rdmactl::wire::nldev::resource::{Kind, Query, Summary, frmr_pools, summary};
use rdmactl::wire::{Request, nldev};
use support::{Answer, Ran, Tape, ack, data, done, entry, play};

fn mlx5(index: u32) -> Request {
    about(index).u32(RDMA_NLDEV_ATTR_PORT_INDEX, 2)
}

fn about(index: u32) -> Request {
    Request::new(0)
        .u32(RDMA_NLDEV_ATTR_DEV_INDEX, index)
        .text(RDMA_NLDEV_ATTR_DEV_NAME, &format!("mlx5_{index}"))
}

fn devices() -> Tape {
    let listing = vec![entry(0x1401, &mlx5(0)), entry(0x1401, &mlx5(1)), done(0)];
    Tape::default().then(device::dump(), listing)
}

fn query(kind: Kind) -> Query {
    Query {
        kind,
        raw: false,
        driver_details: false,
    }
}

/// A listing of one device: the objects' attributes in their table.
fn table(kind: Kind, index: u32, objects: &[Request]) -> Answer {
    let (table, each) = kind.table();
    let inner = objects.iter().fold(Request::new(0), |inner, object| {
        inner.bytes(each, object.body())
    });
    entry(
        query(kind).message_type(),
        &about(index).bytes(table, inner.body()),
    )
}

fn qp(lqpn: u32, port: u32, pid: u32) -> Request {
    let qp = Request::new(0).u32(RDMA_NLDEV_ATTR_RES_LQPN, lqpn);
    let qp = if port > 0 {
        qp.u32(RDMA_NLDEV_ATTR_PORT_INDEX, port)
    } else {
        qp
    };
    qp.u32(RDMA_NLDEV_ATTR_RES_RQPN, 7)
        .u8(RDMA_NLDEV_ATTR_RES_TYPE, 2)
        .u8(RDMA_NLDEV_ATTR_RES_STATE, 3)
        .u32(RDMA_NLDEV_ATTR_RES_SQ_PSN, 5)
        .u32(RDMA_NLDEV_ATTR_RES_PID, pid)
        .u32(4000, 1)
}

fn gsi(port: u32) -> Request {
    Request::new(0)
        .u32(RDMA_NLDEV_ATTR_PORT_INDEX, port)
        .u32(RDMA_NLDEV_ATTR_RES_LQPN, 1)
        .u8(RDMA_NLDEV_ATTR_RES_TYPE, 1)
        .u8(RDMA_NLDEV_ATTR_RES_STATE, 3)
        .u32(RDMA_NLDEV_ATTR_RES_SQ_PSN, 0)
        .text(RDMA_NLDEV_ATTR_RES_KERN_NAME, "ib_core")
}

fn call(tape: &Tape, line: &str, terminal: Option<u16>) -> Ran {
    let root = tempfile::tempdir().unwrap();
    let process = root.path().join("proc/42");
    std::fs::create_dir_all(&process).unwrap();
    std::fs::write(process.join("comm"), "rping\n").unwrap();
    std::fs::write(process.join("cgroup"), "0::/system.slice/nfs.service\n").unwrap();
    play(tape, root.path(), line, "", terminal)
}

#[track_caller]
fn printed(tape: &Tape, line: &str) -> String {
    call(tape, line, None).printed()
}

fn qps() -> Tape {
    let q = query(Kind::Qp);
    let listed = [gsi(2), qp(18, 1, 42), qp(17, 0, 99)];
    devices()
        .then(q.dump(0, None), vec![table(Kind::Qp, 0, &listed), done(0)])
        .then(q.dump(1, None), vec![done(0)])
}

const QP_17: &str = "link mlx5_0/- lqpn 17 rqpn 7 type RC state RTS sq-psn 5 pid 99 \n";
const QP_18: &str = "link mlx5_0/1 lqpn 18 rqpn 7 type RC state RTS sq-psn 5 pid 42 comm rping \n";
const QP_GSI: &str = "link mlx5_0/2 lqpn 1 type GSI state RTS sq-psn 0 comm [ib_core] \n";

#[test]
fn counts_come_in_one_listing() {
    let counts = |index: u32| {
        let count = |name: &str, n: u64| {
            Request::new(0)
                .text(RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY_NAME, name)
                .u64(RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY_CURR, n)
        };
        let qp = count("qp", u64::MAX).u64(RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY_MAX, 131_072);
        let inner = Request::new(0)
            .bytes(RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY, count("pd", 3).body())
            .bytes(RDMA_NLDEV_ATTR_RES_SUMMARY_ENTRY, qp.body());
        about(index).bytes(RDMA_NLDEV_ATTR_RES_SUMMARY, inner.body())
    };
    let all = || {
        Tape::default().then(
            summary::dump(),
            vec![
                entry(0x1409, &counts(0)),
                entry(0x1409, &counts(1)),
                done(0),
            ],
        )
    };
    let line = |n| format!("{n}: mlx5_{n}: pd 3 qp 18446744073709551615/131072 \n");
    assert_eq!(printed(&all(), "rdma r"), line(0) + &line(1));
    assert_eq!(printed(&all(), "rdmactl r"), line(0) + &line(1));
    assert!(printed(&all(), "rdma -j res").starts_with(
        "[{\"ifindex\":0,\"ifname\":\"mlx5_0\",\"pd\":3,\"qp\":18446744073709551615,\"qp-max\":131072}\n,"
    ));
    let table = call(&all(), "rdmactl resource", Some(80)).out;
    assert!(
        table.starts_with("INDEX  NAME    PD  QP                    QP MAX\n"),
        "{table}"
    );
    let one = devices().then(
        summary::get(1, true),
        vec![data(0x1409, &counts(1)), ack(0)],
    );
    assert_eq!(printed(&one, "rdma -dd res show mlx5_1"), line(1));
}

#[test]
fn queue_pairs_by_port_and_by_property() {
    let all = QP_17.to_owned() + QP_18 + QP_GSI;
    for (line, expected) in [
        ("rdma res show qp", all.as_str()),
        ("rdma r l q", &all),
        ("rdma res show qp p 42", QP_18),
        ("rdma res show qp pid 0-42,100", QP_18),
        ("rdma res show qp ty gsi", QP_GSI),
        ("rdma res show qp type rc pid 99", QP_17),
        ("rdma res show qp path-mig-state migrated", ""),
        ("rdma res show qp lqpn 17-18 lqpn", ""),
    ] {
        if line.ends_with(" lqpn") {
            assert_eq!(call(&Tape::default(), line, None).code, 2, "{line}");
            continue;
        }
        assert_eq!(printed(&qps(), line), expected, "{line}");
    }
    let q = query(Kind::Qp);
    let one = |port| {
        let listed = table(Kind::Qp, 0, &[gsi(2), qp(18, 1, 42), qp(17, 0, 99)]);
        devices().then(q.dump(0, port), vec![listed, done(0)])
    };
    assert_eq!(printed(&one(None), "rdma res show qp link mlx5_0/-"), QP_17);
    assert_eq!(
        printed(&one(Some(2)), "rdma res show qp li mlx5_0/2"),
        QP_GSI
    );
    assert_eq!(printed(&one(None), "rdma res show qp dev mlx5_0"), all);
    assert_eq!(
        printed(&one(Some(1)), "rdma -j res show qp link mlx5_0/1"),
        "[{\"ifindex\":0,\"ifname\":\"mlx5_0\",\"port\":1,\"lqpn\":18,\"rqpn\":7,\"type\":\"RC\",\
         \"state\":\"RTS\",\"sq-psn\":5,\"pid\":42,\"comm\":\"rping\"}\n]\n"
    );
}

/// The kernel is asked for the one object, and listed when it does not know it by its number.
#[test]
fn an_object_by_its_number() {
    let q = query(Kind::Qp);
    let only = || {
        let listing = vec![entry(0x1401, &mlx5(0)), done(0)];
        Tape::default().then(device::dump(), listing)
    };
    let get = |port, id| q.get(0, Some(port), id).unwrap();
    let flat = about(0).fixed(qp(18, 1, 42).body());
    let tape = only()
        .then(get(1, 18), vec![data(0x140a, &flat), ack(0)])
        .then(get(2, 18), vec![ack(2)]);
    assert_eq!(printed(&tape, "rdma res show qp lqpn 18"), QP_18);
    let tape = only()
        .then(get(1, 1), vec![ack(2)])
        .then(get(2, 1), vec![ack(2)])
        .then(
            q.dump(0, None),
            vec![table(Kind::Qp, 0, &[gsi(2), qp(18, 1, 42)]), done(0)],
        );
    assert_eq!(printed(&tape, "rdma res show qp lqpn 1"), QP_GSI);
}

#[test]
fn owners_are_told_in_our_own_words_only() {
    let ctx = Request::new(0)
        .u32(RDMA_NLDEV_ATTR_RES_CTXN, 0)
        .u32(RDMA_NLDEV_ATTR_RES_PID, 42);
    let tape = || {
        devices()
            .then(
                query(Kind::Ctx).dump(0, None),
                vec![table(Kind::Ctx, 0, std::slice::from_ref(&ctx)), done(0)],
            )
            .then(query(Kind::Ctx).dump(1, None), vec![done(0)])
    };
    let line = "dev mlx5_0 ctxn 0 pid 42 comm rping ";
    assert_eq!(
        printed(&tape(), "rdma -d res show ctx"),
        format!("{line}\n")
    );
    assert_eq!(
        printed(&tape(), "rdmactl resource show ctx"),
        format!("{line}\n")
    );
    assert_eq!(
        printed(&tape(), "rdmactl -d resource show ctx"),
        format!("{line}unit nfs.service \n")
    );
}

#[test]
fn keys_are_hexadecimal_and_whole() {
    let mr = Request::new(0)
        .u32(RDMA_NLDEV_ATTR_RES_MRN, 3)
        .u32(RDMA_NLDEV_ATTR_RES_RKEY, 0x249)
        .u32(RDMA_NLDEV_ATTR_RES_LKEY, 0x249)
        .u64(RDMA_NLDEV_ATTR_RES_IOVA, 0x7f00_1234_5678_9000)
        .u64(RDMA_NLDEV_ATTR_RES_MRLEN, 1 << 40)
        .text(RDMA_NLDEV_ATTR_RES_KERN_NAME, "nvme_rdma");
    let tape = |one: bool| {
        let tape = devices().then(
            query(Kind::Mr).dump(0, None),
            vec![table(Kind::Mr, 0, std::slice::from_ref(&mr)), done(0)],
        );
        if one {
            tape
        } else {
            tape.then(query(Kind::Mr).dump(1, None), vec![done(0)])
        }
    };
    let line = "dev mlx5_0 mrn 3 rkey 0x249 lkey 0x249 iova 0x7f00123456789000 mrlen 1099511627776 comm [nvme_rdma] \n";
    assert_eq!(printed(&tape(false), "rdma res show mr"), line);
    assert_eq!(
        printed(&tape(true), "rdma res show mr d mlx5_0 lk 0x249"),
        line
    );
    assert_eq!(
        printed(
            &tape(true),
            "rdma res show mr link mlx5_0/1 mrlen 0-1099511627775"
        ),
        ""
    );
    assert!(printed(&tape(false), "rdma -j res show mr").contains("\"iova\":\"7f00123456789000\""));
}

#[test]
fn an_srq_shows_the_queue_pairs_that_are_wanted() {
    let qps = Request::new(0)
        .nest(RDMA_NLDEV_ATTR_RES_QP_ENTRY, |run| {
            run.u32(RDMA_NLDEV_ATTR_MIN_RANGE, 19)
                .u32(RDMA_NLDEV_ATTR_MAX_RANGE, 22)
        })
        .nest(RDMA_NLDEV_ATTR_RES_QP_ENTRY, |one| {
            one.u32(RDMA_NLDEV_ATTR_RES_LQPN, 30)
        });
    let srq = Request::new(0)
        .u32(RDMA_NLDEV_ATTR_RES_SRQN, 0)
        .u8(RDMA_NLDEV_ATTR_RES_TYPE, 0)
        .u32(RDMA_NLDEV_ATTR_RES_PDN, 3)
        .bytes(RDMA_NLDEV_ATTR_RES_QP, qps.body());
    let tape = || {
        devices()
            .then(
                query(Kind::Srq).dump(0, None),
                vec![table(Kind::Srq, 0, std::slice::from_ref(&srq)), done(0)],
            )
            .then(query(Kind::Srq).dump(1, None), vec![done(0)])
    };
    assert_eq!(
        printed(&tape(), "rdma res show srq"),
        "dev mlx5_0 srqn 0 type BASIC lqpn 19-22,30 pdn 3 \n"
    );
    assert_eq!(
        printed(&tape(), "rdma res show srq lqpn 18-20"),
        "dev mlx5_0 srqn 0 type BASIC lqpn 19-20 pdn 3 \n"
    );
    assert!(printed(&tape(), "rdma -j res show srq").contains("\"lqpn\":[\"19-22\",\"30\"]"));
}

#[test]
fn connections_show_their_addresses_behind_the_maker() {
    let mut address = vec![2, 0, 0x1c, 0x06, 192, 168, 77, 1];
    address.resize(128, 0);
    let cm_id = Request::new(0)
        .u32(RDMA_NLDEV_ATTR_PORT_INDEX, 1)
        .u8(RDMA_NLDEV_ATTR_RES_STATE, 8)
        .u32(RDMA_NLDEV_ATTR_RES_PS, 0x106)
        .u32(RDMA_NLDEV_ATTR_RES_CM_IDN, 0)
        .u32(RDMA_NLDEV_ATTR_RES_PID, 42)
        .bytes(RDMA_NLDEV_ATTR_RES_SRC_ADDR, &address);
    let tape = || {
        devices()
            .then(
                query(Kind::CmId).dump(0, None),
                vec![table(Kind::CmId, 0, std::slice::from_ref(&cm_id)), done(0)],
            )
            .then(query(Kind::CmId).dump(1, None), vec![done(0)])
    };
    let line = "link mlx5_0/1 cm-idn 0 state LISTEN ps TCP pid 42 comm rping src-addr 192.168.77.1:7174 \n";
    assert_eq!(printed(&tape(), "rdma res show cm_id src-port 7174"), line);
    assert_eq!(printed(&tape(), "rdma res show c src-a 192.168.77.1"), line);
    assert_eq!(printed(&tape(), "rdma res show c dst-addr 0.0.0.0"), "");
}

/// iproute2 writes an IPv6 address and its port with nothing but a colon between, and has one word
/// for two port spaces.
#[test]
fn connections_are_clear_in_tables_and_to_programs() {
    // struct sockaddr_in6: family, port, flow, address
    let mut address = vec![10, 0, 0x1c, 0x06, 0, 0, 0, 0, 0xfe, 0x80];
    address.resize(23, 0);
    address.push(1);
    address.resize(128, 0);
    let cm_id = Request::new(0)
        .u8(RDMA_NLDEV_ATTR_RES_STATE, 8)
        .u32(RDMA_NLDEV_ATTR_RES_PS, 0x13f)
        .bytes(RDMA_NLDEV_ATTR_RES_DST_ADDR, &address);
    let tape = || {
        devices()
            .then(
                query(Kind::CmId).dump(0, None),
                vec![table(Kind::CmId, 0, std::slice::from_ref(&cm_id)), done(0)],
            )
            .then(query(Kind::CmId).dump(1, None), vec![done(0)])
    };
    let line = "link mlx5_0/- state LISTEN ps IPoIB dst-addr fe80::1:7174 \n";
    for words in ["rdma -d res show cm_id", "rdmactl res show cm_id"] {
        assert_eq!(printed(&tape(), words), line);
    }
    let table = call(&tape(), "rdmactl res show cm_id", Some(80)).out;
    assert_eq!(
        table,
        "DEVICE  STATE   PS  DESTINATION\nmlx5_0  LISTEN  IB  [fe80::1]:7174\n"
    );
    let json = "[{\"ifindex\":0,\"ifname\":\"mlx5_0\",\"state\":\"LISTEN\",\"ps\":\"IPoIB\",\"dst-addr\":\"fe80::1:7174\"";
    for words in ["rdma -j -d res show cm_id", "rdmactl -j res show cm_id"] {
        assert_eq!(printed(&tape(), words), json.to_owned() + "}\n]\n");
    }
    assert_eq!(
        printed(&tape(), "rdmactl -j -d res show cm_id"),
        json.to_owned() + ",\"dst-ip\":\"fe80::1\",\"dst-port\":7174}\n]\n"
    );
}

#[test]
fn pools_are_shown_and_set() {
    let key: FrmrKey = "1f:10:f:1".parse().unwrap();
    let pool = Request::new(0)
        .nest(RDMA_NLDEV_ATTR_FRMR_POOL_KEY, |nest| {
            nest.u8(RDMA_NLDEV_ATTR_FRMR_POOL_KEY_ATS, 1)
                .u32(RDMA_NLDEV_ATTR_FRMR_POOL_KEY_ACCESS_FLAGS, 15)
                .u64(RDMA_NLDEV_ATTR_FRMR_POOL_KEY_VENDOR_KEY, 31)
                .u64(RDMA_NLDEV_ATTR_FRMR_POOL_KEY_NUM_DMA_BLOCKS, 16)
        })
        .u32(RDMA_NLDEV_ATTR_FRMR_POOL_QUEUE_HANDLES, 2)
        .u64(RDMA_NLDEV_ATTR_FRMR_POOL_MAX_IN_USE, 9)
        .u64(RDMA_NLDEV_ATTR_FRMR_POOL_IN_USE, 1 << 33)
        .u32(RDMA_NLDEV_ATTR_FRMR_POOL_PINNED_HANDLES, 4);
    let tape = || {
        devices().then(
            query(Kind::FrmrPools).dump(0, None),
            vec![
                table(Kind::FrmrPools, 0, std::slice::from_ref(&pool)),
                done(0),
            ],
        )
    };
    assert_eq!(
        printed(&tape(), "rdma res show f dev mlx5_0 vendor_key 0x1f"),
        "dev mlx5_0 key 1f:10:f:1 queue 2 in_use 8589934592 max_in_use 9 pinned 4 \n"
    );
    assert_eq!(
        printed(&tape(), "rdma -d res show frmr_pools dev mlx5_0"),
        "dev mlx5_0 key 1f:10:f:1 ats 1 access_flags 15 vendor_key 31 num_dma_blocks 16 \
         queue 2 in_use 8589934592 max_in_use 9 pinned 4 \n"
    );
    let set = devices().then(frmr_pools::set_aging(1, 10), vec![ack(0)]);
    assert_eq!(printed(&set, "rdma -j res se f dev mlx5_1 a 10"), "[]\n");
    let set = devices().then(frmr_pools::set_pinned(1, &key, 8), vec![ack(0)]);
    assert_eq!(
        printed(
            &set,
            "rdma res set frmr_pools dev mlx5_1 pinned 1f:10:f:1 8"
        ),
        ""
    );
    assert_eq!(
        printed(
            &devices(),
            "rdmactl --dry-run resource set frmr_pools dev mlx5_1 aging 9"
        ),
        "would keep unused handles of the FRMR pools of mlx5_1 for 9 seconds\n"
    );
}

/// The kernel's answer to a command that it does not have, and to one that it has.
fn probe(tape: Tape, kind: u16, known: bool) -> Tape {
    let mut body = (-34i32).to_ne_bytes().to_vec();
    body.extend_from_slice(&[0; 16]);
    body.extend_from_slice(
        Request::new(0)
            .text(1, "Attribute failed policy validation")
            .body(),
    );
    let why = Answer::Bytes(support::message(2, 0x300, 0, &body));
    let answer = if known { why } else { ack(22) };
    tape.then(
        Request::new(kind).u8(RDMA_NLDEV_ATTR_DEV_INDEX, 0),
        vec![answer],
    )
}

#[test]
fn a_device_that_cannot_be_asked_does_not_end_the_listing() {
    let q = query(Kind::Qp);
    let tape = devices().then(q.dump(0, None), vec![done(22)]);
    let tape = probe(tape, q.message_type(), true)
        .then(device::get(0), vec![data(0x1401, &mlx5(0)), ack(0)])
        .then(
            q.dump(1, None),
            vec![table(Kind::Qp, 1, &[gsi(1)]), done(0)],
        );
    let ran = call(&tape, "rdma res show qp", None);
    assert_eq!(ran.code, 1);
    assert_eq!(ran.out, QP_GSI.replace("mlx5_0/2", "mlx5_1/1"));
    assert!(
        ran.err.starts_with("error: Invalid argument\n")
            && ran.err.contains("queue pairs of mlx5_0"),
        "{}",
        ran.err
    );
}

#[test]
fn a_kernel_without_the_command_is_told_apart() {
    let q = query(Kind::FrmrPools);
    let tape = devices().then(q.dump(0, None), vec![done(22)]);
    let ran = call(
        &probe(tape, q.message_type(), false),
        "rdma -j res show f",
        None,
    );
    assert_eq!((ran.code, ran.out.as_str()), (1, "[]\n"));
    assert!(ran.err.contains("Linux 7.1"), "{}", ran.err);
}

#[test]
fn raw_forms() {
    let q = Query {
        raw: true,
        ..query(Kind::Cq)
    };
    let raw = Request::new(0).bytes(RDMA_NLDEV_ATTR_RES_RAW, &[0, 18, 255]);
    let tape = || {
        devices().then(
            q.dump(0, None),
            vec![table(Kind::Cq, 0, std::slice::from_ref(&raw)), done(0)],
        )
    };
    assert_eq!(
        printed(&tape(), "rdma -r res show cq dev mlx5_0"),
        "dev mlx5_0 018255>\n"
    );
    assert_eq!(
        printed(&tape(), "rdma -r -j res show cq dev mlx5_0"),
        "[{\"ifindex\":0,\"ifname\":\"mlx5_0\",\"data\":[0,18,255]}\n]\n"
    );
    assert_eq!(q.message_type(), 0x1400 + nldev::op::RES_CQ_GET_RAW);
}

#[test]
fn words_that_make_no_command() {
    for line in [
        "rdma res bogus",
        "rdma res show qp bogus 1",
        "rdma res show qp lqpn x",
        "rdma res show qp lqpn 1,,2",
        "rdma res show qp link mlx5_0 dev mlx5_1",
        "rdma res show mlx5_0 qp",
        "rdma res set frmr_pools aging 5",
        "rdma res set frmr_pools dev mlx5_0 aging 0",
        "rdma res set frmr_pools dev mlx5_0 pinned 1:2:3 5",
    ] {
        let ran = call(&Tape::default(), line, None);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{line}");
        assert!(ran.err.starts_with("error: "), "{line}: {}", ran.err);
    }
}

proptest! {
    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let _ = Summary::decode(&bytes);
        for kind in Kind::ALL {
            for raw in [false, true] {
                let query = Query { raw, ..query(kind) };
                let _ = query.decode_table(&bytes);
                let _ = query.decode_one(&bytes);
            }
        }
    }

    /// Bytes that look like attributes reach deeper than noise does.
    #[test]
    fn no_attributes_make_a_decoder_panic(
        attrs in proptest::collection::vec((0u16..130, proptest::collection::vec(any::<u8>(), 0..40)), 0..20),
    ) {
        let inner = attrs.iter().fold(Request::new(0), |request, (id, value)| request.bytes(*id, value));
        for kind in Kind::ALL {
            let (table, each) = kind.table();
            let list = Request::new(0).bytes(each, inner.body());
            let _ = query(kind).decode_table(about(0).bytes(table, list.body()).body());
            let _ = query(kind).decode_one(about(0).fixed(inner.body()).body());
        }
        let _ = Summary::decode(about(0).bytes(RDMA_NLDEV_ATTR_RES_SUMMARY, inner.body()).body());
    }
}
