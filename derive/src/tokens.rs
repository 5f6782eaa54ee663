//! Questions to tokens: which names they mention, and how they read as text.

use proc_macro2::{Delimiter, Ident, LineColumn, Spacing, Span, TokenStream, TokenTree};

/// The first use of `name` as a variable: not as a field or method behind a dot.
pub(crate) fn find(tokens: TokenStream, name: &str) -> Option<Ident> {
    let mut behind_dot = false;
    let mut behind_joint_dot = false;
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => {
                if ident == name && !behind_dot {
                    return Some(ident);
                }
                behind_dot = false;
                behind_joint_dot = false;
            }
            TokenTree::Group(group) => {
                let found = find(group.stream(), name);
                if found.is_some() {
                    return found;
                }
                behind_dot = false;
                behind_joint_dot = false;
            }
            TokenTree::Punct(punct) => {
                // Behind `..` stands an expression, behind `.` a member.
                behind_dot = punct.as_char() == '.' && !behind_joint_dot;
                behind_joint_dot = punct.as_char() == '.' && punct.spacing() == Spacing::Joint;
            }
            TokenTree::Literal(_) => {
                behind_dot = false;
                behind_joint_dot = false;
            }
        }
    }
    None
}

/// Whether `name` is used as a variable.
pub(crate) fn mentions(tokens: TokenStream, name: &str) -> bool {
    find(tokens, name).is_some()
}

/// Every name, in whatever place.
pub(crate) fn idents(tokens: TokenStream) -> Vec<String> {
    tokens
        .into_iter()
        .flat_map(|token| match token {
            TokenTree::Ident(ident) => vec![ident.to_string()],
            TokenTree::Group(group) => idents(group.stream()),
            TokenTree::Punct(_) | TokenTree::Literal(_) => Vec::new(),
        })
        .collect()
}

/// Whether an error may be passed on by `?`.
pub(crate) fn has_question_mark(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Punct(punct) => punct.as_char() == '?',
        TokenTree::Group(group) => has_question_mark(group.stream()),
        TokenTree::Ident(_) | TokenTree::Literal(_) => false,
    })
}

/// A call of the bare name `name`, as in `same(a, b)`: no method and no longer path.
pub(crate) fn find_call(tokens: TokenStream, name: &str) -> Option<Ident> {
    let mut behind_punct = None;
    let mut candidate: Option<Ident> = None;
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => {
                let behind_path = matches!(behind_punct, Some('.' | ':'));
                candidate = (ident == name && !behind_path).then_some(ident);
                behind_punct = None;
            }
            TokenTree::Group(group) => {
                if group.delimiter() == Delimiter::Parenthesis
                    && let Some(found) = candidate.take()
                {
                    return Some(found);
                }
                let found = find_call(group.stream(), name);
                if found.is_some() {
                    return found;
                }
                candidate = None;
                behind_punct = None;
            }
            TokenTree::Punct(punct) => {
                candidate = None;
                behind_punct = Some(punct.as_char());
            }
            TokenTree::Literal(_) => {
                candidate = None;
                behind_punct = None;
            }
        }
    }
    None
}

/// The span of the first token.
pub(crate) fn first_span(tokens: &TokenStream) -> Span {
    tokens
        .clone()
        .into_iter()
        .next()
        .map_or_else(Span::call_site, |token| match token {
            TokenTree::Group(group) => group.span_open(),
            other => other.span(),
        })
}

/// The tokens between the parentheses around a position of a source file.
pub(crate) fn enclosing_list(source: &str, position: LineColumn) -> Option<TokenStream> {
    let line = source
        .split_inclusive('\n')
        .take(position.line.checked_sub(1)?);
    let line_start: usize = line.map(str::len).sum();
    let rest = source.get(line_start..)?;
    let (column, _) = rest.char_indices().nth(position.column)?;
    let (before, behind) = source.split_at_checked(line_start + column)?;
    let (_, before) = before.rsplit_once('(')?;
    let (behind, _) = behind.split_once(')')?;
    format!("{before}{behind}").parse().ok()
}

/// The tokens as the user wrote them, on one line and without comments.
pub(crate) fn text(tokens: TokenStream) -> String {
    let mut printer = Printer::default();
    printer.stream(tokens);
    printer.text
}

#[derive(Default)]
struct Printer {
    text: String,
    end: Option<LineColumn>,
    /// The last token binds to the next one; asked only where positions are unknown.
    glued: bool,
}

impl Printer {
    fn stream(&mut self, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Group(group) => self.group(&group),
                TokenTree::Punct(punct) => {
                    let joint = punct.spacing() == Spacing::Joint;
                    let tight = matches!(punct.as_char(), '.' | ',' | ':' | ';' | '?');
                    let prefix = matches!(punct.as_char(), '.' | '!' | '&' | ':');
                    self.token(&punct.as_char().to_string(), punct.span(), tight);
                    self.glued = joint || prefix;
                }
                TokenTree::Ident(ident) => self.token(&ident.to_string(), ident.span(), false),
                TokenTree::Literal(literal) => {
                    self.token(&literal.to_string(), literal.span(), false);
                }
            }
        }
    }

    fn group(&mut self, group: &proc_macro2::Group) {
        let (open, close) = match group.delimiter() {
            Delimiter::Parenthesis => ("(", ")"),
            Delimiter::Brace => ("{", "}"),
            Delimiter::Bracket => ("[", "]"),
            Delimiter::None => return self.stream(group.stream()),
        };
        let call = self
            .text
            .ends_with(|last: char| last.is_alphanumeric() || last == '_');
        // A group that was printed anew knows its whole span only, so both ends come from it.
        let (start, end) = (group.span().start(), group.span().end());
        let inner_start = LineColumn {
            column: start.column.saturating_add(1),
            ..start
        };
        let inner_end = LineColumn {
            column: end.column.saturating_sub(1),
            ..end
        };
        let known = start != end;
        self.token_at(
            open,
            known.then_some((start, inner_start)),
            call && open != "{",
        );
        self.glued = true;
        self.stream(group.stream());
        self.token_at(close, known.then_some((inner_end, end)), true);
    }

    /// Adds a token, behind a space when there was one in the source.
    fn token(&mut self, token: &str, span: Span, tight: bool) {
        let (start, end) = (span.start(), span.end());
        self.token_at(token, (start != end).then_some((start, end)), tight);
    }

    fn token_at(&mut self, token: &str, place: Option<(LineColumn, LineColumn)>, tight: bool) {
        let apart = match (self.end, place) {
            (Some(before), Some((start, _))) => before != start,
            _ => !(self.glued || tight),
        };
        if apart && !self.text.is_empty() {
            self.text.push(' ');
        }
        self.text.push_str(token);
        self.end = place.map(|(_, end)| end);
        self.glued = false;
    }
}
