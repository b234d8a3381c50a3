//! IPv4 options that a router reads or writes: record route, timestamp, source routes.

use std::net::Ipv4Addr;

/// What a header's options come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Worked {
    /// The packet goes on, its options as they are now.
    Passed,
    /// A source route, which a router does not follow unless it is told to (`accept_source_route`).
    SourceRoute,
    /// Something is wrong at this byte of the header.
    Wrong(u8),
    /// A label (CIPSO) that is not modelled.
    Unknown,
}

const END: u8 = 0;
const NOOP: u8 = 1;
const RECORD_ROUTE: u8 = 7;
const TIMESTAMP: u8 = 68;
const LOOSE_ROUTE: u8 = 131;
const CIPSO: u8 = 134;
const STRICT_ROUTE: u8 = 137;
const ROUTER_ALERT: u8 = 148;

/// Works on the options of a header, which begin behind its 20th byte: `own` is written into recorded routes, `midnight` are
/// milliseconds since midnight UTC.
///
/// Source: Linux `__ip_options_compile`, `ip_forward_options` (net/ipv4/ip_options.c), `ip_rcv_options` (ip_input.c), v6.12.
pub(crate) fn work(options: &mut [u8], own: Ipv4Addr, midnight: u32) -> Worked {
    let (mut at, mut source_route, mut seen) = (0, false, [false; 2]);
    while at < options.len() {
        let kind = options[at];
        match kind {
            END => {
                options[at..].fill(END);
                break;
            }
            NOOP => {
                at += 1;
                continue;
            }
            _ => {}
        }
        let length = options.get(at + 1).map_or(0, |length| usize::from(*length));
        if length < 2 || at + length > options.len() {
            return wrong(at);
        }
        let option = &mut options[at..at + length];
        let problem = match kind {
            LOOSE_ROUTE | STRICT_ROUTE if source_route => Some(0),
            LOOSE_ROUTE | STRICT_ROUTE => {
                source_route = true;
                route_problem(option)
            }
            RECORD_ROUTE | TIMESTAMP
                if std::mem::replace(&mut seen[usize::from(kind == TIMESTAMP)], true) =>
            {
                Some(0)
            }
            RECORD_ROUTE => record(option, own),
            TIMESTAMP => stamp(option, own, midnight),
            ROUTER_ALERT if length < 4 => Some(1),
            CIPSO => return Worked::Unknown,
            _ => None,
        };
        if let Some(behind) = problem {
            return wrong(at + behind);
        }
        at += length;
    }
    if source_route { Worked::SourceRoute } else { Worked::Passed }
}

/// Whether a route or times are recorded in options that are in order: an ICMP error about the packet would echo them.
pub(crate) fn records(mut options: &[u8]) -> bool {
    while let [kind, rest @ ..] = options {
        options = match (*kind, rest) {
            (END, _) => return false,
            (NOOP, _) => rest,
            (RECORD_ROUTE | TIMESTAMP, [length, ..])
                if (3..=options.len()).contains(&usize::from(*length)) =>
            {
                return true;
            }
            (_, [length, ..]) => options.get(usize::from(*length).max(2)..).unwrap_or_default(),
            _ => return false,
        };
    }
    false
}

fn wrong(at: usize) -> Worked {
    Worked::Wrong(20 + u8::try_from(at).expect("a header has 60 bytes at most"))
}

/// Which byte of an option that lists addresses is wrong.
fn route_problem(option: &[u8]) -> Option<usize> {
    match option {
        [_, _] => Some(1),
        [_, _, 0..4, ..] => Some(2),
        _ => None,
    }
}

fn record(option: &mut [u8], own: Ipv4Addr) -> Option<usize> {
    if let Some(problem) = route_problem(option) {
        return Some(problem);
    }
    let place = usize::from(option[2]);
    if place > option.len() {
        return None;
    }
    if place + 3 > option.len() {
        return Some(2);
    }
    option[place - 1..place + 3].copy_from_slice(&own.octets());
    option[2] += 4;
    None
}

/// Stamps alone, or behind the router's own address. Addresses given beforehand are left to those whose they are.
fn stamp(option: &mut [u8], own: Ipv4Addr, midnight: u32) -> Option<usize> {
    const ALONE: u8 = 0;
    const WITH_ADDRESS: u8 = 1;
    const GIVEN: u8 = 3;
    let [_, _, pointer, flags, ..] = *option else { return Some(1) };
    let place = usize::from(pointer);
    if place < 5 {
        return Some(2);
    }
    if place > option.len() {
        if flags & 15 == GIVEN {
            return None;
        }
        if flags >> 4 == 15 {
            return Some(3);
        }
        option[3] = flags + 0x10;
        return None;
    }
    let room = if flags & 15 == ALONE { 3 } else { 7 };
    if place + room > option.len() {
        return Some(2);
    }
    let mut at = place - 1;
    match flags & 15 {
        ALONE => {}
        WITH_ADDRESS => {
            option[at..at + 4].copy_from_slice(&own.octets());
            at += 4;
        }
        _ => return None,
    }
    option[at..at + 4].copy_from_slice(&midnight.to_be_bytes());
    option[2] = pointer + u8::try_from(room).unwrap_or(0) + 1;
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 1);

    /// Each was seen on Linux 6.18.
    #[test]
    fn options_are_worked_on_as_a_router_does() {
        for (before, worked, after) in [
            ("01010101", Worked::Passed, "01010101"),
            ("94040000", Worked::Passed, "94040000"),
            ("0707040000000000", Worked::Passed, "0707080a01000100"),
            ("440c05000000000000000000", Worked::Passed, "440c09000000000700000000"),
            ("8307040a00000900", Worked::SourceRoute, "8307040a00000900"),
            ("8907040a00000900", Worked::SourceRoute, "8907040a00000900"),
            ("88040001", Worked::Passed, "88040001"),
            ("07ff0400", Worked::Wrong(20), "07ff0400"),
            ("00010000", Worked::Passed, "00000000"),
            ("0703030000000000", Worked::Wrong(22), "0703030000000000"),
            ("0707080a01000100", Worked::Passed, "0707080a01000100"),
        ] {
            let bytes = |text: &str| -> Vec<u8> {
                (0..text.len())
                    .step_by(2)
                    .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
                    .collect()
            };
            let mut options = bytes(before);
            assert_eq!((work(&mut options, OWN, 7), options), (worked, bytes(after)), "{before}");
        }
    }
}
