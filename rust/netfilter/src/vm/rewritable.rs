//! The headers of a packet at a hook, which rules may rewrite.

use std::ops::Deref;

use kdp_packet::Headers;

/// Headers as they came to the hook, until a rule rewrites them: hardly one does, so only then they are copied.
#[derive(Clone, Debug)]
pub struct Rewritable<'a> {
    came: &'a Headers,
    rewritten: Option<Box<Headers>>,
}

impl Rewritable<'_> {
    /// The headers, to be changed. Later rules see the change.
    pub fn rewrite(&mut self) -> &mut Headers {
        self.rewritten.get_or_insert_with(|| Box::new(self.came.clone()))
    }

    /// The headers if they were changed.
    pub fn into_rewritten(self) -> Option<Box<Headers>> {
        self.rewritten
    }
}

impl<'a> From<&'a Headers> for Rewritable<'a> {
    fn from(came: &'a Headers) -> Rewritable<'a> {
        Rewritable { came, rewritten: None }
    }
}

impl Deref for Rewritable<'_> {
    type Target = Headers;

    fn deref(&self) -> &Headers {
        self.rewritten.as_deref().unwrap_or(self.came)
    }
}
