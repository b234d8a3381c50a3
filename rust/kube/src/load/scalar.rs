//! What a YAML scalar is in JSON, by the rules that kubectl's YAML library has.
//!
//! Source: sigs.k8s.io/yaml (its fork of go-yaml v2.4), `resolve`: YAML 1.1 booleans, octal and binary integers, `_` in
//! numbers, floats only if they are finite, so that `795e8229` is a text.

use std::fmt::Write;

/// A scalar in JSON.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text,
    /// `.inf` or `.nan`, for which JSON has no word.
    NoJson,
}

/// Reads a plain scalar.
pub(super) fn resolve(text: &str) -> Scalar {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Scalar::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Scalar::Bool(true);
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Scalar::Bool(false);
        }
        _ => {}
    }
    match text.as_bytes()[0] {
        b'0'..=b'9' | b'+' | b'-' | b'.' => number(text),
        _ => Scalar::Text,
    }
}

fn number(text: &str) -> Scalar {
    if is_inf_or_nan(text) {
        return Scalar::NoJson;
    }
    if text.len() > 400 {
        return Scalar::Text;
    }
    let plain = text.replace('_', "");
    if let Some(int) = integer(&plain) {
        return Scalar::Int(int);
    }
    if !looks_like_float(&plain) {
        return Scalar::Text;
    }
    match plain.parse::<f64>() {
        Ok(float) if float.is_finite() => Scalar::Float(float),
        _ => Scalar::Text,
    }
}

fn is_inf_or_nan(text: &str) -> bool {
    let bare = text.strip_prefix(['+', '-']).unwrap_or(text);
    matches!(bare, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN")
}

/// An integer with Go's prefixes: `0x`, `0o`, `0b`, and `0` for octal; within the 64 bits of either sign.
fn integer(text: &str) -> Option<i128> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (radix, digits) = radix(digits);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    let size = i128::from_str_radix(digits, radix).ok()?;
    let value = if negative { -size } else { size };
    let unsigned = !text.starts_with('+') && value <= i128::from(u64::MAX);
    let fits = value >= i128::from(i64::MIN) && (value <= i128::from(i64::MAX) || unsigned);
    fits.then_some(value)
}

fn radix(digits: &str) -> (u32, &str) {
    let bytes = digits.as_bytes();
    match (bytes.first(), bytes.get(1)) {
        (Some(b'0'), Some(b'x' | b'X')) => (16, &digits[2..]),
        (Some(b'0'), Some(b'o' | b'O')) => (8, &digits[2..]),
        (Some(b'0'), Some(b'b' | b'B')) => (2, &digits[2..]),
        (Some(b'0'), Some(_)) => (8, &digits[1..]),
        _ => (10, digits),
    }
}

/// Digits with at most one point, then an exponent: `.5`, `1.`, `6e10`.
fn looks_like_float(text: &str) -> bool {
    let bare = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match bare.find(['e', 'E']) {
        Some(at) => (&bare[..at], Some(&bare[at + 1..])),
        None => (bare, None),
    };
    let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let mantissa_is = match mantissa.split_once('.') {
        None => !mantissa.is_empty() && all_digits(mantissa),
        Some(("", after)) => !after.is_empty() && all_digits(after),
        Some((before, after)) => all_digits(before) && all_digits(after),
    };
    let exponent_is = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !digits.is_empty() && all_digits(digits)
    });
    mantissa_is && exponent_is
}

/// Writes a float as Go's JSON does: whole numbers without a point.
pub(super) fn write_float(out: &mut String, float: f64) {
    if float.fract() == 0.0 && float.abs() < 1e21 {
        let _ = write!(out, "{float:.0}");
    } else {
        out.push_str(serde_json::Number::from_f64(float).map(|n| n.to_string()).as_deref().unwrap_or("null"));
    }
}

/// Writes a text as a JSON string.
pub(super) fn write_text(out: &mut String, text: &str) {
    out.push('"');
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= b' ' && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(&text[from..at]);
        from = at + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            _ => {
                let _ = write!(out, "\\u{byte:04x}");
            }
        }
    }
    out.push_str(&text[from..]);
    out.push('"');
}
