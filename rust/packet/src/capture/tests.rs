use super::*;

const IPV4: &str = "45000014000000004000f6dfc0000209c0000201";

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// A little-endian pcap with microseconds: frames as (seconds, microseconds, bytes).
fn pcap(link: u32, frames: &[(u32, u32, &[u8])]) -> Vec<u8> {
    let mut file = hex("d4c3b2a1020004000000000000000000ffff0000");
    file.extend(link.to_le_bytes());
    for (seconds, micros, bytes) in frames {
        let length = u32::try_from(bytes.len()).unwrap();
        for word in [*seconds, *micros, length, length] {
            file.extend(word.to_le_bytes());
        }
        file.extend(*bytes);
    }
    file
}

/// A big-endian pcapng block.
fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let padded = body.len().next_multiple_of(4);
    let total = u32::try_from(padded + 12).unwrap().to_be_bytes();
    let mut block = [kind.to_be_bytes(), total].concat();
    block.extend(body);
    block.resize(padded + 8, 0);
    block.extend(total);
    block
}

fn section() -> Vec<u8> {
    block(0x0a0d_0d0a, &hex("1a2b3c4d00010000ffffffffffffffff"))
}

/// An interface of Ethernet frames, with an option.
fn interface(link: u16, options: &str) -> Vec<u8> {
    block(1, &[&link.to_be_bytes()[..], &hex("000000040000"), &hex(options), &hex("00000000")].concat())
}

fn enhanced(interface: u32, ticks: u64, bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap();
    let mut body = Vec::new();
    let high = u32::try_from(ticks >> 32).unwrap();
    let low = u32::try_from(ticks & 0xffff_ffff).unwrap();
    for word in [interface, high, low, length, length] {
        body.extend(word.to_be_bytes());
    }
    body.extend(bytes);
    block(6, &body)
}

fn packets(file: &[u8]) -> Vec<Vec<u8>> {
    let frames = read(file).unwrap();
    frames
        .into_iter()
        .filter_map(|frame| match frame.content {
            Content::Ip { packet, .. } => Some(packet),
            Content::Other(_) => None,
        })
        .collect()
}

#[test]
fn what_is_around_a_packet_is_taken_off() {
    let ip = hex(IPV4);
    let ethernet = [hex("0102030405060708090a0b0c0800"), ip.clone(), vec![0; 26]].concat();
    let tagged = [hex("0102030405060708090a0b0c88a8000181000002"), hex("0800"), ip.clone()].concat();
    let cooked = [hex("0000000100060102030405060000"), hex("0800"), ip.clone()].concat();
    let cooked2 = [hex("0800000000000003000100060102030405060000"), ip.clone()].concat();
    for (link, frame) in
        [(1, &ethernet), (1, &tagged), (113, &cooked), (276, &cooked2), (101, &ip), (228, &ip), (12, &ip)]
    {
        assert_eq!(packets(&pcap(link, &[(1, 2, frame)])), vec![ip.clone()], "link type {link}");
    }
}

#[test]
fn what_is_no_ip_keeps_its_place() {
    let arp = hex("0102030405060708090a0b0c0806000108000604");
    let frames = read(&pcap(1, &[(7, 5, &arp), (7, 6, &[1, 2])])).unwrap();
    assert_eq!(frames[0].content, Content::Other(0x0806));
    assert_eq!(frames[1].content, Content::Other(0));
    assert_eq!(frames[1].time_ns, 7_000_006_000);
}

#[test]
fn a_cooked_capture_says_what_the_machine_sent() {
    let cooked = [hex("0004000100060102030405060000"), hex("0800"), hex(IPV4)].concat();
    let frames = read(&pcap(113, &[(0, 0, &cooked)])).unwrap();
    assert!(matches!(frames[0].content, Content::Ip { is_outgoing: true, .. }));
}

#[test]
fn an_interface_says_its_name_and_its_ticks() {
    let ethernet = [hex("0102030405060708090a0b0c0800"), hex(IPV4)].concat();
    // if_name "eth0"; if_tsresol 9, 3 and 2^-1; if_tsoffset 10.
    let named = "0002000465746830";
    for (options, ticks, time_ns) in [
        (named, 1_000_000, 1_000_000_000),
        ("0009000109000000", 77, 77),
        ("0009000103000000", 77, 77_000_000),
        ("0009000181000000", 3, 1_500_000_000),
        ("000e0008000000000000000a", 5, 10_000_005_000),
    ] {
        let file = [section(), interface(1, options), enhanced(0, ticks, &ethernet)].concat();
        let frames = read(&file).unwrap();
        assert_eq!((frames.len(), frames[0].time_ns), (1, time_ns), "{options}");
        assert_eq!(frames[0].device.as_deref(), (options == named).then_some("eth0"));
    }
}

#[test]
fn blocks_of_other_kinds_are_stepped_over() {
    let file =
        [section(), interface(101, "00010000"), block(0xbad, &[9; 7]), enhanced(0, 1, &hex(IPV4))].concat();
    assert_eq!(packets(&file), [hex(IPV4)]);
}

#[test]
fn what_cannot_be_read_is_named() {
    let good = pcap(101, &[(0, 0, &hex(IPV4)), (0, 0, &hex(IPV4))]);
    let no_interface = [section(), enhanced(3, 1, &hex(IPV4))].concat();
    for (file, said) in [
        (&[][..], "the file's header: the file is empty"),
        (b"no capture, but long enough for one", "the file's header: it is neither pcap nor pcapng"),
        (&good[..20], "the file's header: the file ends in the middle of it"),
        (&good[..good.len() - 1], "frame 2: the file ends in the middle of it"),
        (&good[..good.len() - 25], "frame 2: the file ends in the middle of it"),
        (&pcap(101, &[(0, 1_000_000, &[])]), "frame 1: its time has more than a second of fractions"),
        (&no_interface, "block 2: there is no interface 3 before it"),
        (&no_interface[..40], "block 2: the file ends in the middle of it"),
    ] {
        let error = read(file).unwrap_err();
        assert_eq!((error.to_string().as_str(), error.code()), (said, "capture-malformed"));
    }
}

#[test]
fn a_link_that_is_not_known_is_refused_by_its_number() {
    let error = read(&pcap(127, &[])).unwrap_err();
    assert_eq!(error.code(), "capture-link-type-not-modelled");
    assert!(error.to_string().starts_with("the file's header: link type 127 is not modelled"), "{error}");
}

#[test]
fn what_is_written_is_read_again() {
    let ip = hex(IPV4);
    let leaving = |time_ns, device| Leaving { time_ns, device, packet: &ip };
    let sent = [leaving(5, "eth0"), leaving(2_000_000_003, "eth1"), leaving(2_000_000_003, "eth0")];
    for format in [Format::Pcap, Format::Pcapng] {
        let frames = read(&write(&sent, format)).unwrap();
        let times: Vec<u64> = frames.iter().map(|frame| frame.time_ns).collect();
        assert_eq!(times, [5, 2_000_000_003, 2_000_000_003], "{format:?}");
        let devices: Vec<Option<&str>> = frames.iter().map(|frame| frame.device.as_deref()).collect();
        let named = [Some("eth0"), Some("eth1"), Some("eth0")];
        assert_eq!(devices, if format == Format::Pcapng { named } else { [None; 3] });
    }
}

proptest::proptest! {
    /// Whatever the bytes are, and wherever a good file is cut or changed: frames or an error.
    #[test]
    fn any_bytes_are_frames_or_an_error(
        cut in 0_usize..200, at in 0_usize..200, byte: u8, ng: bool,
    ) {
        let good = [section(), interface(1, "0009000109000000"), enhanced(0, 1, &[0; 40])].concat();
        let mut file = if ng { good } else { pcap(1, &[(1, 1, &[0; 40]), (1, 1, &[0; 40])]) };
        file.truncate(cut);
        if let Some(place) = file.get_mut(at) {
            *place = byte;
        }
        let _frames_or_error = read(&file);
    }
}
