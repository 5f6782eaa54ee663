//! Parsing of `key`, `key = value` and `key(..)` entries of attributes, with recovery after an error.

use std::collections::BTreeSet;

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::ext::IdentExt as _;
use syn::parse::ParseStream;
use syn::{Attribute, LitStr, Meta, Path, Token};

use crate::diag::{Diag, error, list};
use crate::form::{Form, Stands};

/// The path under which the library is known to the user's crate.
#[derive(Debug, Clone)]
pub(crate) struct Library(TokenStream);

impl Default for Library {
    fn default() -> Self {
        Self(quote!(::clearance))
    }
}

impl Library {
    /// Parses the value of `crate = path`, also as a string.
    pub(crate) fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        input.parse::<Token![=]>()?;
        let path: Path = if input.peek(LitStr) {
            input.parse::<LitStr>()?.parse()?
        } else {
            input.parse()?
        };
        Ok(Self(quote!(#path)))
    }
}

impl Library {
    /// Returns the path with all of its tokens at `span`, so that errors point there.
    pub(crate) fn at(&self, span: Span) -> TokenStream {
        self.0
            .clone()
            .into_iter()
            .map(|mut token| {
                token.set_span(span);
                token
            })
            .collect()
    }
}

impl quote::ToTokens for Library {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.0.to_tokens(tokens);
    }
}

/// The keys of one form that were read so far, over all attributes of one item.
#[derive(Debug)]
pub(crate) struct Keys {
    form: Form,
    seen: BTreeSet<&'static str>,
    /// Set if the derive reads JSON, rather than writes it.
    reading: bool,
}

impl Keys {
    pub(crate) const fn new(form: Form) -> Self {
        Self {
            form,
            seen: BTreeSet::new(),
            reading: false,
        }
    }

    /// Marks the keys as those of a derive that reads JSON.
    pub(crate) const fn reading(mut self) -> Self {
        self.reading = true;
        self
    }

    fn help(&self) -> String {
        let valid = list(&self.form.names());
        if self.form.shown().starts_with("#[serde") {
            // A serde attribute that is not honoured would quietly change the JSON.
            let derive = if self.reading {
                "the derive reads JSON"
            } else {
                "`derive(Dto)` writes `Serialize`"
            };
            format!("{derive} itself and honours only {valid}")
        } else {
            format!("valid keys are {valid}")
        }
    }

    /// Looks `key` up and records it. `None` if the form does not have it.
    ///
    /// # Errors
    ///
    /// If the key may not stand here, or was already read.
    pub(crate) fn meet(&mut self, key: &Ident) -> Option<syn::Result<&'static str>> {
        let (name, stands) = self.form.keys().iter().find(|(name, _)| key == name)?;
        let shown = || {
            if self.form.is_of_attributes() {
                format!("`#[{name}]`")
            } else {
                format!("`{name}`")
            }
        };
        Some(match stands {
            Stands::Elsewhere(help) => {
                Err(error(key, format!("{} has no effect here", shown()), help))
            }
            Stands::Once if self.seen.contains(name) => Err(error(
                key,
                format!("{} is stated twice", shown()),
                "keep one of the two",
            )),
            Stands::Once | Stands::Joined => {
                self.seen.insert(name);
                Ok(name)
            }
        })
    }

    /// Returns which of the form's attributes this is, if it may stand here.
    pub(crate) fn attribute(
        &mut self,
        attribute: &Attribute,
        diag: &mut Diag,
    ) -> Option<&'static str> {
        match self.meet(attribute.path().get_ident()?)? {
            Ok(name) => Some(name),
            Err(error) => {
                diag.push(error);
                None
            }
        }
    }

    /// Parses the entries of `attribute`, each with `entry`.
    pub(crate) fn read(
        &mut self,
        attribute: &Attribute,
        diag: &mut Diag,
        entry: impl FnMut(&Ident, ParseStream<'_>) -> syn::Result<()>,
    ) {
        match &attribute.meta {
            Meta::List(meta) => self.read_tokens(meta.tokens.clone(), diag, entry),
            Meta::Path(_) | Meta::NameValue(_) => diag.error(
                &attribute.meta,
                format!("expected `{}`", self.form.shown()),
                format!("valid keys are {}", list(&self.form.names())),
            ),
        }
    }

    /// Parses the entries in `tokens`, each with `entry`.
    pub(crate) fn read_tokens(
        &mut self,
        tokens: TokenStream,
        diag: &mut Diag,
        mut entry: impl FnMut(&Ident, ParseStream<'_>) -> syn::Result<()>,
    ) {
        let parsed = syn::parse::Parser::parse2(
            |input: ParseStream<'_>| {
                while !input.is_empty() {
                    if let Err(error) = self.entry(input, diag, &mut entry) {
                        diag.push(error);
                        skip_entry(input)?;
                    } else if !input.is_empty() && !input.peek(Token![,]) {
                        diag.push(input.error("expected `,`"));
                        skip_entry(input)?;
                    }
                    input.parse::<Option<Token![,]>>()?;
                }
                Ok(())
            },
            tokens,
        );
        if let Err(error) = parsed {
            diag.push(error);
        }
    }

    fn entry(
        &mut self,
        input: ParseStream<'_>,
        diag: &mut Diag,
        entry: &mut impl FnMut(&Ident, ParseStream<'_>) -> syn::Result<()>,
    ) -> syn::Result<()> {
        let key = input.call(Ident::parse_any).map_err(|_| {
            input.error(format!(
                "expected a key of `{}`\nhelp: valid keys are {}",
                self.form.shown(),
                list(&self.form.names())
            ))
        })?;
        match self.meet(&key) {
            None => {
                return Err(error(
                    &key,
                    format!("unknown key `{key}` in `{}`", self.form.shown()),
                    self.help(),
                ));
            }
            Some(Err(twice)) => diag.push(twice),
            Some(Ok(_)) => {}
        }
        entry(&key, input)
    }
}

/// Skips to the next comma.
fn skip_entry(input: ParseStream<'_>) -> syn::Result<()> {
    while !input.is_empty() && !input.peek(Token![,]) {
        input.parse::<proc_macro2::TokenTree>()?;
    }
    Ok(())
}

/// Parses `= "text"`.
pub(crate) fn text(key: &Ident, input: ParseStream<'_>) -> syn::Result<LitStr> {
    if !input.peek(Token![=]) || !input.peek2(LitStr) {
        return Err(error(
            key,
            format!("`{key}` needs a string"),
            format!("the correct form is `{key} = \"..\"`"),
        ));
    }
    input.parse::<Token![=]>()?;
    input.parse()
}

/// Parses `= path`.
pub(crate) fn path(key: &Ident, input: ParseStream<'_>) -> syn::Result<Path> {
    if !input.peek(Token![=]) {
        return Err(error(
            key,
            format!("`{key}` needs a path"),
            format!("the correct form is `{key} = path`"),
        ));
    }
    input.parse::<Token![=]>()?;
    if let Ok(quoted) = input.fork().parse::<LitStr>() {
        return Err(error(
            &quoted,
            format!("`{key}` takes a path, not a string"),
            format!("write `{key} = {}`", quoted.value()),
        ));
    }
    input.parse()
}

/// Parses `= word`, one of `valid`.
pub(crate) fn word(key: &Ident, input: ParseStream<'_>, valid: &[&str]) -> syn::Result<Ident> {
    let forms: Vec<String> = valid
        .iter()
        .map(|word| format!("`{key} = {word}`"))
        .collect();
    let help = format!("the correct form is {}", forms.join(" or "));
    if !input.peek(Token![=]) {
        return Err(error(key, format!("`{key}` needs a value"), help));
    }
    input.parse::<Token![=]>()?;
    let word = input
        .call(Ident::parse_any)
        .map_err(|_| input.error(format!("`{key}` has no such value\nhelp: {help}")))?;
    if valid.contains(&word.to_string().as_str()) {
        Ok(word)
    } else {
        Err(error(&word, format!("`{key}` has no value `{word}`"), help))
    }
}
