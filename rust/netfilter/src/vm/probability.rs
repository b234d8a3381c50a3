//! Probabilities as fractions.

use std::fmt;

use super::CERTAIN;

/// A fraction between 0 and 1, reduced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probability {
    num: u128,
    den: u128,
    exact: bool,
}

impl Probability {
    /// Certain.
    pub const ONE: Probability = Probability { num: 1, den: 1, exact: true };

    /// `num` of `den`, which is neither zero nor less than `num`.
    pub fn new(num: u128, den: u128) -> Probability {
        assert!(num <= den && den > 0, "a probability lies between 0 and 1: {num}/{den}");
        let shared = gcd(num, den);
        Probability { num: num / shared, den: den / shared, exact: true }
    }

    /// What somebody meant who wrote a probability that the kernel stores as `stored` of 2^31: 1/k, if a k is stored as
    /// that (or as its neighbour: kube-proxy writes ten decimals), else the stored fraction.
    pub fn nominal(stored: u32) -> Probability {
        if stored == 0 {
            return Probability::new(0, 1);
        }
        let k = (CERTAIN + stored / 2) / stored;
        let whole = u64::from(stored) * u64::from(k);
        // |stored - 2^31/k| <= 1, times k.
        if whole.abs_diff(u64::from(CERTAIN)) <= u64::from(k) && k < 1 << 15 {
            return Probability::new(1, k.into());
        }
        Probability::new(stored.into(), CERTAIN.into())
    }

    /// Numerator and denominator.
    pub fn fraction(self) -> (u128, u128) {
        (self.num, self.den)
    }

    /// False if numbers grew beyond 128 bits on the way, so that the fraction is a near one.
    pub fn is_exact(self) -> bool {
        self.exact
    }

    /// The nearest floating-point number.
    #[expect(clippy::cast_precision_loss, reason = "that is what a nearest number is")]
    pub fn as_f64(self) -> f64 {
        self.num as f64 / self.den as f64
    }

    /// The probability of the contrary.
    #[must_use]
    pub fn complement(self) -> Probability {
        Probability { num: self.den - self.num, ..self }
    }

    /// The probability of both, if they do not depend on each other.
    #[must_use]
    pub fn times(self, other: Probability) -> Probability {
        let (a, b) = (gcd(self.num, other.den), gcd(other.num, self.den));
        let (mut a, mut b) = (
            Probability { num: self.num / a, den: self.den / b, ..self },
            Probability { num: other.num / b, den: other.den / a, ..other },
        );
        loop {
            if let (Some(num), Some(den)) = (a.num.checked_mul(b.num), a.den.checked_mul(b.den)) {
                return Probability { exact: a.exact && b.exact, ..Probability::new(num, den) };
            }
            if a.den > b.den { a.coarsen() } else { b.coarsen() }
        }
    }

    /// The probability of either, if they exclude each other.
    #[must_use]
    pub fn plus(self, other: Probability) -> Probability {
        let (mut a, mut b) = (self, other);
        loop {
            let shared = gcd(a.den, b.den);
            let den = a.den.checked_mul(b.den / shared);
            let left = a.num.checked_mul(b.den / shared);
            let right = b.num.checked_mul(a.den / shared);
            if let (Some(den), Some(left), Some(right)) = (den, left, right) {
                let num = left.saturating_add(right).min(den);
                return Probability { exact: a.exact && b.exact, ..Probability::new(num, den) };
            }
            if a.den > b.den { a.coarsen() } else { b.coarsen() }
        }
    }

    /// Half as many bits below the line, at the price of a near value.
    fn coarsen(&mut self) {
        let bits = (128 - self.den.leading_zeros()) / 2;
        *self = Probability { exact: false, ..Probability::new(self.num >> bits, (self.den >> bits).max(1)) };
    }
}

impl fmt::Display for Probability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.num, self.den) {
            (num, 1) => write!(f, "{num}"),
            (num, den) => write!(f, "{num}/{den}"),
        }
    }
}

fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_k_is_read_back_from_what_the_kernel_stores() {
        for k in 1..3000u32 {
            // As kube-proxy writes it: ten decimals. Then as iptables stores it.
            let written = (20_000_000_000 / u128::from(k)).div_ceil(2);
            let stored = (written * u128::from(CERTAIN) + 5_000_000_000) / 10_000_000_000;
            let stored = u32::try_from(stored).unwrap();
            assert_eq!(Probability::nominal(stored), Probability::new(1, k.into()), "{k}");
        }
        assert_eq!(Probability::nominal(3 << 29).to_string(), "3/4");
        assert_eq!(Probability::nominal(0).to_string(), "0");
    }

    #[test]
    fn arithmetic_is_that_of_fractions() {
        let of = Probability::new;
        assert_eq!(of(2, 3).times(of(1, 2)), of(1, 3));
        assert_eq!(of(1, 6).plus(of(1, 3)), of(1, 2));
        assert_eq!(of(1, 3).complement(), of(2, 3));
    }

    #[test]
    fn what_grows_too_long_is_near_and_says_so() {
        let odd = Probability::new(715_827_883, CERTAIN.into()).complement();
        let product = (0..20).fold(Probability::ONE, |product, _| product.times(odd));
        assert!(!product.is_exact());
        assert!((product.as_f64() / odd.as_f64().powi(20) - 1.0).abs() < 1e-6, "{product}");
    }
}
