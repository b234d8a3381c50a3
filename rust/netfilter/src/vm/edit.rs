//! Tests and changes of single header fields.

use kdp_packet::{Family, Headers, Proto};

use super::Locality;
use crate::{HeaderEdit, HeaderTest, Test, TtlTest};

/// What rules changed in a packet's headers; the packet itself follows when its walk through the table is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Edits {
    /// The new type of service.
    pub tos: Option<u8>,
    /// The new time to live.
    pub ttl: Option<u8>,
    /// The new maximum segment size. Where there was none the option is put in, and the packet grows by four bytes.
    pub mss: Option<u16>,
}

impl Edits {
    /// By how many bytes the packet grows.
    pub fn growth(self, headers: &Headers) -> u16 {
        let puts_in = self.mss.is_some() && headers.tcp.is_some_and(|tcp| tcp.options.mss.is_none());
        if puts_in { 4 } else { 0 }
    }

    /// Puts the changes into the headers.
    pub fn apply(self, headers: &mut Headers) {
        headers.length += self.growth(headers);
        headers.tos = self.tos.unwrap_or(headers.tos);
        headers.ttl = self.ttl.unwrap_or(headers.ttl);
        if let (Some(mss), Some(tcp)) = (self.mss, &mut headers.tcp) {
            if tcp.options.mss.is_none() {
                tcp.options.present = true;
            }
            tcp.options.mss = Some(mss);
            tcp.options.kinds.insert(MSS);
        }
    }

    /// The headers' own value, unless a rule changed it.
    fn tos(self, headers: &Headers) -> u8 {
        self.tos.unwrap_or(headers.tos)
    }

    fn ttl(self, headers: &Headers) -> u8 {
        self.ttl.unwrap_or(headers.ttl)
    }
}

/// The kind of the option for the maximum segment size. Source: RFC 9293, 3.2.
const MSS: u8 = 2;

/// Whether a segment meets `--tcp-option`. Source: net/netfilter/xt_tcpudp.c, v6.12, `tcp_mt`.
pub(super) fn has_option(test: Test<u8>, headers: &Headers, edits: Edits) -> bool {
    let put_in = edits.mss.is_some() && test.value == MSS;
    headers.tcp.is_some_and(|tcp| test.holds(put_in || tcp.options.kinds.contains(test.value)))
}

/// Source: net/netfilter/xt_dscp.c, xt_hl.c, xt_tcpmss.c, xt_iprange.c, v6.12.
pub(super) fn holds(test: &HeaderTest, headers: &Headers, edits: Edits) -> bool {
    match test {
        HeaderTest::Tos(test) => test.holds(edits.tos(headers) & test.value.1 == test.value.0),
        HeaderTest::Dscp(test) => test.holds(edits.tos(headers) >> 2 == test.value),
        HeaderTest::Ttl(test) => {
            let ttl = edits.ttl(headers);
            match *test {
                TtlTest::Eq(value) => ttl == value,
                TtlTest::Ne(value) => ttl != value,
                TtlTest::Lt(value) => ttl < value,
                TtlTest::Gt(value) => ttl > value,
            }
        }
        HeaderTest::TcpMss(test) => {
            let mss = edits.mss.or_else(|| headers.tcp.and_then(|tcp| tcp.options.mss));
            headers.tcp.is_some() && test.holds(mss.is_some_and(|mss| test.value.contains(mss)))
        }
        HeaderTest::Range { src, dst } => {
            src.is_none_or(|test| test.holds((test.value.0..=test.value.1).contains(&headers.src)))
                && dst.is_none_or(|test| test.holds((test.value.0..=test.value.1).contains(&headers.dst)))
        }
    }
}

/// Changes a field; `false` drops the packet.
///
/// Source: net/netfilter/xt_DSCP.c, xt_HL.c, xt_TCPMSS.c, v6.12.
pub(super) fn edit(edit: HeaderEdit, headers: &Headers, edits: &mut Edits, locality: &impl Locality) -> bool {
    let (tos, ttl) = (edits.tos(headers), edits.ttl(headers));
    match edit {
        HeaderEdit::Tos { value, mask } => edits.tos = Some(tos & !mask ^ value),
        HeaderEdit::Dscp(value) => edits.tos = Some(tos & 3 | value << 2),
        HeaderEdit::TtlSet(value) => edits.ttl = Some(value),
        HeaderEdit::TtlInc(value) => edits.ttl = Some(ttl.saturating_add(value)),
        HeaderEdit::TtlDec(value) => edits.ttl = Some(ttl.saturating_sub(value)),
        HeaderEdit::TcpMss(mss) => return clamp(mss, headers, edits, locality),
    }
    true
}

/// Lowers the maximum segment size, never raises it. A SYN without the option gets one, unless it carries data.
///
/// Source: net/netfilter/xt_TCPMSS.c `tcpmss_mangle_packet`, v6.12; RFC 9293 section 3.7.1, RFC 8200 section 8.3 for
/// what an end assumes without it.
fn clamp(mss: Option<u16>, headers: &Headers, edits: &mut Edits, locality: &impl Locality) -> bool {
    if headers.fragment.offset != 0 {
        return true;
    }
    let Some(tcp) = headers.tcp.filter(|_| headers.proto == Proto::TCP) else { return false };
    let (least, default) = if headers.family() == Family::V4 { (40, 536) } else { (60, 1220) };
    let wanted = match mss {
        Some(mss) => mss,
        None => match path(headers, locality).and_then(|mtu| mtu.checked_sub(least)).filter(|mss| *mss > 0) {
            Some(mss) => u16::try_from(mss).unwrap_or(u16::MAX),
            None => return false,
        },
    };
    match edits.mss.or(tcp.options.mss) {
        Some(old) if old <= wanted => {}
        Some(_) => edits.mss = Some(wanted),
        None if tcp.data_len > 0 => {}
        None => edits.mss = Some(wanted.min(default)),
    }
    true
}

/// The smaller of what the ways to the packet's destination and back to its source carry.
fn path(headers: &Headers, locality: &impl Locality) -> Option<u32> {
    let [there, back] = [headers.dst, headers.src].map(|addr| locality.mtu_to(addr));
    there.map(|there| there.min(back.unwrap_or(u32::MAX)))
}

#[cfg(test)]
mod tests {
    use kdp_packet::{TcpOptions, flags};

    use super::*;
    use crate::AddrType;

    struct Path(u32);

    impl Locality for Path {
        fn addr_type(&self, _: std::net::IpAddr) -> AddrType {
            AddrType::Unicast
        }

        fn mtu_to(&self, _: std::net::IpAddr) -> Option<u32> {
            Some(self.0)
        }
    }

    fn syn(mss: Option<u16>, data_len: u32) -> Headers {
        let end = |last: u8| (std::net::IpAddr::from([10, 0, 0, last]), 80);
        let mut headers = Headers::plain(Proto::TCP, end(1), end(2));
        let tcp = headers.tcp.as_mut().unwrap();
        (tcp.flags, tcp.data_len) = (flags::SYN, data_len);
        tcp.options = TcpOptions { mss, ..TcpOptions::default() };
        headers
    }

    fn clamped(to: Option<u16>, headers: &Headers) -> Option<u16> {
        let mut edits = Edits::default();
        assert!(edit(HeaderEdit::TcpMss(to), headers, &mut edits, &Path(1400)));
        edits.mss
    }

    #[test]
    fn a_segment_size_is_lowered_never_raised_and_put_in_where_there_is_room() {
        assert_eq!(clamped(None, &syn(Some(1460), 0)), Some(1360));
        assert_eq!(clamped(Some(1200), &syn(Some(1460), 0)), Some(1200));
        assert_eq!(clamped(Some(1200), &syn(Some(1000), 0)), None);
        assert_eq!(clamped(Some(1200), &syn(None, 0)), Some(536));
        assert_eq!(clamped(Some(1200), &syn(None, 2)), None);
    }

    #[test]
    fn later_rules_see_what_earlier_ones_changed() {
        let headers = syn(None, 0);
        let mut edits = Edits::default();
        for change in
            [HeaderEdit::Tos { value: 0x11, mask: 0xff }, HeaderEdit::Dscp(8), HeaderEdit::TtlDec(70)]
        {
            assert!(edit(change, &headers, &mut edits, &Path(1400)));
        }
        assert_eq!((edits.tos, edits.ttl), (Some(0x21), Some(0)));
        assert!(holds(&HeaderTest::Dscp(crate::Test::is(8)), &headers, edits));
        assert!(holds(&HeaderTest::Ttl(TtlTest::Lt(1)), &headers, edits));
    }

    #[test]
    fn an_option_is_there_if_it_was_sent_or_put_in() {
        let mut headers = syn(None, 0);
        headers.tcp.as_mut().unwrap().options.kinds.insert(8);
        let (mut edits, mss, stamps) = (Edits::default(), Test::is(2), Test::is(8));
        assert!(has_option(stamps, &headers, edits) && !has_option(mss, &headers, edits));
        let ports = crate::Match::Ports {
            proto: Proto::TCP,
            sport: None,
            dport: None,
            flags: None,
            option: Some(stamps),
        };
        assert!(!ports.is_alike(), "a later segment of the flow may lack it");
        assert!(has_option(Test::not(2), &headers, edits) && !has_option(Test::not(8), &headers, edits));
        assert!(edit(HeaderEdit::TcpMss(Some(500)), &headers, &mut edits, &Path(1400)));
        assert!(has_option(mss, &headers, edits));
        edits.apply(&mut headers);
        assert!(has_option(mss, &headers, Edits::default()));
    }
}
