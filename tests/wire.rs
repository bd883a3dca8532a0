//! The wire floor against hostile bytes, against itself, and against an independent writer.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use netlink_packet_core::Emitable;
use netlink_packet_route::link::{
    LinkAttribute, LinkMessage, LinkVfInfo, VfInfo, VfInfoGuid, VfInfoMac,
};
use proptest::prelude::*;
use rdmactl::types::{Guid, IfName, Mac, NetnsMode, RdmaName};
use rdmactl::wire::extack::ErrorReply;
use rdmactl::wire::link::message::Link;
use rdmactl::wire::nldev::attr_ids::*;
use rdmactl::wire::nldev::chardev::CharDev;
use rdmactl::wire::nldev::device::Device;
use rdmactl::wire::nldev::port::Port;
use rdmactl::wire::nldev::system::System;
use rdmactl::wire::nldev::{chardev, device, link, op, port, system};
use rdmactl::wire::{Attrs, Request};

proptest! {
    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512), flags: u16) {
        let _ = Device::decode(&bytes);
        let _ = Port::decode(&bytes);
        let _ = System::decode(&bytes);
        let _ = Link::decode(&bytes);
        let _ = CharDev::decode(&bytes);
        let _ = ErrorReply::decode(&bytes, flags);
        let walked: usize = Attrs::new(&bytes).map(|attr| attr.value.len() + attr.text().len()).sum();
        prop_assert!(walked <= bytes.len() * 4);
    }

    /// Bytes that look like attributes reach deeper than noise does.
    #[test]
    fn no_attributes_make_a_decoder_panic(
        attrs in proptest::collection::vec((0u16..130, proptest::collection::vec(any::<u8>(), 0..40)), 0..20),
        cut in 0usize..64,
    ) {
        let request = attrs.iter().fold(Request::new(0), |request, (id, value)| request.bytes(*id, value));
        let body = request.body();
        let body = &body[..body.len().saturating_sub(cut)];
        let _ = Device::decode(body);
        let _ = CharDev::decode(body);
        let _ = Port::decode(body);
        let _ = System::decode(body);
        let mut link = vec![0; 16];
        link.extend_from_slice(body);
        let _ = Link::decode(&link);
    }

    #[test]
    fn a_written_device_is_read_back(
        index: u32, name in "[a-z0-9_]{1,63}", last_port: u32, node_type: u8, node_guid: u64,
        image_guid: u64, dim: u8, caps: u64, firmware in "[0-9.]{0,30}",
    ) {
        let written = Request::new(0)
            .u32(RDMA_NLDEV_ATTR_DEV_INDEX, index)
            .text(RDMA_NLDEV_ATTR_DEV_NAME, &name)
            .u32(RDMA_NLDEV_ATTR_PORT_INDEX, last_port)
            .u64(RDMA_NLDEV_ATTR_CAP_FLAGS, caps)
            .text(RDMA_NLDEV_ATTR_FW_VERSION, &firmware)
            .u64(RDMA_NLDEV_ATTR_NODE_GUID, node_guid)
            .u64(RDMA_NLDEV_ATTR_SYS_IMAGE_GUID, image_guid)
            .u8(RDMA_NLDEV_ATTR_DEV_NODE_TYPE, node_type)
            .u8(RDMA_NLDEV_ATTR_DEV_DIM, dim)
            .u32(4000, 1);
        let read = Device::decode(written.body()).unwrap();
        prop_assert_eq!(read, Device {
            index, name, last_port: Some(last_port), node_type: Some(node_type), protocol: None,
            firmware: Some(firmware), node_guid: Some(Guid::new(node_guid)),
            sys_image_guid: Some(Guid::new(image_guid)), dev_type: None, parent: None,
            dim: Some(dim), caps: Some(caps),
        });
    }

    #[test]
    fn a_written_port_is_read_back(index: u32, number: u32, prefix: u64, lid: u32, lmc: u8, state: u8, ndev: u32) {
        let written = Request::new(0)
            .u32(RDMA_NLDEV_ATTR_DEV_INDEX, index)
            .text(RDMA_NLDEV_ATTR_DEV_NAME, "mlx5_0")
            .u32(RDMA_NLDEV_ATTR_PORT_INDEX, number)
            .u64(RDMA_NLDEV_ATTR_SUBNET_PREFIX, prefix)
            .u32(RDMA_NLDEV_ATTR_LID, lid)
            .u8(RDMA_NLDEV_ATTR_LMC, lmc)
            .u8(RDMA_NLDEV_ATTR_PORT_STATE, state)
            .u32(RDMA_NLDEV_ATTR_NDEV_INDEX, ndev)
            .text(RDMA_NLDEV_ATTR_NDEV_NAME, "ib0");
        let read = Port::decode(written.body()).unwrap();
        prop_assert_eq!(read, Port {
            device_index: index, device: "mlx5_0".into(), number, subnet_prefix: Some(prefix), lid: Some(lid),
            sm_lid: None, lmc: Some(lmc), state: Some(state), physical_state: None,
            netdev: Some("ib0".into()), netdev_index: Some(ndev), caps: None,
        });
    }

    #[test]
    fn any_name_that_is_accepted_stays_itself(word in "\\PC{0,70}") {
        if let Ok(name) = word.parse::<RdmaName>() {
            let request = device::rename(1, &name);
            prop_assert_eq!(Attrs::new(request.body()).find(RDMA_NLDEV_ATTR_DEV_NAME).unwrap().text(), word.clone());
        }
        if let Ok(name) = word.parse::<IfName>() {
            prop_assert_eq!(name.as_str(), word);
        }
    }

    #[test]
    fn guids_survive_both_spellings(value: u64) {
        let guid = Guid::new(value);
        prop_assert_eq!(guid.to_string().parse::<Guid>().unwrap(), guid);
        prop_assert_eq!(guid.quads().parse::<Guid>().unwrap(), guid);
    }

    /// netlink-packet-route writes the VF list on its own reading of `uapi/linux/if_link.h`.
    #[test]
    fn vfs_as_another_library_writes_them(vf in 0u32..256, mac: [u8; 6], node: u64, port: u64) {
        let list = vec![LinkVfInfo(vec![
            VfInfo::Mac(VfInfoMac::new(vf, &mac)),
            VfInfo::IbNodeGuid(VfInfoGuid::new(vf, node)),
            VfInfo::IbPortGuid(VfInfoGuid::new(vf, port)),
        ])];
        let mut message = LinkMessage::default();
        message.header.index = 7;
        message.attributes.push(LinkAttribute::IfName("ib0".into()));
        message.attributes.push(LinkAttribute::VfInfoList(list));
        let mut bytes = vec![0; message.buffer_len()];
        message.emit(&mut bytes);
        let read = Link::decode(&bytes).unwrap();
        prop_assert_eq!(read.index, 7);
        prop_assert_eq!(read.vfs.len(), 1);
        prop_assert_eq!(read.vfs[0].index, vf);
        prop_assert_eq!(read.vfs[0].mac, Some(Mac::new(mac)));
        prop_assert_eq!(read.vfs[0].node_guid, Some(Guid::new(node)));
        prop_assert_eq!(read.vfs[0].port_guid, Some(Guid::new(port)));
    }
}

#[test]
fn a_device_file_by_its_numbers() {
    // strace of `rdmactl link delete rxe0` on Linux 6.12, where `stat` shows 231:192.
    assert_eq!(chardev::verbs(0).kind(), 0x140f);
    assert_eq!(
        chardev::verbs(0).body(),
        b"\x08\0\x01\0\0\0\0\0\x0b\0\x45\0uverbs\0\0"
    );
    let answer = b"\x08\0\x49\0\x0e\0\0\0\x0c\0\x48\0\xc0\xe7\0\0\0\0\0\0\
                   \x0c\0\x47\0\x02\0\0\0\0\0\0\0\x0c\0\x46\0uverbs0\0";
    let file = CharDev::decode(answer).unwrap();
    assert_eq!(
        (file.name.as_str(), file.number),
        ("uverbs0", 231 << 8 | 192)
    );
    assert_eq!(file.driver_id, Some(14));
    let question = chardev::question(chardev::Kind::Uverbs, Some(0), None);
    assert_eq!(question.body(), chardev::verbs(0).body());
    assert!(CharDev::decode(&answer[..20]).is_err());
}

#[test]
fn requests_are_what_iproute2_sends() {
    // strace of `rdma dev set mlx5_0 name foo0` and others on Linux 6.12: type, then attributes.
    let name: RdmaName = "foo0".parse().unwrap();
    let rename = device::rename(3, &name);
    assert_eq!(rename.kind(), 0x1402);
    assert_eq!(
        rename.body(),
        b"\x08\0\x01\0\x03\0\0\0\x09\0\x02\0foo0\0\0\0\0"
    );
    assert_eq!(
        system::set_netns_mode(NetnsMode::Exclusive).body(),
        [5, 0, 66, 0, 0, 0, 0, 0]
    );
    assert_eq!(
        system::set_netns_mode(NetnsMode::Shared).body(),
        [5, 0, 66, 0, 1, 0, 0, 0]
    );
    assert_eq!(system::get().kind(), 0x1406);
    assert_eq!(port::get(0, 1).kind(), 0x1405);
    assert_eq!(
        link::add(&name, "rxe", &"eth0".parse().unwrap()).kind(),
        0x1403
    );
    assert!(device::dump().is_dump() && !device::get(0).is_dump());
    assert_eq!(device::dump().kind(), 0x1400 + op::GET);
}

#[test]
fn an_extended_acknowledgement_is_read() {
    // `SYS_SET` with attribute 103 on Linux 6.12 (transcript 08): -22, capped, then text and offset.
    let mut body = (-22i32).to_ne_bytes().to_vec();
    body.extend_from_slice(&[16, 0, 0, 0, 7, 20, 5, 0, 77, 0, 0, 0, 0, 0, 0, 0]);
    body.extend_from_slice(
        Request::new(0)
            .text(1, "Unsupported attribute")
            .u32(2, 16)
            .body(),
    );
    let reply = ErrorReply::decode(&body, 0x300).unwrap();
    assert_eq!(reply.errno, 22);
    assert_eq!(reply.message.as_deref(), Some("Unsupported attribute"));
    assert_eq!(reply.offset, Some(16));
    // Without CAP_ACK the whole request is echoed in front of the text.
    let mut body = (-22i32).to_ne_bytes().to_vec();
    body.extend_from_slice(&[24, 0, 0, 0, 7, 20, 5, 0, 77, 0, 0, 0, 0, 0, 0, 0]);
    body.extend_from_slice(&[8, 0, 103, 0, 1, 0, 0, 0]);
    body.extend_from_slice(Request::new(0).text(1, "Unsupported attribute").body());
    let reply = ErrorReply::decode(&body, 0x200).unwrap();
    assert_eq!(reply.message.as_deref(), Some("Unsupported attribute"));
    assert_eq!(
        ErrorReply::decode(&[0, 0, 0, 0], 0x200).unwrap(),
        ErrorReply::default()
    );
    assert!(ErrorReply::decode(&[0, 0, 0], 0).is_err());
}
