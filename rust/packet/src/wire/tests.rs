use std::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::{Headers, OptionKinds, Proto, Tcp, TcpOptions, flags};

fn v4(last: u8) -> IpAddr {
    [10, 0, 0, last].into()
}

fn syn() -> Headers {
    let mut headers = Headers::plain(Proto::TCP, (v4(1), 40_000), (v4(2), 80));
    let options = TcpOptions {
        present: true,
        mss: Some(1460),
        window_scale: Some(7),
        sack_permitted: true,
        // With the one byte that fills the last word.
        kinds: OptionKinds::of(&[2, 4, 0, 0, 4, 2, 3, 3, 0, 1]),
        ..TcpOptions::default()
    };
    headers.tcp = Some(Tcp { flags: flags::SYN, seq: 7, window: 64_240, options, ..Tcp::default() });
    headers
}

#[test]
fn what_is_built_parses_back() {
    let bytes = build(&syn(), b"");
    let parsed = parse(&bytes).unwrap();
    assert_eq!(parsed, Headers { length: 32 + 20, ..syn() });
    let udp6 = Headers::plain(Proto::UDP, ("fd00::1".parse().unwrap(), 5), ("fd00::2".parse().unwrap(), 53));
    let parsed = parse(&build(&udp6, b"abc")).unwrap();
    assert!(parsed.sound);
    assert_eq!((parsed.sport, parsed.dport, parsed.length), (5, 53, 51));
}

#[test]
fn damage_is_told_from_rubbish() {
    let mut bytes = build(&syn(), b"hello");
    *bytes.last_mut().unwrap() ^= 1;
    assert!(!parse(&bytes).unwrap().sound, "a wrong TCP checksum is tracked as INVALID");
    bytes[8] ^= 1;
    assert_eq!(parse(&bytes), Err(Malformed::Checksum));
    assert_eq!(parse(&bytes[..19]), Err(Malformed::Truncated));
    assert_eq!(parse(&[0x70; 40]), Err(Malformed::Version));
    assert_eq!(parse(&[]), Err(Malformed::Truncated));
}

#[test]
fn a_reset_answers_what_was_carried() {
    let reset = tcp_reset(&syn()).unwrap();
    let tcp = reset.tcp.unwrap();
    assert_eq!((tcp.flags, tcp.seq, tcp.ack), (flags::RST | flags::ACK, 0, 8));
    assert_eq!(tcp_reset(&reset), None, "no reset for a reset");
}

#[test]
fn an_error_quotes_at_most_576_bytes() {
    let big = build(&Headers::plain(Proto::UDP, (v4(1), 1), (v4(2), 2)), &[0; 1000]);
    let error = icmp_error(v4(9), v4(1), (3, 3), &big);
    assert_eq!(error.len(), 576);
    let parsed = parse(&error).unwrap();
    assert!(parsed.sound);
    assert_eq!(parsed.icmp(), Some((3, 3)));
    assert_eq!(parsed.quoted.unwrap().tuple.dport, 2);
}

fn packets() -> impl Strategy<Value = (Headers, Vec<u8>)> {
    let proto = prop::sample::select(vec![Proto::TCP, Proto::UDP, Proto::ICMP]);
    (
        proto,
        any::<[u8; 4]>(),
        any::<[u8; 4]>(),
        any::<(u16, u16)>(),
        prop::collection::vec(any::<u8>(), 0..40),
    )
        .prop_map(|(proto, src, dst, (sport, dport), payload)| {
            let dport = if proto == Proto::ICMP { 8 << 8 } else { dport };
            (Headers::plain(proto, (src.into(), sport), (dst.into(), dport)), payload)
        })
}

proptest! {
    /// The slow twin of patching by difference: building the packet anew.
    #[test]
    fn patching_equals_building_anew((before, payload) in packets(), addr: [u8; 4], port: u16, ttl in 1u8..) {
        let mut bytes = build(&before, &payload);
        let mut after = Headers { dst: addr.into(), sport: port, ttl, ..before.clone() };
        if !before.proto.is_icmp() {
            after.dport = port ^ 1;
        }
        patch(&mut bytes, &after).unwrap();
        prop_assert_eq!(&bytes[..10], &build(&after, &payload)[..10]);
        let parsed = parse(&bytes).unwrap();
        prop_assert!(parsed.sound);
        prop_assert_eq!(parsed.tuple(0), after.tuple(0));
    }

    #[test]
    fn a_quoted_packet_is_translated_in_place((inner, payload) in packets(), addr: [u8; 4], port: u16) {
        let mut error = icmp_error(v4(9), v4(8), (3, 1), &build(&inner, &payload));
        let mut after = parse(&error).unwrap();
        let quoted = after.quoted.as_mut().unwrap();
        quoted.tuple.src = addr.into();
        quoted.tuple.sport = port;
        patch(&mut error, &after).unwrap();
        let parsed = parse(&error).unwrap();
        prop_assert!(parsed.sound);
        prop_assert_eq!(parsed.quoted, after.quoted);
    }

    #[test]
    fn no_bytes_make_it_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..120), first in prop::sample::select(vec![0x45u8, 0x46, 0x60])) {
        if let Some(byte) = bytes.first_mut() {
            *byte = first;
        }
        if let Ok(headers) = parse(&bytes) {
            let _ = patch(&mut bytes, &headers);
        }
    }
}

#[test]
fn a_segment_size_is_put_in_or_lowered_with_its_checksums() {
    let mut headers = syn();
    headers.tcp.as_mut().unwrap().options.mss = None;
    let mut bytes = build(&headers, b"");
    add_mss(&mut bytes, 1200).unwrap();
    let grown = parse(&bytes).unwrap();
    assert!(grown.sound);
    assert_eq!((grown.tcp.unwrap().options.mss, usize::from(grown.length)), (Some(1200), bytes.len()));
    let mut lower = grown.clone();
    lower.tcp.as_mut().unwrap().options.mss = Some(700);
    lower.tos = 0x10;
    patch(&mut bytes, &lower).unwrap();
    assert_eq!(parse(&bytes).unwrap(), lower);
}

#[test]
fn a_header_cut_short_is_told_from_a_wrong_checksum() {
    let mut bytes = build(&syn(), b"hello");
    *bytes.last_mut().unwrap() ^= 1;
    let damaged = parse(&bytes).unwrap();
    assert_eq!((damaged.whole, damaged.sound), (true, false));
    bytes[20 + 12] = 0xf0;
    assert!(!parse(&bytes).unwrap().whole, "the header would end behind the packet");
    let mut udp = build(&Headers::plain(Proto::UDP, (v4(1), 1), (v4(2), 2)), b"abc");
    udp[25] = 40;
    assert!(!parse(&udp).unwrap().whole, "the length reaches beyond the packet");
}
