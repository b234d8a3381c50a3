//! A line as iptables-restore splits it into arguments.

/// An argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    /// Without its quotes.
    pub(super) text: String,
    /// Whether it stood in quotes: then it is a value, whatever it begins with.
    pub(super) quoted: bool,
}

/// Splits at blanks; double quotes keep blanks, and a backslash within them keeps the next character.
///
/// Source: iptables 1.8.9, `add_param_to_argv` in iptables/xshared.c: a closing quote ends the argument, even an empty
/// one; outside of quotes a backslash is a character like others. `None` if a quote is not closed.
pub(super) fn split(line: &str) -> Option<Vec<Word>> {
    let mut words = Vec::new();
    let mut text = String::new();
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => {
                quoted(&mut chars, &mut text)?;
                words.push(Word { text: std::mem::take(&mut text), quoted: true });
            }
            ' ' | '\t' if text.is_empty() => {}
            ' ' | '\t' => words.push(Word { text: std::mem::take(&mut text), quoted: false }),
            _ => text.push(c),
        }
    }
    if !text.is_empty() {
        words.push(Word { text, quoted: false });
    }
    Some(words)
}

/// Reads up to and with the closing quote.
fn quoted(chars: &mut std::str::Chars<'_>, text: &mut String) -> Option<()> {
    loop {
        match chars.next()? {
            '"' => return Some(()),
            '\\' => text.push(chars.next()?),
            c => text.push(c),
        }
    }
}

/// A value as iptables-save writes it: in quotes unless it is a plain word.
///
/// Source: iptables 1.8.9, `xtables_save_string` in libxtables/xtables.c.
pub(super) fn quote(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_string();
    }
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\' | '\'') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(line: &str) -> Vec<String> {
        split(line).unwrap().into_iter().map(|word| word.text).collect()
    }

    #[test]
    fn blanks_split_and_quotes_keep() {
        assert_eq!(texts(" -A  X\t-j Y "), ["-A", "X", "-j", "Y"]);
        assert_eq!(texts(r#"a "" "b \"c\\ \d" e\f"#), ["a", "", r#"b "c\ d"#, r"e\f"]);
        assert_eq!(texts(r#"one"two three"four"#), ["onetwo three", "four"]);
        assert_eq!(split(r#"a "b"#), None);
        assert_eq!(split(r#"a "b\"#), None);
    }

    proptest! {
        #[test]
        fn what_was_quoted_is_read_back(text in "[^\n]*") {
            prop_assert_eq!(texts(&quote(&text)), [text]);
        }
    }
}
