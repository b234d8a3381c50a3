//! Fragments wait until their packet is whole; it leaves in fragments again.

use std::collections::BTreeMap;
use std::time::Duration;

use kdp_packet::wire::{self, FragmentKey, Piece};
use kdp_sim::Time;

/// How a packet came in pieces, and so how it leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pieces {
    /// Bytes that each fragment carried, in order.
    sizes: Vec<usize>,
    /// The size of the largest fragment, headers included.
    pub(crate) largest: usize,
    /// Bytes of headers in front of what is cut.
    header_len: usize,
    /// The identification of IPv6 fragments.
    id: u32,
}

impl Pieces {
    /// Cuts the whole packet into fragments as it came. Where the transport header itself was split it is cut anew, at the
    /// size of the largest.
    ///
    /// Source: Linux `ip_do_fragment` (net/ipv4/ip_output.c), v6.12: the geometry of the list of fragments is kept unless NAT
    /// had to pull the transport header together. An IPv6 packet no longer than the largest is left whole (`ip6_finish_output`).
    /// DEVIATION(v6-fragment-id): Linux draws a new identification for IPv6 fragments; here they keep the sender's.
    pub(crate) fn cut(&self, bytes: &[u8]) -> Vec<Vec<u8>> {
        let (v6, carried) = (bytes[0] >> 4 == 6, bytes.len() - self.header_len);
        if v6 && bytes.len() <= self.largest || self.sizes.len() == 1 && carried == self.sizes[0] {
            return vec![bytes.to_vec()];
        }
        let tcp = if v6 { bytes[6] == 6 } else { bytes[9] == 6 };
        let split = tcp && self.sizes[0] < TCP_HEADER;
        let kept = carried == self.sizes.iter().sum::<usize>() && !split;
        if kept {
            return wire::cut(bytes, self.header_len, &self.sizes, self.id);
        }
        let room = if v6 { self.largest.max(1280) - 8 } else { self.largest };
        cut_at(bytes, self.header_len, room, self.id)
    }
}

/// Cuts a packet into fragments of at most `most` bytes each.
pub(crate) fn cut_at(bytes: &[u8], header_len: usize, most: usize, id: u32) -> Vec<Vec<u8>> {
    let each = most.saturating_sub(header_len).max(8) / 8 * 8;
    let carried = bytes.len() - header_len;
    let sizes: Vec<usize> = (0..carried).step_by(each).map(|from| each.min(carried - from)).collect();
    wire::cut(bytes, header_len, &sizes, id)
}

const TCP_HEADER: usize = 20;

/// What became of a fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Gathered {
    /// It was the last one missing: the bytes of the whole packet.
    Whole(Vec<u8>, Pieces),
    /// It waits for others, or says what was known.
    Held,
    /// It contradicts others: all of them were thrown away.
    Refused,
}

/// Packets that are not whole yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fragments(BTreeMap<FragmentKey, Waiting>);

/// The fragments of one packet.
#[derive(Clone, Debug)]
struct Waiting {
    until: Time,
    pieces: BTreeMap<usize, Piece>,
    /// Stretches that are covered, from their start to their end: each of fragments that came one behind the other.
    runs: BTreeMap<usize, usize>,
    /// The end of the packet: known once its last fragment is there.
    end: usize,
    last_in: bool,
}

/// `net.ipv4.ipfrag_time`, and `nf_conntrack_frag6_timeout`.
const WAIT_V4: Duration = Duration::from_secs(30);
const WAIT_V6: Duration = Duration::from_secs(60);

impl Fragments {
    /// Takes a fragment in.
    ///
    /// Source: Linux `ip_frag_queue` (net/ipv4/ip_fragment.c), `inet_frag_queue_insert` (net/ipv4/inet_fragment.c),
    /// `nf_ct_frag6_queue` (net/ipv6/netfilter/nf_conntrack_reasm.c), v6.12: an exact repetition is ignored, an overlap or
    /// an end that contradicts another throws the whole packet away.
    pub(crate) fn add(&mut self, mut piece: Piece, now: Time) -> Gathered {
        self.0.retain(|_, waiting| waiting.until > now);
        if piece.more && piece.key.src.is_ipv4() {
            let rounded = piece.payload.len() / 8 * 8;
            piece.payload.truncate(rounded);
        }
        let key = piece.key;
        let wait = if key.src.is_ipv4() { WAIT_V4 } else { WAIT_V6 };
        let waiting = self.0.entry(key).or_insert_with(|| Waiting {
            until: now + wait,
            pieces: BTreeMap::new(),
            runs: BTreeMap::new(),
            end: 0,
            last_in: false,
        });
        match waiting.put(piece) {
            Put::In | Put::Repeated => {}
            Put::Wrong => {
                self.0.remove(&key);
                return Gathered::Refused;
            }
        }
        if !waiting.is_complete() {
            return Gathered::Held;
        }
        let done = self.0.remove(&key).expect("it was just looked at");
        done.join(key.id).unwrap_or(Gathered::Refused)
    }
}

enum Put {
    In,
    Repeated,
    Wrong,
}

impl Waiting {
    fn put(&mut self, piece: Piece) -> Put {
        let (start, end) = (piece.offset, piece.offset + piece.payload.len());
        let contradicts = if piece.more {
            self.last_in && end > self.end
        } else {
            end < self.end || self.last_in && end != self.end
        };
        if contradicts || start == end || end > usize::from(u16::MAX) {
            return Put::Wrong;
        }
        if piece.key.src.is_ipv6() && piece.more && end % 8 != 0 {
            return Put::Wrong;
        }
        self.last_in |= !piece.more;
        self.end = self.end.max(end);
        match self.cover(start, end) {
            Put::In => {}
            other => return other,
        }
        self.pieces.insert(start, piece);
        Put::In
    }

    /// Marks a stretch as there.
    fn cover(&mut self, start: usize, end: usize) -> Put {
        let last = self.pieces.last_key_value().map(|(from, piece)| from + piece.payload.len());
        match last {
            None => {}
            Some(last) if last < end => {
                if start < last {
                    return Put::Wrong;
                }
                if start == last {
                    let run = self.runs.last_entry().expect("a run ends where the last fragment does");
                    *run.into_mut() = end;
                    return Put::In;
                }
            }
            Some(_) => {
                let meets = |(from, to): &(&usize, &usize)| end > **from && start < **to;
                if let Some((from, to)) = self.runs.iter().find(meets) {
                    return if start >= *from && end <= *to { Put::Repeated } else { Put::Wrong };
                }
            }
        }
        self.runs.insert(start, end);
        Put::In
    }

    fn is_complete(&self) -> bool {
        let carried: usize = self.pieces.values().map(|piece| piece.payload.len()).sum();
        self.last_in && self.pieces.contains_key(&0) && carried == self.end
    }

    fn join(self, id: u32) -> Option<Gathered> {
        let first = self.pieces.get(&0)?;
        let largest = self.pieces.values().map(|piece| piece.size).max()?;
        let largest_df = self.pieces.values().filter(|piece| piece.df).map(|piece| piece.size).max();
        let payload: Vec<u8> = self.pieces.values().flat_map(|piece| piece.payload.iter().copied()).collect();
        let bytes = wire::whole(&first.header, &payload, largest_df == Some(largest))?;
        let sizes = self.pieces.values().map(|piece| piece.payload.len()).collect();
        Some(Gathered::Whole(bytes, Pieces { sizes, largest, header_len: first.header.len(), id }))
    }
}

#[cfg(test)]
mod tests {
    use kdp_packet::{Headers, Proto};
    use proptest::prelude::*;

    use super::*;

    fn udp(v6: bool, payload: &[u8]) -> Vec<u8> {
        let [a, b]: [std::net::IpAddr; 2] = if v6 {
            ["fd00::1".parse().unwrap(), "fd00::2".parse().unwrap()]
        } else {
            [[10, 0, 0, 1].into(), [10, 0, 0, 2].into()]
        };
        let mut headers = Headers::plain(Proto::UDP, (a, 1), (b, 2));
        headers.fragment.df = false;
        wire::build(&headers, payload)
    }

    fn header_len(bytes: &[u8]) -> usize {
        if bytes[0] >> 4 == 6 { 40 } else { 20 }
    }

    fn add(fragments: &mut Fragments, bytes: &[u8], at: u64) -> Gathered {
        fragments.add(wire::fragment(bytes).unwrap().unwrap(), Time::from_secs(at))
    }

    proptest! {
        /// Whatever the order: the packet is whole again, and leaves as it came.
        #[test]
        fn what_is_cut_comes_together_and_is_cut_the_same(
            v6: bool, words in prop::collection::vec(1usize..20, 1..6), odd in 1usize..8, turn in 0usize..6,
        ) {
            let mut sizes: Vec<usize> = words.iter().map(|words| words * 8).collect();
            sizes.push(odd);
            let bytes = udp(v6, &vec![7; sizes.iter().sum::<usize>() - 8]);
            let pieces = wire::cut(&bytes, header_len(&bytes), &sizes, 9);
            let mut order = pieces.clone();
            order.rotate_left(turn % pieces.len());
            let mut fragments = Fragments::default();
            for piece in &order[1..] {
                prop_assert_eq!(add(&mut fragments, piece, 0), Gathered::Held);
            }
            let Gathered::Whole(whole, how) = add(&mut fragments, &order[0], 0) else { panic!("all were there") };
            prop_assert_eq!(&whole, &bytes);
            let fits = v6 && pieces.iter().any(|piece| piece.len() >= bytes.len());
            prop_assert_eq!(how.cut(&whole), if fits { vec![bytes] } else { pieces });
            prop_assert!(fragments.0.is_empty());
        }
    }

    #[test]
    fn an_overlap_throws_the_packet_away_and_a_repetition_nothing() {
        let bytes = udp(false, &[1; 40]);
        let pieces = wire::cut(&bytes, 20, &[24, 16, 8], 0);
        let overlapping = &wire::cut(&bytes, 20, &[16, 32], 0)[1];
        let mut fragments = Fragments::default();
        add(&mut fragments, &pieces[0], 0);
        add(&mut fragments, &pieces[0], 0);
        add(&mut fragments, &pieces[1], 0);
        assert!(matches!(add(&mut fragments, &pieces[2], 0), Gathered::Whole(..)));
        add(&mut fragments, &pieces[0], 0);
        add(&mut fragments, overlapping, 0);
        assert!(fragments.0.is_empty());
    }

    #[test]
    fn fragments_wait_half_a_minute() {
        let bytes = udp(false, &[1; 40]);
        let pieces = wire::cut(&bytes, 20, &[24, 24], 0);
        let mut fragments = Fragments::default();
        add(&mut fragments, &pieces[0], 0);
        assert_eq!(add(&mut fragments, &pieces[1], 31), Gathered::Held);
    }
}
