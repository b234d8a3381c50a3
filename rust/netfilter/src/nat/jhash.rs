//! Bob Jenkins' lookup3 hash, as the kernel spreads flows over addresses with it.
//!
//! Source: <https://burtleburtle.net/bob/c/lookup3.c> (public domain), `hashword`; Linux include/linux/jhash.h `jhash2`.

/// The hash of four words.
pub(super) fn jhash2(words: [u32; 4], initial: u32) -> u32 {
    let start = 0xdead_beef_u32.wrapping_add(16).wrapping_add(initial);
    let [mut a, mut b, mut c] = [0, 1, 2].map(|i| start.wrapping_add(words[i]));
    for (turn_a, turn_b, turn_c) in [(4, 6, 8), (16, 19, 4)] {
        a = a.wrapping_sub(c) ^ c.rotate_left(turn_a);
        c = c.wrapping_add(b);
        b = b.wrapping_sub(a) ^ a.rotate_left(turn_b);
        a = a.wrapping_add(c);
        c = c.wrapping_sub(b) ^ b.rotate_left(turn_c);
        b = b.wrapping_add(a);
    }
    a = a.wrapping_add(words[3]);
    let fold = |x: u32, y: u32, turn| (x ^ y).wrapping_sub(y.rotate_left(turn));
    c = fold(c, b, 14);
    a = fold(a, c, 11);
    b = fold(b, a, 25);
    c = fold(c, b, 16);
    a = fold(a, c, 4);
    b = fold(b, a, 14);
    fold(c, b, 24)
}

/// A hash scaled to a number below `span`.
/// Source: `reciprocal_scale`.
pub(super) fn scale(hash: u32, span: u32) -> u32 {
    ((u64::from(hash) * u64::from(span)) >> 32) as u32
}
