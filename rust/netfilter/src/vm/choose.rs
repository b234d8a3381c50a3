//! Who decides where a rule rolls dice: a seeded draw, or an explorer that takes every branch.

use std::sync::Arc;

use kdp_sim::Draw;

use super::Probability;

/// The probability 1 in the unit of [`Choose::bernoulli`].
pub const CERTAIN: u32 = 1 << 31;

/// Decides what the kernel leaves to chance.
pub trait Choose {
    /// True with `probability` of 2^31, as `-m statistic --mode random` decides.
    fn bernoulli(&mut self, probability: u32) -> bool;

    /// A number below `bound`, each as likely as the others. `bound` is not zero.
    fn below(&mut self, bound: u32) -> u32;

    /// What a test says that depends on what is not known; `None` leaves it open. One text has one answer for a packet.
    fn unknown(&mut self, text: &Arc<str>) -> Option<bool> {
        let _ = text;
        None
    }
}

/// One branch, drawn from a seed.
#[derive(Clone, Copy, Debug)]
pub struct Run(pub Draw);

impl Choose for Run {
    fn bernoulli(&mut self, probability: u32) -> bool {
        // Source: net/netfilter/xt_statistic.c, v6.12: 31 random bits below the stored number.
        self.0.next_u64() >> 33 < u64::from(probability)
    }

    fn below(&mut self, bound: u32) -> u32 {
        self.0.below(bound)
    }
}

/// One branch of an exploration: follows a script of decisions, then takes the first of each further choice.
#[derive(Clone, Debug, Default)]
pub struct Explore {
    script: Vec<Decision>,
    next: usize,
    /// What was assumed of that which is not known, in this run.
    assumed: Vec<(Arc<str>, bool)>,
}

/// A choice, and the branch of it that is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Decision {
    choice: Choice,
    taken: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    Bernoulli(u32),
    Below(u32),
    Unknown,
}

impl Choice {
    fn branches(self) -> u32 {
        match self {
            Choice::Bernoulli(_) | Choice::Unknown => 2,
            Choice::Below(bound) => bound,
        }
    }
}

impl Decision {
    /// The chance of the branch, as a numerator and a denominator: what the kernel does.
    fn factor(self) -> (u32, u32) {
        match (self.choice, self.taken) {
            (Choice::Bernoulli(probability), 0) => (probability, CERTAIN),
            (Choice::Bernoulli(probability), _) => (CERTAIN - probability, CERTAIN),
            (Choice::Below(bound), _) => (1, bound),
            // Nobody knows how likely it is: each answer is taken for certain.
            (Choice::Unknown, _) => (1, 1),
        }
    }

    /// The chance of the branch as it was meant: 1/3 where the kernel has 715827883/2^31.
    fn nominal(self) -> Probability {
        match (self.choice, self.taken) {
            (Choice::Bernoulli(probability), 0) => Probability::nominal(probability),
            (Choice::Bernoulli(probability), _) => Probability::nominal(probability).complement(),
            (Choice::Below(bound), _) => Probability::new(1, bound.into()),
            (Choice::Unknown, _) => Probability::ONE,
        }
    }
}

impl Explore {
    fn decide(&mut self, choice: Choice) -> u32 {
        if self.next == self.script.len() {
            self.script.push(Decision { choice, taken: 0 });
        }
        let decision = self.script[self.next];
        assert_eq!(decision.choice, choice, "an exploration meets the same choices when it is run again");
        self.next += 1;
        decision.taken
    }

    /// Goes on to the next branch in depth-first order; false if this was the last.
    fn advance(&mut self) -> bool {
        self.next = 0;
        self.assumed.clear();
        while let Some(last) = self.script.last_mut() {
            last.taken += 1;
            if last.taken < last.choice.branches() {
                return true;
            }
            self.script.pop();
        }
        false
    }
}

impl Choose for Explore {
    fn bernoulli(&mut self, probability: u32) -> bool {
        match probability {
            0 => false,
            CERTAIN.. => true,
            _ => self.decide(Choice::Bernoulli(probability)) == 0,
        }
    }

    fn below(&mut self, bound: u32) -> u32 {
        assert!(bound > 0, "a choice needs something to choose from");
        if bound == 1 { 0 } else { self.decide(Choice::Below(bound)) }
    }

    fn unknown(&mut self, text: &Arc<str>) -> Option<bool> {
        if let Some((_, known)) = self.assumed.iter().find(|(each, _)| each == text) {
            return Some(*known);
        }
        let holds = self.decide(Choice::Unknown) == 0;
        self.assumed.push((text.clone(), holds));
        Some(holds)
    }
}

/// One way that things can go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch<O> {
    /// What comes of it.
    pub outcome: O,
    /// Its probability as the rules mean it: three endpoints get 1/3 each.
    pub nominal: Probability,
    /// Numerator and denominator of each decision as the kernel makes it. Their product is the probability in the
    /// kernel: `--probability 0.3333333333` is 715827883/2^31, so a cascade of them gives almost 1/n.
    pub factors: Vec<(u32, u32)>,
    /// What was assumed of tests that depend on what is not known, in the order in which they were asked. Its
    /// probabilities are those under these assumptions.
    pub assumed: Vec<(Arc<str>, bool)>,
}

impl<O> Branch<O> {
    /// The product of the factors. Exact as long as it fits, see [`Probability::is_exact`].
    pub fn kernel(&self) -> Probability {
        self.factors.iter().fold(Probability::ONE, |product, (num, den)| {
            product.times(Probability::new((*num).into(), (*den).into()))
        })
    }
}

/// Every way that things can go, in depth-first order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explored<O> {
    /// The branches.
    pub branches: Vec<Branch<O>>,
    /// False if there are more than were asked for.
    pub complete: bool,
}

/// Runs `walk` once for every branch of the choices that it makes, `branches_max` times at most.
///
/// `walk` must do the same each time when the choices are the same: it works on copies of what it changes.
pub fn explore<O>(branches_max: usize, mut walk: impl FnMut(&mut Explore) -> O) -> Explored<O> {
    let mut choose = Explore::default();
    let mut branches = Vec::new();
    loop {
        if branches.len() == branches_max {
            return Explored { branches, complete: false };
        }
        let outcome = walk(&mut choose);
        assert_eq!(
            choose.next,
            choose.script.len(),
            "an exploration meets the same choices when it is run again"
        );
        let nominal = choose.script.iter().fold(Probability::ONE, |product, d| product.times(d.nominal()));
        let factors = choose.script.iter().map(|decision| decision.factor()).collect();
        branches.push(Branch { outcome, nominal, factors, assumed: choose.assumed.clone() });
        if !choose.advance() {
            return Explored { branches, complete: true };
        }
    }
}

impl<O: PartialEq> Explored<O> {
    /// Equal outcomes as one, with the sum of their nominal probabilities, in the order of their first branches.
    pub fn merged(self) -> Vec<(O, Probability)> {
        let mut merged: Vec<(O, Probability)> = Vec::new();
        for branch in self.branches {
            match merged.iter_mut().find(|(outcome, _)| *outcome == branch.outcome) {
                Some((_, sum)) => *sum = sum.plus(branch.nominal),
                None => merged.push((branch.outcome, branch.nominal)),
            }
        }
        merged
    }
}

#[cfg(test)]
mod tests {
    use kdp_sim::{Chance, Time};

    use super::*;

    /// kube-proxy's cascade over `n` endpoints.
    fn cascade(choose: &mut impl Choose, n: u32) -> u32 {
        let third = |left: u32| (CERTAIN + left / 2) / left;
        (0..n - 1).find(|i| choose.bernoulli(third(n - i))).unwrap_or(n - 1)
    }

    #[test]
    fn three_endpoints_get_a_third_each() {
        let explored = explore(100, |choose| cascade(choose, 3));
        assert!(explored.complete);
        let kernel: Vec<String> = explored.branches.iter().map(|b| b.kernel().to_string()).collect();
        assert_eq!(kernel, ["715827883/2147483648", "1431655765/4294967296", "1431655765/4294967296"]);
        let merged: Vec<String> = explored.merged().iter().map(|(i, p)| format!("{i}: {p}")).collect();
        assert_eq!(merged, ["0: 1/3", "1: 1/3", "2: 1/3"]);
    }

    #[test]
    fn a_thousand_endpoints_get_a_thousandth_each() {
        let explored = explore(2000, |choose| cascade(choose, 1000));
        assert!(explored.branches.iter().all(|b| b.nominal == Probability::new(1, 1000)));
        let sum = explored.branches.iter().fold(Probability::new(0, 1), |sum, b| sum.plus(b.nominal));
        assert_eq!(sum, Probability::ONE);
    }

    #[test]
    fn an_exploration_stops_where_it_was_told_to() {
        let explored =
            explore(8, |choose| (0..40).map(|_| choose.bernoulli(CERTAIN / 2)).collect::<Vec<_>>());
        assert_eq!((explored.branches.len(), explored.complete), (8, false));
        let certain = explore(8, |choose| (choose.bernoulli(0), choose.bernoulli(CERTAIN), choose.below(1)));
        assert_eq!((certain.branches.len(), certain.complete), (1, true));
        assert_eq!(explore(8, |choose| choose.below(3)).merged().len(), 3);
    }

    #[test]
    fn what_is_not_known_is_taken_both_ways_and_once_for_each_text() {
        let (owner, time): (Arc<str>, Arc<str>) = ("owner --uid-owner 1".into(), "time".into());
        let explored = explore(10, |choose| {
            let first = choose.unknown(&owner).unwrap();
            (first, choose.unknown(&owner).unwrap(), !first && choose.unknown(&time).unwrap())
        });
        let outcomes: Vec<_> = explored.branches.iter().map(|branch| branch.outcome).collect();
        assert_eq!(outcomes, [(true, true, false), (false, false, true), (false, false, false)]);
        assert_eq!(explored.branches[1].assumed, [(owner.clone(), false), (time.clone(), true)]);
        assert_eq!(explored.branches[1].kernel(), Probability::ONE);
        assert_eq!(Run(Chance::new(1).packet(0, Time(0))).unknown(&owner), None);
    }

    #[test]
    fn draws_follow_the_probability() {
        let mut run = Run(Chance::new(1).packet(0, Time(0)));
        let hits = (0..30_000).filter(|_| run.bernoulli(715_827_883)).count();
        assert!((9_700..10_300).contains(&hits), "{hits}");
        assert!(!run.bernoulli(0) && run.bernoulli(CERTAIN));
    }
}
