//! Inspection of tokens: the names they mention, their text, and the hygiene of generated variables.

use proc_macro2::{Delimiter, Group, Ident, LineColumn, Spacing, Span, TokenStream, TokenTree};
use quote::quote_spanned;
use syn::Type;

/// Finds the first use of `name` as a variable: not as a field or method after a dot.
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
                // An expression follows `..`, a member follows `.`.
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

/// Returns whether `name` is used as a variable other than for its `member`. Errs on the side of
/// `true`: a name within a macro or a format string counts.
pub(crate) fn mentions_beside(tokens: TokenStream, name: &str, member: &str) -> bool {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let found = match token {
            TokenTree::Group(group) => mentions_beside(group.stream(), name, member),
            TokenTree::Literal(literal) => literal.to_string().contains(name),
            TokenTree::Punct(_) => false,
            TokenTree::Ident(ident) if ident != name => false,
            TokenTree::Ident(_) => {
                let is_dot = |token: &TokenTree| matches!(token, TokenTree::Punct(dot) if dot.as_char() == '.');
                let is_member =
                    |token: &TokenTree| matches!(token, TokenTree::Ident(ident) if ident == member);
                !(tokens.next_if(is_dot).is_some() && tokens.next_if(is_member).is_some())
            }
        };
        if found {
            return true;
        }
    }
    false
}

/// Returns whether `name` is used as a variable.
pub(crate) fn mentions(tokens: TokenStream, name: &str) -> bool {
    find(tokens, name).is_some()
}

/// Collects every identifier, in any position.
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

/// Finds a call of the bare name `name`, as in `same(a, b)`: not of a method or a longer path.
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

/// Returns the span of the first token.
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

/// Makes a variable that generated code declares, or its `self`, located at tokens of the user's.
///
/// Within a user's `macro_rules!` those tokens may have another hygiene than the attribute, and a
/// variable resolves only under a name with the same hygiene.
pub(crate) fn own(name: &str, blamed: Span) -> Ident {
    Ident::new(name, Span::call_site().located_at(blamed))
}

/// Emits `expr` over a variable that generated code declares, all of it located at `blamed`: the
/// variable is rebound under a name from there, because an error about tokens of two places points at
/// neither.
pub(crate) fn over(
    variable: &str,
    blamed: Span,
    expr: impl FnOnce(&Ident) -> TokenStream,
) -> TokenStream {
    let own = own(variable, blamed);
    let there = Ident::new("__it", blamed);
    let expr = expr(&there);
    quote_spanned!(blamed=> { let #there = #own; #expr })
}

/// Returns the same tokens, in which each of `names` resolves to the variable that generated code
/// declares.
pub(crate) fn bound(tokens: TokenStream, names: &[&str]) -> TokenStream {
    tokens
        .into_iter()
        .map(|token| match token {
            TokenTree::Ident(ident) => match names.iter().find(|name| ident == name) {
                Some(name) => own(name, ident.span()).into(),
                None => ident.into(),
            },
            TokenTree::Group(group) => {
                let mut bound = Group::new(group.delimiter(), bound(group.stream(), names));
                bound.set_span(group.span());
                bound.into()
            }
            other => other,
        })
        .collect()
}

/// Strips the invisible groups and parentheses that a macro may have put around a type.
pub(crate) fn bare_type(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => bare_type(&group.elem),
        Type::Paren(paren) => bare_type(&paren.elem),
        other => other,
    }
}

/// Returns the tokens between the parentheses around a position in a source file.
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

/// Returns the text of the tokens as the user wrote them, on one line and without comments.
pub(crate) fn text(tokens: TokenStream) -> String {
    let mut printer = Printer::default();
    printer.stream(tokens);
    printer.text
}

#[derive(Default)]
struct Printer {
    text: String,
    end: Option<LineColumn>,
    /// Set if the last token binds to the next one; used only if positions are unknown.
    glued: bool,
    /// Set if it does so regardless of positions, which differ for tokens that a macro assembled.
    bound: bool,
    /// Set if the last token was the first dot of a range.
    range: bool,
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
                    let dot = punct.as_char() == '.' && !joint && !self.range;
                    self.bound |= dot || punct.as_char() == ',';
                    self.token(&punct.as_char().to_string(), punct.span(), tight);
                    self.glued = joint || prefix;
                    self.bound = dot;
                    self.range = punct.as_char() == '.' && joint;
                }
                TokenTree::Ident(ident) => self.token(&ident.to_string(), ident.span(), false),
                TokenTree::Literal(literal) => {
                    self.token(&literal.to_string(), literal.span(), false);
                }
            }
        }
    }

    fn group(&mut self, group: &Group) {
        let (open, close) = match group.delimiter() {
            Delimiter::Parenthesis => ("(", ")"),
            Delimiter::Brace => ("{", "}"),
            Delimiter::Bracket => ("[", "]"),
            Delimiter::None => return self.stream(group.stream()),
        };
        let call = self
            .text
            .ends_with(|last: char| last.is_alphanumeric() || last == '_');
        // A reprinted group has only its whole span, so both ends come from it.
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
        self.bound = open != "{";
        self.stream(group.stream());
        self.bound = open != "{";
        self.token_at(close, known.then_some((inner_end, end)), true);
    }

    /// Adds a token, after a space if there was one in the source.
    fn token(&mut self, token: &str, span: Span, tight: bool) {
        let (start, end) = (span.start(), span.end());
        self.token_at(token, (start != end).then_some((start, end)), tight);
    }

    fn token_at(&mut self, token: &str, place: Option<(LineColumn, LineColumn)>, tight: bool) {
        let apart = match (self.end, place) {
            (Some(before), Some((start, _))) => before != start,
            _ => !(self.glued || tight),
        };
        if apart && !self.bound && !self.text.is_empty() {
            self.text.push(' ');
        }
        self.text.push_str(token);
        self.end = place.map(|(_, end)| end);
        self.glued = false;
        self.bound = false;
        self.range = false;
    }
}
