//! The limit that memory sets: columns in, a hash, and one random cache line that was asked for ahead of time.

#![allow(unsafe_code, reason = "a prefetch, and the advice to use huge pages, have no safe form")]

use crate::rows::{QUERIES, Rows};
use crate::stopwatch::{Figure, time};

/// A line as a conntrack table has it.
type Line = [u64; 8];

/// As many lines as the table of so many connections has.
pub(crate) struct Lines {
    words: Vec<u64>,
    skip: usize,
    count: usize,
    out: Vec<u64>,
}

/// Rows that are on their way at once.
const AHEAD: usize = 32;

impl Lines {
    pub(crate) fn new(lines: usize) -> Lines {
        let mut words = vec![0u64; (lines + 1) * 8];
        let skip = words.as_ptr().align_offset(64).min(8);
        on_huge_pages(&mut words);
        (0u64..).zip(&mut words).for_each(|(place, word)| *word = place);
        Lines { words, skip, count: lines, out: vec![0; QUERIES] }
    }

    fn line(&self, at: usize) -> &Line {
        let from = self.skip + at * 8;
        self.words[from..from + 8].try_into().expect("a line is eight words")
    }

    fn place(&self, rows: &Rows, row: usize) -> usize {
        let (key, rest) = rows.key(row);
        let hash =
            fold(fold(key ^ 0xa076_1d64_78bd_642f, rest ^ 0xe703_7ed1_a0b4_28db), 0x8ebc_6af0_9c88_c6e3);
        usize::try_from((u128::from(hash) * self.count as u128) >> 64).expect("below the lines")
    }

    /// limit1: the columns, a hash, one line, eight bytes out.
    pub(crate) fn read_all(&mut self, rows: &Rows) -> Figure {
        let mut out = std::mem::take(&mut self.out);
        let figure = time("limit1: hash and one prefetched line", QUERIES, || {
            let mut ring = [0; AHEAD];
            for row in 0..QUERIES + AHEAD {
                if row >= AHEAD {
                    let line = self.line(ring[row % AHEAD]);
                    out[row - AHEAD] = line[0] ^ line[7];
                }
                if row < QUERIES {
                    let place = self.place(rows, row);
                    prefetch(&self.words, self.skip + place * 8);
                    ring[row % AHEAD] = place;
                }
            }
        });
        let first = self.line(self.place(rows, 0));
        assert_eq!(out[0], first[0] ^ first[7], "a read gave another line");
        self.out = out;
        figure
    }
}

#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    #[expect(clippy::cast_possible_truncation, reason = "both halves are folded in")]
    {
        product as u64 ^ (product >> 64) as u64
    }
}

#[inline]
pub(crate) fn prefetch<T>(elements: &[T], at: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads nothing and never faults, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(elements.as_ptr().wrapping_add(at).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (elements, at);
}

/// The advice that kdp's own table gives. Source: madvise(2).
fn on_huge_pages(words: &mut [u64]) {
    #[cfg(target_os = "linux")]
    {
        const PAGE: usize = 4096;
        const MADV_HUGEPAGE: i32 = 14;
        unsafe extern "C" {
            fn madvise(from: *mut u8, len: usize, advice: i32) -> i32;
        }
        let from: *mut u8 = words.as_mut_ptr().cast();
        let (skip, bytes) = (from.align_offset(PAGE), size_of_val(words));
        if bytes > 4 << 20 {
            // SAFETY: the range lies within the slice, begins at a page, and the advice changes nothing that can be read.
            let _ = unsafe { madvise(from.wrapping_add(skip), (bytes - skip) / PAGE * PAGE, MADV_HUGEPAGE) };
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = words;
}
