//! The parser of label selector texts.
//!
//! Source: apimachinery `labels.Parse` (2026-07), with its corners: `(a,,b)` holds the empty value, `(a,,)` is an error.

use super::error::Error;
use super::lexer::{Kind, Lexer, Token};
use super::selector::{Operator, Requirement, Selector};
use super::syntax::{validate_key, validate_value};

impl Selector {
    /// Parses a label selector text. Blank text selects everything.
    ///
    /// # Errors
    /// [`Error`] with the byte of the first surprise: `selector-syntax`, `label-key-invalid`, `label-value-invalid`,
    /// `selector-operand`.
    pub fn parse(text: &str) -> Result<Selector, Error> {
        let mut lexer = Lexer::new(text);
        let mut requirements = Vec::new();
        while lexer.peek().kind != Kind::End {
            requirements.push(requirement(&mut lexer)?);
            let after = lexer.take();
            match (after.kind, lexer.peek()) {
                (Kind::End, _) => break,
                (Kind::Comma, next) if matches!(next.kind, Kind::Word | Kind::Not) => {}
                (Kind::Comma, next) => return Err(unexpected(&lexer, next, "a key or '!' after ','")),
                _ => return Err(unexpected(&lexer, after, "',' or the end")),
            }
        }
        Ok(Selector::all_of(requirements))
    }
}

fn requirement(lexer: &mut Lexer<'_>) -> Result<Requirement, Error> {
    let negated = lexer.peek().kind == Kind::Not;
    if negated {
        lexer.take();
    }
    let key = lexer.take();
    if key.kind != Kind::Word {
        return Err(unexpected(lexer, key, if negated { "a key after '!'" } else { "a key or '!'" }));
    }
    check_key(lexer, key)?;
    if negated {
        return Ok(Requirement::new(key.text, Operator::DoesNotExist, vec![]));
    }
    if matches!(lexer.peek().kind, Kind::End | Kind::Comma) {
        return Ok(Requirement::new(key.text, Operator::Exists, vec![]));
    }
    let operator = operator(lexer)?;
    let values = match operator {
        Operator::In | Operator::NotIn => set(lexer)?,
        _ => vec![exact(lexer)?],
    };
    finish(lexer, key, operator, &values)
}

fn operator(lexer: &mut Lexer<'_>) -> Result<Operator, Error> {
    let token = lexer.take();
    Ok(match (token.kind, token.text) {
        (Kind::Equals, _) => Operator::Equals,
        (Kind::DoubleEquals, _) => Operator::DoubleEquals,
        (Kind::NotEquals, _) => Operator::NotEquals,
        (Kind::Greater, _) => Operator::GreaterThan,
        (Kind::Less, _) => Operator::LessThan,
        (Kind::Word, "in") => Operator::In,
        (Kind::Word, "notin") => Operator::NotIn,
        _ => return Err(unexpected(lexer, token, "one of =, ==, !=, in, notin, >, <, ','")),
    })
}

/// The one value of `=`, `==`, `!=`, `>`, `<`; a missing one is the empty text.
fn exact<'a>(lexer: &mut Lexer<'a>) -> Result<Token<'a>, Error> {
    let next = lexer.peek();
    match next.kind {
        Kind::Word => Ok(lexer.take()),
        Kind::End | Kind::Comma => Ok(Token { kind: Kind::Word, text: "", at: next.at }),
        _ => Err(unexpected(lexer, next, "a value")),
    }
}

/// `(a,b)`: values in the order of their texts, each once.
fn set<'a>(lexer: &mut Lexer<'a>) -> Result<Vec<Token<'a>>, Error> {
    let open = lexer.take();
    if open.kind != Kind::Open {
        return Err(unexpected(lexer, open, "'('"));
    }
    let mut values = Vec::new();
    if lexer.peek().kind == Kind::Close {
        values.push(empty(lexer));
    } else {
        while lexer.peek().kind != Kind::Close || values.is_empty() {
            element(lexer, &mut values)?;
        }
    }
    lexer.take();
    values.sort_by_key(|value| value.text);
    values.dedup_by_key(|value| value.text);
    Ok(values)
}

/// One value, or one comma with the empty values that it implies.
fn element<'a>(lexer: &mut Lexer<'a>, values: &mut Vec<Token<'a>>) -> Result<(), Error> {
    let token = lexer.take();
    match token.kind {
        Kind::Word => {
            values.push(token);
            let next = lexer.peek();
            let fits = matches!(next.kind, Kind::Comma | Kind::Close);
            if fits { Ok(()) } else { Err(unexpected(lexer, next, "',' or ')'")) }
        }
        Kind::Comma => {
            if values.is_empty() {
                values.push(empty(lexer));
            }
            comma(lexer, values)
        }
        _ => Err(unexpected(lexer, token, "a value, ',' or ')'")),
    }
}

/// After a comma: `)` and a second comma stand for an empty value; a second comma must be followed by more.
fn comma<'a>(lexer: &mut Lexer<'a>, values: &mut Vec<Token<'a>>) -> Result<(), Error> {
    match lexer.peek().kind {
        Kind::Close => values.push(empty(lexer)),
        Kind::Comma => {
            values.push(empty(lexer));
            lexer.take();
            if lexer.peek().kind == Kind::Close {
                return Err(unexpected(lexer, lexer.peek(), "a value after ',,'"));
            }
        }
        _ => {}
    }
    Ok(())
}

fn empty<'a>(lexer: &Lexer<'a>) -> Token<'a> {
    Token { kind: Kind::Word, text: "", at: lexer.peek().at }
}

/// Operands of `>` and `<` must be legal label values first, so `-1` and `+1` fail there.
fn finish(
    lexer: &Lexer<'_>,
    key: Token<'_>,
    operator: Operator,
    values: &[Token<'_>],
) -> Result<Requirement, Error> {
    for value in values {
        validate_value(value.text).map_err(|reason| Error::Value {
            text: lexer.text().to_owned(),
            at: value.at,
            value: value.text.to_owned(),
            reason,
        })?;
        let ordered = matches!(operator, Operator::GreaterThan | Operator::LessThan);
        if ordered && value.text.parse::<i64>().is_err() {
            let text = lexer.text().to_owned();
            return Err(Error::Operand { text, at: value.at, value: value.text.to_owned() });
        }
    }
    Ok(Requirement::new(key.text, operator, values.iter().map(|value| value.text.into()).collect()))
}

fn check_key(lexer: &Lexer<'_>, key: Token<'_>) -> Result<(), Error> {
    validate_key(key.text).map_err(|reason| Error::Key {
        text: lexer.text().to_owned(),
        at: key.at,
        key: key.text.to_owned(),
        reason,
    })
}

fn unexpected(lexer: &Lexer<'_>, token: Token<'_>, expected: &'static str) -> Error {
    Error::Syntax { text: lexer.text().to_owned(), at: token.at, found: token.describe(), expected }
}
