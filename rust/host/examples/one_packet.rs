//! Time of one exact packet at a time through a box with rules, from bytes to bytes: `one_packet RULES PACKETS`, in a release
//! build. RULES is what iptables-restore takes, PACKETS has one SYN a line, in hexadecimal. Evaluated from rule to rule.
#![expect(clippy::disallowed_types, reason = "a measurement reads a clock")]

use std::time::Instant;

use kdp_host::{DeviceId, Evaluator, Fate, Host, Packet};
use kdp_netfilter::conntrack::Settings;
use kdp_packet::{Family, Headers, Proto, Tcp, flags, wire};
use kdp_sim::{Chance, Time};

fn main() {
    let [rules, packets] = [1, 2].map(|place| {
        let path = std::env::args().nth(place).expect("usage: one_packet RULES PACKETS");
        std::fs::read_to_string(path).expect("the file is there")
    });
    let syns: Vec<Vec<u8>> = packets.lines().map(bytes).collect();
    let (mut host, [node, pod]) = router(&rules);
    let mut sent = Vec::new();
    report("new", &syns, |packet| sent.push(pass(&mut host, node, packet)));
    for syn in &sent {
        pass(&mut host, pod, answer(syn));
    }
    let acks: Vec<Vec<u8>> = syns.iter().map(|syn| acknowledgement(syn)).collect();
    for ack in &acks {
        pass(&mut host, node, ack.clone());
    }
    report("established", &acks, |packet| drop(pass(&mut host, node, packet)));
}

fn router(rules: &str) -> (Host, [DeviceId; 2]) {
    let mut host = Host::new("box", Settings::default(), Chance::new(1));
    host.set_evaluator(Evaluator::Scan);
    for (name, addr) in [("pod0", "10.244.0.1/24"), ("node1", "172.16.0.1/24"), ("ext0", "192.168.100.1/24")]
    {
        host.add_device(name, &[addr]).expect("the address is right");
    }
    host.add_route("10.244.1.0/24", "node1", None).expect("the route is right");
    host.add_route("default", "ext0", None).expect("the route is right");
    let transaction =
        kdp_netfilter::text::parse(rules, "rules", Family::V4, false).expect("the rules are right");
    host.apply(&transaction).expect("the rules are right");
    let [node, pod] = ["node1", "pod0"].map(|name| host.device(name).expect("it was just added"));
    (host, [node, pod])
}

/// From bytes to bytes; the packet must leave.
fn pass(host: &mut Host, device: DeviceId, packet: Vec<u8>) -> Vec<u8> {
    let packet = Packet::parse(packet).expect("the packet is right");
    let walk = host.receive(device, packet, Time::from_secs(1)).expect("all of it is modelled");
    let Fate::Sent { packet, .. } = walk.fate else { panic!("the packet went nowhere: {:?}", walk.fate) };
    packet.bytes().expect("the packet is whole")
}

fn report(name: &str, packets: &[Vec<u8>], mut send: impl FnMut(Vec<u8>)) {
    let started = Instant::now();
    for packet in packets {
        send(packet.clone());
    }
    println!("{name} {}", started.elapsed().as_nanos() / packets.len() as u128);
}

/// What the endpoint answers.
fn answer(syn: &[u8]) -> Vec<u8> {
    let syn = wire::parse(syn).expect("the packet was sent");
    let mut headers = Headers::plain(Proto::TCP, (syn.dst, syn.dport), (syn.src, syn.sport));
    let seq = syn.tcp.expect("it is TCP").seq;
    headers.tcp = Some(Tcp {
        flags: flags::SYN | flags::ACK,
        ack: seq.wrapping_add(1),
        window: 64_240,
        ..Tcp::default()
    });
    wire::build(&headers, &[])
}

/// What the client sends then.
fn acknowledgement(syn: &[u8]) -> Vec<u8> {
    let mut headers = wire::parse(syn).expect("the packet is right");
    let tcp = headers.tcp.as_mut().expect("it is TCP");
    (tcp.flags, tcp.seq, tcp.ack) = (flags::ACK, tcp.seq.wrapping_add(1), 1);
    wire::build(&headers, &[])
}

fn bytes(line: &str) -> Vec<u8> {
    let byte = |at: usize| u8::from_str_radix(&line[at..at + 2], 16).expect("the line is hexadecimal");
    (0..line.len()).step_by(2).map(byte).collect()
}
