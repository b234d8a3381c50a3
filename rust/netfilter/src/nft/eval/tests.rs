//! What chains say of packets.

use std::net::IpAddr;

use kdp_packet::{Family, Headers, Proto};
use kdp_sim::Time;

use super::{Around, Recorder, State, What};
use crate::nft::{Ruleset, load, print};
use crate::vm::{Choose, Explore, Frame, Locality, Probability, Verdict, explore};
use crate::{AddrType, CtState, CtStates, Hook, RejectWith};

struct Own;

impl Locality for Own {
    fn addr_type(&self, addr: IpAddr) -> AddrType {
        if addr == IpAddr::from([10, 200, 0, 1]) { AddrType::Local } else { AddrType::Unicast }
    }
}

/// Rules, and what they remember.
struct Kernel {
    rules: Ruleset,
    state: State,
}

impl Kernel {
    fn new(text: &str) -> Kernel {
        let mut rules = Ruleset::new();
        load(&mut rules, text, "-", Time::ZERO).unwrap_or_else(|error| panic!("{error}"));
        Kernel { rules, state: State::new() }
    }

    /// The verdict of the first base chain of a hook, what was recorded, and the mark.
    fn ask(
        &mut self,
        hook: Hook,
        headers: &Headers,
        now: Time,
        choose: &mut impl Choose,
    ) -> (Verdict, Recorder, u32) {
        let family = headers.family();
        let nat = self.rules.bases(hook, family, true).next();
        let base = nat.or_else(|| self.rules.bases(hook, family, false).next()).copied().unwrap();
        let mut frame = Frame { now, ct: CtStates::of(&[CtState::New]), ..Frame::new(headers) };
        let mut recorder = Recorder::default();
        let mut around = Around { locality: &Own, state: &mut self.state, choose, trace: &mut recorder };
        let walk = self.rules.evaluate(&base, &mut frame, &mut around);
        (walk.verdict, recorder, frame.mark)
    }

    fn verdict(&mut self, headers: &Headers, seconds: u64) -> Verdict {
        self.ask(Hook::Prerouting, headers, Time::from_secs(seconds), &mut Explore::default()).0
    }
}

fn tcp(src: [u8; 4], dst: [u8; 4], dport: u16) -> Headers {
    Headers::plain(Proto::TCP, (src.into(), 40_000), (dst.into(), dport))
}

fn filter(rules: &str) -> Kernel {
    Kernel::new(&format!(
        "table ip t {{\n set seen {{ type ipv4_addr; flags dynamic,timeout; timeout 10s; size 2; }}\n\
         chain u {{\n  tcp dport 81 return\n  drop\n }}\n\
         chain c {{ type filter hook prerouting priority 0;\n{rules}\n }}\n}}"
    ))
}

const CLIENT: [u8; 4] = [203, 0, 113, 7];
const OTHER: [u8; 4] = [203, 0, 113, 8];
const THIRD: [u8; 4] = [203, 0, 113, 9];
const NODE: [u8; 4] = [10, 200, 0, 1];
const VIP: [u8; 4] = [172, 30, 0, 1];

#[test]
fn comparisons_decide_as_the_kernel_decides() {
    let packet = tcp(CLIENT, VIP, 80);
    let cases = [
        ("ip saddr 203.0.113.0/24 drop", true),
        ("ip saddr != 203.0.113.0/24 drop", false),
        ("ip saddr { 1.2.3.4, 203.0.113.0-203.0.113.9 } drop", true),
        ("ip saddr != { 1.2.3.4, 203.0.113.0-203.0.113.9 } drop", false),
        ("tcp dport 79-81 drop", true),
        ("udp dport 80 drop", false),
        ("udp dport != 80 drop", false),
        ("th dport 80 meta l4proto tcp drop", true),
        ("meta l4proto . th dport { tcp . 80 } drop", true),
        ("ct state new,established drop", true),
        ("ct state != new drop", false),
        ("ct status dnat drop", false),
        ("ct status != dnat drop", false),
        ("tcp flags & (syn|ack) == 0 drop", true),
        ("meta mark set meta mark or 0x4000 meta mark & 0x4000 == 0x4000 drop", true),
        ("meta mark set 0x4001 meta mark set meta mark xor 0x4000 meta mark 1 drop", true),
        ("fib daddr type local drop", false),
        ("fib daddr type != local drop", true),
        ("iifname \"\" drop", true),
        ("iifname \"eth*\" drop", false),
        ("ip ttl > 63 ip ttl <= 64 drop", true),
        ("tcp dport vmap { 79 : accept, 80 : drop }", true),
        ("tcp dport vmap { 79 : drop }\naccept", false),
        ("meta mark set tcp dport map { 80 : 7 } meta mark 7 drop", true),
        ("meta mark set tcp dport map { 81 : 7 }\nmeta mark 0 drop", true),
        ("numgen inc mod 2 vmap { 0 : drop, 1 : accept }", true),
        ("jump u", true),
        ("tcp dport 80 goto u", true),
        ("return\ndrop", false),
        ("accept\ndrop", false),
    ];
    for (rules, dropped) in cases {
        let wanted = if dropped { Verdict::Drop } else { Verdict::Accept };
        assert_eq!(filter(rules).verdict(&packet, 0), wanted, "of {rules}");
    }
}

#[test]
fn a_packet_returns_to_its_caller_and_goto_skips_it() {
    let packet = tcp(CLIENT, VIP, 81);
    assert_eq!(filter("jump u\ndrop").verdict(&packet, 0), Verdict::Drop);
    assert_eq!(filter("goto u\ndrop").verdict(&packet, 0), Verdict::Accept);
}

#[test]
fn answers_to_rejected_packets_follow_the_family_and_the_protocol() {
    let packet = tcp(CLIENT, VIP, 80);
    assert_eq!(filter("reject").verdict(&packet, 0), Verdict::Reject(RejectWith::PORT_UNREACHABLE));
    assert_eq!(filter("reject with tcp reset").verdict(&packet, 0), Verdict::Reject(RejectWith::TcpReset));
    let mut both = Kernel::new(
        "table inet t {\n chain c { type filter hook prerouting priority 0;\n  reject with icmpx admin-prohibited\n }\n}",
    );
    assert_eq!(both.verdict(&packet, 0), Verdict::Reject(RejectWith::Unreachable(13)));
    let v6 = |last| -> IpAddr { format!("fd00::{last}").parse().unwrap() };
    let packet = Headers::plain(Proto::UDP, (v6(1), 1), (v6(2), 2));
    assert_eq!(packet.family(), Family::V6);
    assert_eq!(both.verdict(&packet, 0), Verdict::Reject(RejectWith::Unreachable(1)));
}

#[test]
fn update_gives_an_element_new_time_and_add_does_not() {
    for (word, at_15) in [("update", Verdict::Drop), ("add", Verdict::Accept)] {
        let mut kernel =
            filter(&format!("tcp dport 81 {word} @seen {{ ip saddr }} accept\nip saddr @seen drop"));
        let (knock, ask) = (tcp(CLIENT, VIP, 81), tcp(CLIENT, VIP, 80));
        assert_eq!(kernel.verdict(&ask, 0), Verdict::Accept);
        kernel.verdict(&knock, 1);
        assert_eq!(kernel.verdict(&ask, 2), Verdict::Drop);
        kernel.verdict(&knock, 9);
        assert_eq!(kernel.verdict(&ask, 15), at_15, "{word}");
        assert_eq!(kernel.verdict(&ask, 20), Verdict::Accept, "{word}");
    }
}

#[test]
fn a_full_set_ends_the_rule_until_an_element_times_out() {
    let mut kernel = filter("add @seen { ip saddr } drop");
    assert_eq!(kernel.verdict(&tcp(CLIENT, VIP, 80), 0), Verdict::Drop);
    assert_eq!(kernel.verdict(&tcp(OTHER, VIP, 80), 5), Verdict::Drop);
    assert_eq!(kernel.verdict(&tcp(THIRD, VIP, 80), 6), Verdict::Accept);
    assert_eq!(kernel.verdict(&tcp(CLIENT, VIP, 80), 7), Verdict::Drop);
    assert_eq!(kernel.verdict(&tcp(THIRD, VIP, 80), 11), Verdict::Drop);
}

#[test]
fn limits_begin_with_their_burst_and_quotas_count_bytes() {
    let packet = tcp(CLIENT, VIP, 80);
    let drops = |rules: &str, seconds: &[u64]| {
        let mut kernel = filter(rules);
        seconds.iter().map(|at| kernel.verdict(&packet, *at) == Verdict::Drop).collect::<Vec<_>>()
    };
    assert_eq!(drops("limit rate 1/minute burst 2 packets drop", &[0, 0, 0, 61]), [true, true, false, true]);
    assert_eq!(
        drops("limit rate over 1/minute burst 2 packets drop", &[0, 0, 0, 61]),
        [false, false, true, false]
    );
    assert_eq!(drops("quota over 100 bytes drop", &[0, 0, 0]), [false, false, true]);
    assert_eq!(drops("quota 100 bytes drop", &[0, 0, 0]), [true, true, false]);
}

/// Three endpoints behind a virtual address and a node port, as kube-proxy has them since 1.36.
const SERVICE: &str = "
table ip kube {
 map ips { type ipv4_addr . inet_proto . inet_service : verdict; elements = { 172.30.0.1 . tcp . 80 : goto web } }
 map ports { type inet_proto . inet_service : verdict; elements = { tcp . 30080 : goto external } }
 chain services {
  ip daddr . meta l4proto . th dport vmap @ips
  fib daddr type local ip daddr != 127.0.0.0/8 meta l4proto . th dport vmap @ports
 }
 chain external {
  meta mark set meta mark or 0x4000 comment \"masquerade\"
  goto web
 }
 chain web {
  meta l4proto tcp dnat ip to numgen random mod 3 map { 0 : 10.0.0.1 . 8080, 1 : 10.0.0.2 . 8080, 2 : 10.0.0.3 . 8081 }
 }
 chain pre { type nat hook prerouting priority -100;
  jump services
 }
}
";

fn backends(packet: &Headers) -> Vec<(String, u32, Probability)> {
    let explored = explore(10, |choose| {
        let (verdict, _, mark) = Kernel::new(SERVICE).ask(Hook::Prerouting, packet, Time::ZERO, choose);
        let backend = match verdict {
            Verdict::Dnat(range) => format!("{}:{}", range.addrs.unwrap().0, range.ports.unwrap().first),
            other => format!("{other:?}"),
        };
        (backend, mark)
    });
    explored.merged().into_iter().map(|((backend, mark), chance)| (backend, mark, chance)).collect()
}

#[test]
fn a_service_spreads_evenly_over_its_endpoints() {
    let third = Probability::new(1, 3);
    let wanted =
        |mark| ["10.0.0.1:8080", "10.0.0.2:8080", "10.0.0.3:8081"].map(|b| (b.to_string(), mark, third));
    assert_eq!(backends(&tcp(CLIENT, VIP, 80)), wanted(0));
    assert_eq!(backends(&tcp(CLIENT, NODE, 30080)), wanted(0x4000));
    assert_eq!(backends(&tcp(CLIENT, NODE, 80)), [("Accept".to_string(), 0, Probability::ONE)]);
}

#[test]
fn a_walk_tells_its_steps_in_order() {
    let mut kernel = Kernel::new(SERVICE);
    let packet = tcp(CLIENT, NODE, 30080);
    let (_, recorder, _) = kernel.ask(Hook::Prerouting, &packet, Time::ZERO, &mut Explore::default());
    let told: Vec<String> = recorder
        .events
        .iter()
        .filter_map(|event| match &event.what {
            What::Rule { number, text, .. } => Some(format!("{} {number}: {text}", event.chain)),
            _ => None,
        })
        .collect();
    assert_eq!(told.len(), 5, "{told:?}");
    assert_eq!(told[0], "pre 1: jump services");
    assert!(told[1].starts_with("services 2: fib daddr type local"), "{}", told[1]);
    assert_eq!(told[2], "external 1: meta mark set meta mark | 0x00004000 comment \"masquerade\"");
    assert_eq!(told[3], "external 2: goto web");
    assert!(told[4].starts_with("web 1: meta l4proto tcp dnat ip to"), "{}", told[4]);
}

#[test]
fn what_a_deleted_set_remembered_is_forgotten() {
    let mut kernel = filter("add @seen { ip saddr } drop");
    kernel.verdict(&tcp(CLIENT, VIP, 80), 0);
    let table = crate::nft::Table::new(Family::V4, "t");
    let members = |kernel: &Kernel| kernel.rules.members(&table, "seen", &kernel.state, Time::ZERO);
    assert_eq!(members(&kernel).unwrap().len(), 1);
    load(&mut kernel.rules, "delete table ip t", "-", Time::ZERO).unwrap();
    kernel.state.retain(&kernel.rules);
    assert_eq!(members(&kernel), None);
    assert_eq!(print(&kernel.rules), "");
}
