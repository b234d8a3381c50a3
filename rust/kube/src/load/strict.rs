//! One pass over JSON that is known to be well formed: white space out, and what a lenient reader lets through refused.

use hashbrown::HashSet;

use super::MAX_DEPTH;

/// What a lenient reader lets through.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// A key twice in one object, and the offset of the second.
    DuplicateKey(String, usize),
    /// Nested too deeply, at the offset.
    TooDeep(usize),
    /// A text or number that cannot be kept, at the offset.
    BadToken(String, usize),
}

/// The text without white space between tokens. Refuses duplicate keys, deep nesting, lone surrogates and numbers
/// beyond 64-bit floats, so that the result can be read again by anything.
pub(super) fn compact(text: &str) -> Result<String, Fault> {
    let mut walk =
        Walk { text, out: String::with_capacity(text.len() / 2), open: Vec::new(), keys: Vec::new() };
    walk.run()?;
    walk.out.shrink_to_fit();
    Ok(walk.out)
}

struct Walk<'a> {
    text: &'a str,
    out: String,
    /// For each open bracket, where its keys begin in `keys`; `None` for an array.
    open: Vec<Option<usize>>,
    keys: Vec<&'a str>,
}

impl<'a> Walk<'a> {
    fn run(&mut self) -> Result<(), Fault> {
        let bytes = self.text.as_bytes();
        let mut at = 0;
        let mut key_next = false;
        while at < bytes.len() {
            let end = match bytes[at] {
                b' ' | b'\n' | b'\r' | b'\t' => {
                    at += 1;
                    continue;
                }
                b'"' => self.string(at, key_next)?,
                b'{' | b'[' => self.enter(at, bytes[at] == b'{')?,
                b'}' | b']' => self.leave(at)?,
                b',' | b':' => at + 1,
                _ => self.token(at)?,
            };
            key_next = match bytes[at] {
                b'{' => true,
                b',' => self.open.last().is_some_and(Option::is_some),
                _ => false,
            };
            self.out.push_str(&self.text[at..end]);
            at = end;
        }
        Ok(())
    }

    fn enter(&mut self, at: usize, object: bool) -> Result<usize, Fault> {
        if self.open.len() == MAX_DEPTH {
            return Err(Fault::TooDeep(at));
        }
        self.open.push(object.then_some(self.keys.len()));
        Ok(at + 1)
    }

    fn leave(&mut self, at: usize) -> Result<usize, Fault> {
        if let Some(Some(start)) = self.open.pop() {
            let long = self.keys.len() - start > SHORT;
            if let Some(key) = long.then(|| first_twice(&self.keys[start..])).flatten() {
                return Err(Fault::DuplicateKey(key.to_owned(), at));
            }
            self.keys.truncate(start);
        }
        Ok(at + 1)
    }

    fn string(&mut self, at: usize, is_key: bool) -> Result<usize, Fault> {
        let text = self.text;
        let end = string_end(text.as_bytes(), at);
        let inside = &text[at + 1..end - 1];
        if inside.contains("\\u") && serde_json::from_str::<String>(&text[at..end]).is_err() {
            return Err(Fault::BadToken(text[at..end].to_owned(), at));
        }
        if is_key {
            self.key(inside, at)?;
        }
        Ok(end)
    }

    fn key(&mut self, key: &'a str, at: usize) -> Result<(), Fault> {
        let start = self.open.last().copied().flatten().expect("a key is in an object");
        self.keys.push(key);
        let keys = &self.keys[start..];
        // Longer objects are checked as a whole when they end.
        let twice = keys.len() <= SHORT && keys[..keys.len() - 1].contains(&key);
        if twice { Err(Fault::DuplicateKey(key.to_owned(), at)) } else { Ok(()) }
    }

    fn token(&mut self, at: usize) -> Result<usize, Fault> {
        let rest = &self.text.as_bytes()[at..];
        let len = rest.iter().position(|b| b",]} \n\r\t:".contains(b)).unwrap_or(rest.len());
        let token = &self.text[at..at + len];
        let risky = len > 17 || token.contains(['e', 'E']);
        if risky && serde_json::from_str::<serde_json::Value>(token).is_err() {
            return Err(Fault::BadToken(token.to_owned(), at));
        }
        Ok(at + len)
    }
}

/// Up to this many keys are compared one by one.
const SHORT: usize = 24;

fn first_twice<'a>(keys: &[&'a str]) -> Option<&'a str> {
    let mut seen = HashSet::with_hasher(foldhash::fast::FixedState::default());
    keys.iter().find(|key| !seen.insert(**key)).copied()
}

/// The offset behind the closing quote of a string that begins at `at`.
fn string_end(bytes: &[u8], at: usize) -> usize {
    let mut end = at + 1;
    while bytes[end] != b'"' {
        end += if bytes[end] == b'\\' { 2 } else { 1 };
    }
    end + 1
}
