//! Names that need no server: addresses, and lines of `/etc/hosts`.

use std::net::{IpAddr, Ipv4Addr};

/// Reads an address as inet_aton(3) and inet_pton(3) do: `10.1` is 10.0.0.1.
pub(super) fn numeric(text: &str) -> Option<IpAddr> {
    if text.contains(':') {
        return text.parse().ok();
    }
    let parts: Vec<u32> = text.split('.').map(number).collect::<Option<_>>()?;
    let (last, octets) = parts.split_last()?;
    if octets.len() > 3 || octets.iter().any(|it| *it > 255) {
        return None;
    }
    let left = 8 * (4 - u32::try_from(octets.len()).ok()?);
    if u64::from(*last) >= 1 << left {
        return None;
    }
    let front = octets.iter().fold(0_u64, |all, octet| all << 8 | u64::from(*octet));
    let whole = u32::try_from((front << left) | u64::from(*last)).ok()?;
    Some(IpAddr::V4(Ipv4Addr::from(whole)))
}

/// A number as C writes it: decimal, `0x` or octal.
fn number(text: &str) -> Option<u32> {
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_hexdigit());
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => (hex, 16),
        None if text.len() > 1 && text.starts_with('0') => (&text[1..], 8),
        None => (text, 10),
    };
    if is_digits(digits) { u32::from_str_radix(digits, radix).ok() } else { None }
}

/// Lines of `/etc/hosts`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hosts<'h>(pub(super) &'h [String]);

impl<'h> Hosts<'h> {
    /// Address and first name of every line that has the name.
    pub(super) fn find(self, name: &str, with_case: bool) -> Vec<(IpAddr, &'h str)> {
        let is_it = |it: &&str| if with_case { *it == name } else { it.eq_ignore_ascii_case(name) };
        let line = |line: &'h String| {
            let mut words = line.split('#').next().unwrap_or("").split_whitespace();
            let address = words.next().and_then(numeric)?;
            let names: Vec<&'h str> = words.collect();
            names.iter().any(is_it).then(|| (address, names[0]))
        };
        self.0.iter().filter_map(line).collect()
    }
}
