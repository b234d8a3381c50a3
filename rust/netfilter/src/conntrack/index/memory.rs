//! Memory in cache lines, on huge pages where the system has them.

#![allow(unsafe_code, reason = "asking memory ahead of time, and for huge pages, has no safe form")]

use super::line::Line;

/// Zeroed lines, each on one cache line.
#[derive(Debug)]
pub(super) struct Lines {
    words: Vec<u64>,
    /// Words before the first line.
    skip: usize,
    len: usize,
}

const WORDS: usize = size_of::<Line>() / size_of::<u64>();

impl Lines {
    /// So many lines. Memory that nobody has written to takes no room yet.
    pub(super) fn zeroed(len: usize) -> Lines {
        // Zeroed words come untouched from the system; a type of a larger alignment would be written to by the allocator.
        let mut words = vec![0; (len + 1) * WORDS];
        let skip = words.as_ptr().align_offset(size_of::<Line>()).min(WORDS);
        on_huge_pages(&mut words);
        Lines { words, skip, len }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    #[inline(always)]
    pub(super) fn get(&self, at: usize) -> &Line {
        let from = self.skip + at * WORDS;
        self.words[from..from + WORDS].try_into().expect("a line is eight words")
    }

    #[inline(always)]
    pub(super) fn get_mut(&mut self, at: usize) -> &mut Line {
        let from = self.skip + at * WORDS;
        (&mut self.words[from..from + WORDS]).try_into().expect("a line is eight words")
    }

    #[inline(always)]
    pub(super) fn prefetch(&self, at: usize) {
        prefetch(&self.words, self.skip + at * WORDS);
    }
}

impl Clone for Lines {
    fn clone(&self) -> Lines {
        let mut copy = Lines::zeroed(self.len);
        for at in 0..self.len {
            *copy.get_mut(at) = *self.get(at);
        }
        copy
    }
}

/// Asks memory for an element that will be wanted; one that does not exist is no harm.
#[inline(always)]
pub(crate) fn prefetch<T>(elements: &[T], at: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads nothing and never faults, whatever the address; SSE is part of x86-64.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(elements.as_ptr().wrapping_add(at).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (elements, at);
}

/// Asks the system for pages of 2 MiB: a lookup misses the processor's table of pages otherwise. Refusal is no error.
/// Source: madvise(2), `MADV_HUGEPAGE`.
fn on_huge_pages(words: &mut [u64]) {
    #[cfg(all(target_os = "linux", not(miri)))]
    {
        const PAGE: usize = 4096;
        const HUGE: usize = 2 << 20;
        const MADV_HUGEPAGE: i32 = 14;
        unsafe extern "C" {
            fn madvise(from: *mut u8, len: usize, advice: i32) -> i32;
        }
        let bytes = size_of_val(words);
        let from: *mut u8 = words.as_mut_ptr().cast();
        let skip = from.align_offset(PAGE);
        if bytes > 2 * HUGE {
            // SAFETY: the range lies within the slice, begins at a page, and the advice changes nothing that can be read.
            let _ = unsafe { madvise(from.wrapping_add(skip), (bytes - skip) / PAGE * PAGE, MADV_HUGEPAGE) };
        }
    }
    #[cfg(not(all(target_os = "linux", not(miri))))]
    let _ = words;
}
