//! The walk of a packet through a base chain and what it leads to.

use std::net::IpAddr;

use kdp_packet::Cidr;
use smallvec::SmallVec;

use super::head::{HeadsOf, Packed};
use super::meet::meets;
use super::{Choose, Effects, Frame, Locality, Outcome, Step, Trace, Verdict, Walk, What, edit};
use crate::conntrack::Zone;
use crate::{
    Chain, ChainId, DEPTH_MAX, Hook, Installed, Match, NatRange, Policy, PrefixTranslation, Ruleset, Table,
    Target, Unknown, ZoneSide,
};

/// What a walk needs beside the rules and the packet.
pub struct Surroundings<'a, L, C, T> {
    /// Whose addresses are whose.
    pub locality: &'a L,
    /// What rules remember.
    pub effects: &'a mut Effects,
    /// Who decides what is left to chance.
    pub choose: &'a mut C,
    /// Who listens.
    pub trace: &'a mut T,
}

/// Finds the rules that a packet may match.
pub(super) trait Find<A> {
    /// The first place in `chain`, not before `from`, whose head passes.
    fn find(&mut self, id: ChainId, chain: &Chain, from: usize, packet: &Packed<A>) -> Option<usize>;
}

/// A chain, and the place of the next rule in it.
#[derive(Clone, Copy)]
struct Place {
    chain: ChainId,
    next: usize,
}

/// Whether a packet passed the tests of a rule.
enum Passed {
    Yes,
    No,
    /// It hangs on what is not known.
    Unknown,
}

/// What a test says that depends on what is not known, where somebody says it.
fn guess(unknown: &Unknown, frame: &Frame<'_>, choose: &mut impl Choose) -> Option<bool> {
    // What leaves the box and came in by a device has no socket here.
    let forwarded = unknown.forwarded.filter(|_| !frame.own && frame.out_device.is_some());
    forwarded.or_else(|| choose.unknown(&unknown.text))
}

impl Target {
    /// Whether it shows in the fate of a packet that a rule with it matched.
    fn shows(&self) -> bool {
        !matches!(self, Target::Continue | Target::Log(_) | Target::Checksum | Target::Trace)
    }
}

/// What comes after a rule that matched.
enum Then {
    Next,
    /// The next rule; it sees other addresses.
    Rewritten,
    Jump(ChainId),
    Goto(ChainId),
    Return,
    Done(Verdict),
}

pub(super) fn walk<A, F, L, C, T>(
    find: &mut F,
    ruleset: &Ruleset,
    (table, hook): (Table, Hook),
    frame: &mut Frame<'_>,
    around: &mut Surroundings<'_, L, C, T>,
) -> Walk
where
    A: HeadsOf,
    F: Find<A>,
    L: Locality,
    C: Choose,
    T: Trace,
{
    let Some(base) = ruleset.base_chain(table, hook) else {
        return Walk { verdict: Verdict::Accept, rules_walked: 0 };
    };
    let packet = Packed::of(&frame.headers);
    let mut walker = Walker { ruleset, hook, around, rules_walked: 0, callers: SmallVec::new() };
    let verdict = walker.run(find, base, packet, frame);
    let verdict = verdict.unwrap_or_else(|| walker.policy(base, hook, frame));
    Walk { verdict, rules_walked: walker.rules_walked }
}

struct Walker<'w, 'a, L, C, T> {
    ruleset: &'w Ruleset,
    hook: Hook,
    around: &'w mut Surroundings<'a, L, C, T>,
    rules_walked: u64,
    /// Where to go on when a chain ends. No more than [`DEPTH_MAX`] of them: the rule set was checked.
    callers: SmallVec<[Place; DEPTH_MAX + 1]>,
}

impl<L: Locality, C: Choose, T: Trace> Walker<'_, '_, L, C, T> {
    /// Walks until a rule decides; `None` if none does.
    fn run<A, F>(
        &mut self,
        find: &mut F,
        base: ChainId,
        mut packet: Packed<A>,
        frame: &mut Frame<'_>,
    ) -> Option<Verdict>
    where
        A: HeadsOf,
        F: Find<A>,
    {
        let mut at = self.enter(base);
        loop {
            let chain = self.ruleset.chain(at.chain);
            let Some(place) = find.find(at.chain, chain, at.next, &packet) else {
                self.rules_walked += (chain.rules().len() - at.next) as u64;
                self.step(at.chain, What::End);
                at = self.callers.pop()?;
                continue;
            };
            self.rules_walked += (place + 1 - at.next) as u64;
            at.next = place + 1;
            let rule = &chain.rules()[place];
            match self.passes(rule, A::of_chain(&chain.heads)[place].rest(), frame) {
                Passed::Yes => {}
                Passed::No => continue,
                Passed::Unknown => return Some(self.unknown(at.chain, place + 1)),
            }
            self.around.effects.count_rule(rule.slot(), frame.length());
            let (then, outcome) = act(rule, self.hook, frame, self.around.locality);
            self.step(at.chain, What::Rule { number: place + 1, outcome });
            match then {
                Then::Next => {}
                Then::Rewritten => packet = Packed::of(&frame.headers),
                Then::Jump(to) => {
                    self.callers.push(at);
                    at = self.enter(to);
                }
                Then::Goto(to) => at = self.enter(to),
                Then::Return => at = self.callers.pop()?,
                Then::Done(verdict) => return Some(verdict),
            }
        }
    }

    fn enter(&mut self, chain: ChainId) -> Place {
        self.step(chain, What::Enter);
        Place { chain, next: 0 }
    }

    /// Asks the tests that the head does not answer.
    fn passes(&mut self, rule: &Installed, rest: Option<usize>, frame: &mut Frame<'_>) -> Passed {
        let Some(rest) = rest else { return Passed::Yes };
        let mut cells = rule.cells().iter();
        let Surroundings { locality, effects, choose, .. } = &mut *self.around;
        let tests = &rule.rule().matches[rest..];
        for (place, test) in tests.iter().enumerate() {
            if !test.is_alike() {
                frame.varies.set(true);
            }
            let met = match test {
                Match::Unknown(unknown) => match guess(unknown, frame, *choose) {
                    Some(met) => met,
                    None if rule.rule().target.shows() => {
                        let mut later = tests[place..].iter().take_while(|test| !test.has_effect());
                        let mut met = |test| meets(test, frame, &mut cells, *locality, effects, *choose);
                        if later.any(|test| !matches!(test, Match::Unknown(_)) && !met(test)) {
                            return Passed::No;
                        }
                        frame.unknown = Some(unknown.because().into());
                        return Passed::Unknown;
                    }
                    None => false,
                },
                test => meets(test, frame, &mut cells, *locality, effects, *choose),
            };
            if !met {
                return Passed::No;
            }
        }
        Passed::Yes
    }

    fn unknown(&mut self, chain: ChainId, number: usize) -> Verdict {
        self.step(chain, What::Rule { number, outcome: Outcome::Verdict(Verdict::Unknown) });
        Verdict::Unknown
    }

    fn policy(&mut self, base: ChainId, hook: Hook, frame: &Frame<'_>) -> Verdict {
        let chain = self.ruleset.chain(base);
        let policy = chain.policy().expect("a base chain has a policy");
        self.step(base, What::Policy(policy));
        if chain.counts_policy() {
            self.around.effects.count_policy(chain.table(), hook, frame.length());
        }
        match policy {
            Policy::Accept => Verdict::Accept,
            Policy::Drop => Verdict::Drop,
        }
    }

    fn step(&mut self, chain: ChainId, what: What) {
        if T::ON {
            self.around.trace.step(self.ruleset, Step { chain, what });
        }
    }
}

/// Does what the target says.
fn act(rule: &Installed, hook: Hook, frame: &mut Frame<'_>, locality: &impl Locality) -> (Then, Outcome) {
    let jump = || rule.jump().expect("a jump was resolved when its rule was installed");
    let done = |verdict| (Then::Done(verdict), Outcome::Verdict(verdict));
    let go_on = (Then::Next, Outcome::Continue);
    match &rule.rule().target {
        Target::Continue => (Then::Next, Outcome::Continue),
        Target::Accept => done(Verdict::Accept),
        Target::Return => (Then::Return, Outcome::Return),
        Target::Jump(_) => (Then::Jump(jump()), Outcome::Jump),
        Target::Goto(_) => (Then::Goto(jump()), Outcome::Goto),
        Target::Reject(with) => done(Verdict::Reject(*with)),
        Target::Mark { value, mask } => {
            let from = frame.mark;
            frame.mark = from & !*mask ^ *value;
            (Then::Next, Outcome::Mark { from, to: frame.mark })
        }
        Target::Dnat(range) => done(Verdict::Dnat(*range)),
        Target::Snat(range) => done(Verdict::Snat(*range)),
        Target::Masquerade(range) => done(Verdict::Masquerade(*range)),
        Target::Redirect(range) => done(Verdict::Redirect(*range)),
        Target::Prefix(prefix) if rewrite_prefix(*prefix, frame) => (Then::Rewritten, Outcome::Continue),
        Target::Netmap(to) => done(netmap(hook, *to, frame)),
        Target::ConnMark(mark) => {
            if let Some(seen) = &mut frame.connection {
                (frame.mark, seen.mark) = mark.of(frame.mark, seen.mark);
            }
            go_on
        }
        Target::Edit(edit) if edit::edit(*edit, &frame.headers, &mut frame.edits, locality) => go_on,
        Target::Drop | Target::Edit(_) | Target::Prefix(_) => done(Verdict::Drop),
        Target::Log(_) | Target::Checksum | Target::Trace => go_on,
        Target::Queue { bypass, .. } => done(Verdict::Queue { bypass: *bypass }),
        // The first of several that tell conntrack what to do counts.
        Target::CtZone { zone, side } => {
            if !frame.notrack {
                frame.zone.get_or_insert(zone_of(*zone, *side));
            }
            go_on
        }
        Target::Notrack | Target::CtNotrack if frame.zone.is_some() => go_on,
        Target::Notrack | Target::CtNotrack => {
            frame.notrack = true;
            (Then::Next, Outcome::Notrack)
        }
    }
}

fn zone_of(zone: u16, side: ZoneSide) -> Zone {
    match side {
        ZoneSide::Both => Zone::from(zone),
        ZoneSide::Original => Zone::original_only(zone),
        ZoneSide::Reply => Zone::reply_only(zone),
    }
}

/// Gives the packet another prefix; `false` drops it.
///
/// DEVIATION(npt-unmappable): the kernel tells the sender of such a packet that its header is wrong.
fn rewrite_prefix(prefix: PrefixTranslation, frame: &mut Frame<'_>) -> bool {
    let headers = frame.headers.rewrite();
    let end = if prefix.destination { &mut headers.dst } else { &mut headers.src };
    let IpAddr::V6(addr) = *end else { unreachable!("ip6tables alone has the target") };
    let Some(new) = prefix.translate(addr) else { return false };
    *end = new.into();
    true
}

/// NAT into a network, with the host's bits as they were. Source: net/netfilter/xt_NETMAP.c, v6.12.
fn netmap(hook: Hook, to: Cidr, frame: &Frame<'_>) -> Verdict {
    let destination = matches!(hook, Hook::Prerouting | Hook::Output);
    let from = if destination { frame.headers.dst } else { frame.headers.src };
    let range = NatRange::to(to.with_host_of(from), None);
    if destination { Verdict::Dnat(range) } else { Verdict::Snat(range) }
}
