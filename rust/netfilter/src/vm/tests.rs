use std::net::IpAddr;

use kdp_packet::{Family, Headers, Proto};
use kdp_sim::{Chance, Time};
use proptest::collection::vec;
use proptest::prelude::*;

use super::generate::{Odd, Packet, packet, transaction};
use super::*;
use crate::text::load;
use crate::{CtState, CtStates, Name, Transaction};

fn rules(text: &str) -> Ruleset {
    let mut ruleset = Ruleset::new(Family::V4);
    load(&mut ruleset, text, "test", false).unwrap();
    ruleset
}

fn tcp(dst: [u8; 4], dport: u16) -> Headers {
    Headers::plain(Proto::TCP, ([10, 0, 0, 2].into(), 40_000), (dst.into(), dport))
}

/// Runs one packet; the events say what happened.
fn run(ruleset: &Ruleset, table: Table, hook: Hook, frame: &mut Frame<'_>) -> (Walk, Vec<Event>) {
    let (mut effects, mut trace) = (Effects::new(), Recorder::default());
    let mut choose = Run(Chance::new(1).packet(0, Time::ZERO));
    let mut around =
        Surroundings { locality: &Odd, effects: &mut effects, choose: &mut choose, trace: &mut trace };
    let walk = Engine::scan().evaluate(ruleset, table, hook, frame, &mut around);
    (walk, trace.events)
}

fn verdict(ruleset: &Ruleset, dst: [u8; 4], dport: u16) -> Walk {
    run(ruleset, Table::Filter, Hook::Output, &mut Frame::new(&tcp(dst, dport))).0
}

#[test]
fn jumps_come_back_gotos_do_not() {
    let ruleset = rules(
        "*filter\n:OUTPUT DROP\n:A -\n:B -\n-A OUTPUT -p tcp --dport 1 -j A\n-A OUTPUT -p tcp --dport 1 -j ACCEPT\n\
         -A OUTPUT -p tcp --dport 2 -g A\n-A OUTPUT -p tcp --dport 2 -j ACCEPT\n-A A -g B\n-A A -j ACCEPT\n\
         -A B -p tcp --dport 3 -j ACCEPT\nCOMMIT\n",
    );
    // OUTPUT 1, A 1, B 1, back behind OUTPUT 1: OUTPUT 2.
    assert_eq!(verdict(&ruleset, [1; 4], 1), Walk { verdict: Verdict::Accept, rules_walked: 4 });
    // OUTPUT 1, 2, 3, A 1, B 1, and then the policy.
    assert_eq!(verdict(&ruleset, [1; 4], 2), Walk { verdict: Verdict::Drop, rules_walked: 5 });
}

#[test]
fn return_in_a_base_chain_means_the_policy() {
    let ruleset = rules("*filter\n:OUTPUT DROP\n-A OUTPUT -j RETURN\n-A OUTPUT -j ACCEPT\nCOMMIT\n");
    let (walk, events) = run(&ruleset, Table::Filter, Hook::Output, &mut Frame::new(&tcp([1; 4], 1)));
    assert_eq!(walk, Walk { verdict: Verdict::Drop, rules_walked: 1 });
    let what: Vec<What> = events.iter().map(|event| event.what).collect();
    let returned = What::Rule { number: 1, outcome: Outcome::Return };
    assert_eq!(what, [What::Enter, returned, What::Policy(crate::Policy::Drop)]);
    assert_eq!((events[1].table, &events[1].chain), (Table::Filter, &Name::text("OUTPUT")));
    assert_eq!(events[1].rule.as_ref().map(|rule| &rule.target), Some(&crate::Target::Return));
}

#[test]
fn marks_change_on_the_way() {
    let ruleset = rules(
        "*mangle\n-A OUTPUT -j MARK --or-mark 0x4000\n-A OUTPUT -m mark --mark 0x4000/0x4000 -j MARK --xor-mark 0x4001\n\
         COMMIT\n",
    );
    let headers = tcp([1; 4], 1);
    let mut frame = Frame { mark: 2, ..Frame::new(&headers) };
    run(&ruleset, Table::Mangle, Hook::Output, &mut frame);
    assert_eq!(frame.mark, 3);
}

#[test]
fn a_test_behind_an_effect_does_not_run_before_it() {
    let ruleset = rules(
        "*filter\n-A OUTPUT -p tcp -m recent --name L --set -m tcp --dport 80 -j DROP\n\
         -A OUTPUT -m recent --name L --rcheck -j REJECT\nCOMMIT\n",
    );
    assert_eq!(verdict(&ruleset, [1; 4], 81).verdict, Verdict::Reject(crate::RejectWith::PORT_UNREACHABLE));
}

#[test]
fn a_virtual_state_counts_beside_the_real_one() {
    let ruleset = rules("*filter\n:OUTPUT DROP\n-A OUTPUT -m conntrack --ctstate DNAT -j ACCEPT\nCOMMIT\n");
    let headers = tcp([1; 4], 1);
    let ct = CtStates::of(&[CtState::New, CtState::Dnat]);
    let mut frame = Frame { ct, ..Frame::new(&headers) };
    assert_eq!(run(&ruleset, Table::Filter, Hook::Output, &mut frame).0.verdict, Verdict::Accept);
}

#[test]
fn messages_ports_and_lengths_are_looked_at() {
    let ruleset = rules(
        "*filter\n:OUTPUT DROP\n-A OUTPUT -p icmp -m icmp --icmp-type 8 -j ACCEPT\n\
         -A OUTPUT -p tcp -m multiport --dports 80,90:95 -m length --length 0:40 -j ACCEPT\n\
         -A OUTPUT -p tcp -m multiport ! --ports 80 -j REJECT\nCOMMIT\n",
    );
    let reject = Verdict::Reject(crate::RejectWith::PORT_UNREACHABLE);
    let wanted = [(80, Verdict::Accept), (93, Verdict::Accept), (96, reject)];
    assert_eq!(wanted.map(|(port, _)| (port, verdict(&ruleset, [1; 4], port).verdict)), wanted);
    for (kind, wanted) in [(8u16, Verdict::Accept), (0, Verdict::Drop)] {
        let headers = Headers::plain(Proto::ICMP, ([10, 0, 0, 2].into(), 1), ([1; 4].into(), kind << 8));
        assert_eq!(run(&ruleset, Table::Filter, Hook::Output, &mut Frame::new(&headers)).0.verdict, wanted);
    }
}

#[test]
fn exploring_three_endpoints_gives_a_third_each() {
    let ruleset = rules(
        "*nat\n:SVC -\n-A OUTPUT -d 10.96.0.1 -p tcp --dport 80 -j SVC\n\
         -A SVC -p tcp -m statistic --mode random --probability 0.3333333333 -j DNAT --to-destination 10.1.0.0:8080\n\
         -A SVC -p tcp -m statistic --mode random --probability 0.5000000000 -j DNAT --to-destination 10.1.0.1:8080\n\
         -A SVC -p tcp -j DNAT --to-destination 10.1.0.2:8080\nCOMMIT\n",
    );
    let effects = Effects::new();
    let explored = explore(100, |choose| {
        let (mut effects, headers) = (effects.clone(), tcp([10, 96, 0, 1], 80));
        let mut around = Surroundings { locality: &Odd, effects: &mut effects, choose, trace: &mut Silent };
        Engine::scan()
            .evaluate(&ruleset, Table::Nat, Hook::Output, &mut Frame::new(&headers), &mut around)
            .verdict
    });
    let shares: Vec<String> = explored
        .merged()
        .into_iter()
        .map(|(verdict, share)| match verdict {
            Verdict::Dnat(range) => format!("{}: {share}", range.addrs.unwrap().0),
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(shares, ["10.1.0.0: 1/3", "10.1.0.1: 1/3", "10.1.0.2: 1/3"]);
}

#[test]
fn rules_policies_and_accounts_are_counted() {
    let ruleset = rules(
        "*filter\n:OUTPUT DROP\n-A OUTPUT -p tcp --dport 80 -m nfacct --nfacct-name n -j ACCEPT\n-A OUTPUT -s 10.0.0.0/8\nCOMMIT\n",
    );
    let mut effects = Effects::new().counting();
    let mut choose = Run(Chance::new(1).packet(0, Time::ZERO));
    for dport in [80, 81, 82] {
        let headers = tcp([1; 4], dport);
        let mut around =
            Surroundings { locality: &Odd, effects: &mut effects, choose: &mut choose, trace: &mut Silent };
        Engine::indexed().evaluate(
            &ruleset,
            Table::Filter,
            Hook::Output,
            &mut Frame::new(&headers),
            &mut around,
        );
    }
    let text = crate::text::print_counted(&ruleset, &effects);
    assert!(text.contains(":OUTPUT DROP [2:80]\n[1:40] -A OUTPUT -p tcp"), "{text}");
    assert!(text.contains("[2:80] -A OUTPUT -s 10.0.0.0/8\n"), "{text}");
    assert_eq!(effects.account("n"), Count { packets: 1, bytes: 40 });
}

/// Sends the packets through one engine: everything that can be seen of it.
fn send(
    engine: &mut Engine,
    ruleset: &Ruleset,
    packets: &[Packet],
) -> (Vec<(Walk, u32, Vec<Event>)>, String) {
    let mut effects = Effects::new().counting();
    let mut seen = Vec::new();
    for (i, packet) in packets.iter().enumerate() {
        let mut trace = Recorder::default();
        let mut choose = Run(Chance::new(7).packet(i as u64, Time::ZERO));
        let mut around =
            Surroundings { locality: &Odd, effects: &mut effects, choose: &mut choose, trace: &mut trace };
        let mut frame = packet.frame();
        for table in [Table::Filter, Table::Nat] {
            let walk = engine.evaluate(ruleset, table, Hook::Output, &mut frame, &mut around);
            seen.push((walk, frame.mark, Vec::new()));
        }
        seen.last_mut().unwrap().2 = trace.events;
    }
    let lists: Vec<_> =
        ["L", "M"].map(|name| ruleset.recent_list(&name.into()).map(|l| effects.recent.entries(l))).into();
    (seen, format!("{}{lists:?}", crate::text::print_counted(ruleset, &effects)))
}

/// A rule asked test by test in the order of its text, without heads: the slow twin of both engines.
fn plainly(
    ruleset: &Ruleset,
    table: Table,
    frame: &mut Frame<'_>,
    around: &mut Surroundings<'_, Odd, Run, Silent>,
) -> Walk {
    let base = ruleset.base_chain(table, Hook::Output).unwrap();
    let mut rules_walked = 0;
    let verdict = plainly_in(ruleset, base, frame, around, &mut rules_walked);
    let policy = match ruleset.chain(base).policy().unwrap() {
        crate::Policy::Accept => Verdict::Accept,
        crate::Policy::Drop => Verdict::Drop,
    };
    Walk { verdict: verdict.unwrap_or(policy), rules_walked }
}

fn plainly_in(
    ruleset: &Ruleset,
    id: crate::ChainId,
    frame: &mut Frame<'_>,
    around: &mut Surroundings<'_, Odd, Run, Silent>,
    walked: &mut u64,
) -> Option<Verdict> {
    use crate::Target;
    for installed in ruleset.chain(id).rules() {
        *walked += 1;
        let mut cells = installed.cells().iter();
        let Surroundings { locality, effects, choose, .. } = around;
        let asked = |test: &crate::Match| meet::meets(test, frame, &mut cells, *locality, effects, *choose);
        if !installed.rule().matches.iter().all(asked) {
            continue;
        }
        match &installed.rule().target {
            Target::Continue => {}
            Target::Mark { value, mask } => frame.mark = (frame.mark & !mask) ^ value,
            Target::Return => return None,
            Target::Jump(_) => {
                let inner = plainly_in(ruleset, installed.jump().unwrap(), frame, around, walked);
                if inner.is_some() {
                    return inner;
                }
            }
            Target::Goto(_) => return plainly_in(ruleset, installed.jump().unwrap(), frame, around, walked),
            Target::Accept => return Some(Verdict::Accept),
            Target::Drop => return Some(Verdict::Drop),
            Target::Reject(with) => return Some(Verdict::Reject(*with)),
            Target::Dnat(range) => return Some(Verdict::Dnat(*range)),
            other => panic!("the generator makes no {other:?}"),
        }
    }
    None
}

fn installed(transaction: &Transaction) -> Ruleset {
    let mut ruleset = Ruleset::new(transaction.family);
    ruleset.apply(transaction).unwrap();
    ruleset
}

fn family() -> impl Strategy<Value = Family> {
    prop_oneof![3 => Just(Family::V4), 1 => Just(Family::V6)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn both_engines_do_the_same(
        (transaction, more, packets) in family().prop_flat_map(|f| (transaction(f), transaction(f), vec(packet(f), 1..20)))
    ) {
        let mut ruleset = installed(&transaction);
        let (mut scan, mut indexed) = (Engine::scan(), Engine::indexed());
        prop_assert_eq!(send(&mut scan, &ruleset, &packets), send(&mut indexed, &ruleset, &packets));
        // The same engine again, after the rules changed under it.
        ruleset.apply(&more).unwrap();
        prop_assert_eq!(send(&mut scan, &ruleset, &packets), send(&mut indexed, &ruleset, &packets));
    }

    #[test]
    fn the_scan_does_what_the_text_says(
        (transaction, packets) in family().prop_flat_map(|f| (transaction(f), vec(packet(f), 1..20)))
    ) {
        let ruleset = installed(&transaction);
        let (mut effects, mut other_effects) = (Effects::new(), Effects::new());
        for (i, packet) in packets.iter().enumerate() {
            let mut choose = Run(Chance::new(7).packet(i as u64, Time::ZERO));
            let mut other_choose = choose;
            let (mut frame, mut other_frame) = (packet.frame(), packet.frame());
            for table in [Table::Filter, Table::Nat] {
                let mut around = Surroundings {
                    locality: &Odd, effects: &mut effects, choose: &mut choose, trace: &mut Silent,
                };
                let walk = Engine::scan().evaluate(&ruleset, table, Hook::Output, &mut frame, &mut around);
                let mut around = Surroundings {
                    locality: &Odd, effects: &mut other_effects, choose: &mut other_choose, trace: &mut Silent,
                };
                prop_assert_eq!(walk, plainly(&ruleset, table, &mut other_frame, &mut around));
                prop_assert_eq!(frame.mark, other_frame.mark);
            }
        }
    }
}

#[test]
fn a_table_without_a_chain_at_the_hook_accepts() {
    let headers =
        Headers::plain(Proto::UDP, (IpAddr::from([1, 1, 1, 1]), 1), (IpAddr::from([2, 2, 2, 2]), 2));
    let (walk, events) = run(&Ruleset::new(Family::V4), Table::Raw, Hook::Input, &mut Frame::new(&headers));
    assert_eq!(walk, Walk { verdict: Verdict::Accept, rules_walked: 0 });
    assert!(events.is_empty());
}
