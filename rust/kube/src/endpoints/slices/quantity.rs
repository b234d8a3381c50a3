//! Amounts of CPU.
//!
//! Source: apimachinery `api/resource`, the quantity grammar.

/// An amount in billionths, rounded up: `500m`, `4`, `1.5`, `2Ki`, `1e3`. `None` if it is not an amount, or below zero.
pub(super) fn nanos(text: &str) -> Option<u128> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '+' | '-')));
    let (number, suffix) = text.split_at(end.unwrap_or(text.len()));
    let number = number.strip_prefix('+').unwrap_or(number);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = format!("{whole}{fraction}");
    let value: u128 = digits.parse().ok().filter(|_| digits.bytes().all(|b| b.is_ascii_digit()))?;
    let (factor, divisor) = scale(suffix)?;
    let below = 10u128.checked_pow(u32::try_from(fraction.len()).ok()?)?.checked_mul(divisor)?;
    let scaled = value.checked_mul(factor)?.checked_mul(1_000_000_000)?;
    Some(scaled.div_ceil(below))
}

/// What a suffix multiplies and divides by.
fn scale(suffix: &str) -> Option<(u128, u128)> {
    let tens = |power: u32| 10u128.checked_pow(power);
    Some(match suffix {
        "" => (1, 1),
        "n" => (1, tens(9)?),
        "u" => (1, tens(6)?),
        "m" => (1, tens(3)?),
        "k" => (tens(3)?, 1),
        "M" => (tens(6)?, 1),
        "G" => (tens(9)?, 1),
        "T" => (tens(12)?, 1),
        "P" => (tens(15)?, 1),
        "E" => (tens(18)?, 1),
        "Ki" => (1 << 10, 1),
        "Mi" => (1 << 20, 1),
        "Gi" => (1 << 30, 1),
        "Ti" => (1 << 40, 1),
        "Pi" => (1 << 50, 1),
        "Ei" => (1 << 60, 1),
        exponent => {
            let power: i32 = exponent.strip_prefix(['e', 'E'])?.parse().ok()?;
            let factor = tens(power.unsigned_abs())?;
            if power < 0 { (1, factor) } else { (factor, 1) }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::nanos;

    #[test]
    fn amounts() {
        let one = 1_000_000_000;
        for (text, amount) in [
            ("4", Some(4 * one)),
            ("500m", Some(one / 2)),
            ("1.5", Some(3 * one / 2)),
            ("0", Some(0)),
            ("2k", Some(2000 * one)),
            ("1Ki", Some(1024 * one)),
            ("1e3", Some(1000 * one)),
            ("1e-3", Some(one / 1000)),
            ("x", None),
            ("", None),
            ("1Q", None),
            ("-1", None),
        ] {
            assert_eq!(nanos(text), amount, "{text}");
        }
    }
}
