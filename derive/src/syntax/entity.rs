//! Parsing of `#[derive(Entity)]` and its attributes.

use proc_macro2::{Ident, TokenStream};
use syn::parse::ParseStream;
use syn::{Attribute, DeriveInput, LitStr, Token, Type, Visibility, parenthesized};

use super::plain_struct;
use crate::attribute::{Keys, Library, path, text, word};
use crate::diag::{Diag, error};
use crate::form::Form;
use crate::rule::RawRule;

#[derive(Debug)]
pub(crate) struct RawEntity {
    pub(crate) ident: Ident,
    pub(crate) vis: Visibility,
    pub(crate) library: Library,
    pub(crate) table: Option<LitStr>,
    pub(crate) viewer: Option<Type>,
    /// The key word of `rows = open`.
    pub(crate) open: Option<Ident>,
    pub(crate) reason: Option<LitStr>,
    /// Set if its rows are those of viewers.
    pub(crate) viewer_of: bool,
    pub(crate) rules: Vec<RawRowRule>,
    pub(crate) relations: Vec<RawRelation>,
    pub(crate) fields: Vec<RawColumn>,
    /// Set if its attributes could not be parsed in full, so that a missing one may only be misspelt.
    pub(crate) unread: bool,
}

#[derive(Debug)]
pub(crate) struct RawRowRule {
    pub(crate) key: Ident,
    pub(crate) operation: Operation,
    pub(crate) rule: RawRule,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    /// Every operation.
    Any,
    Read,
    Create,
    Update,
    /// The row as an update makes it.
    Updated,
    Delete,
}

/// `belongs_to(author: User, by = author_id)`
#[derive(Debug)]
pub(crate) struct RawRelation {
    pub(crate) ident: Ident,
    pub(crate) target: syn::Path,
    pub(crate) join: Join,
}

/// The pairs of equal fields on both sides of a relation.
#[derive(Debug)]
pub(crate) enum Join {
    /// `belongs_to(.., by = own)`
    OwnField(Ident),
    /// `has_many(.., by = theirs)`
    TheirField(Ident),
    /// `has_many(.., on(theirs = own, ..))`
    Pairs(Vec<(Ident, Ident)>),
}

#[derive(Debug)]
pub(crate) struct RawColumn {
    pub(crate) ident: Ident,
    pub(crate) ty: Type,
    pub(crate) key: Option<Ident>,
    pub(crate) lookup: Option<Ident>,
    /// Set for `lookup(many)`: several rows may have the same value.
    pub(crate) many: bool,
    pub(crate) column: Option<LitStr>,
    /// The rules of `filter_if` and `filter_unless`, each with its key word.
    pub(crate) filters: Vec<(Ident, RawRule)>,
    /// Set if it has such rules, even if they are wrong.
    pub(crate) filtered: bool,
    /// Set as for the struct.
    pub(crate) unread: bool,
}

/// Parses the input. Returns `None` if it is not a struct that could be an entity.
pub(crate) fn read(input: &DeriveInput, diag: &mut Diag) -> Option<RawEntity> {
    let fields = plain_struct(input, "Entity", diag)?;
    let mut raw = RawEntity {
        ident: input.ident.clone(),
        vis: input.vis.clone(),
        library: Library::default(),
        table: None,
        viewer: None,
        open: None,
        reason: None,
        viewer_of: false,
        rules: Vec::new(),
        relations: Vec::new(),
        fields: Vec::new(),
        unread: false,
    };
    let errors = diag.count();
    let mut keys = Keys::new(Form::Entity);
    for attribute in ours(&input.attrs) {
        keys.read(attribute, diag, |key, input| raw.entry(key, input));
    }
    raw.unread = diag.count() > errors;
    for field in fields {
        if let Some(ident) = &field.ident {
            let mut column = RawColumn {
                ident: ident.clone(),
                ty: field.ty.clone(),
                key: None,
                lookup: None,
                many: false,
                column: None,
                filters: Vec::new(),
                filtered: false,
                unread: false,
            };
            let errors = diag.count();
            let mut keys = Keys::new(Form::EntityField);
            for attribute in ours(&field.attrs) {
                keys.read(attribute, diag, |key, input| column.entry(key, input));
            }
            column.unread = diag.count() > errors;
            raw.fields.push(column);
        }
    }
    Some(raw)
}

fn ours(attributes: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("entity"))
}

impl RawEntity {
    fn entry(&mut self, key: &Ident, input: ParseStream<'_>) -> syn::Result<()> {
        match key.to_string().as_str() {
            "table" => self.table = Some(text(key, input)?),
            "viewer" => {
                let path = path(key, input)?;
                self.viewer = Some(Type::Path(syn::TypePath {
                    attrs: Vec::new(),
                    qself: None,
                    path,
                }));
            }
            "rows" => self.open = Some(word(key, input, &["open"])?),
            "reason" => self.reason = Some(text(key, input)?),
            "viewer_of" => {
                alone(key, input)?;
                self.viewer_of = true;
            }
            "crate" => self.library = Library::parse(input)?,
            "belongs_to" | "has_many" => self.relations.push(RawRelation::parse(key, input)?),
            rule => {
                let (operation, negated) = match rule {
                    "tenant_if" => (Operation::Any, false),
                    "read_if" => (Operation::Read, false),
                    "read_unless" => (Operation::Read, true),
                    "create_if" => (Operation::Create, false),
                    "create_unless" => (Operation::Create, true),
                    "update_if" => (Operation::Update, false),
                    "update_unless" => (Operation::Update, true),
                    "updated_if" => (Operation::Updated, false),
                    "updated_unless" => (Operation::Updated, true),
                    "delete_if" => (Operation::Delete, false),
                    _ => (Operation::Delete, true),
                };
                let rule = self::rule(key, rule, negated, input)?;
                self.rules.push(RawRowRule {
                    key: key.clone(),
                    operation,
                    rule,
                });
            }
        }
        Ok(())
    }
}

impl RawRelation {
    fn parse(key: &Ident, input: ParseStream<'_>) -> syn::Result<Self> {
        let one = key == "belongs_to";
        let form = if one {
            "`belongs_to(author: User, by = author_id)`, where `author_id` is a field of this entity that holds the key of the other"
        } else {
            "`has_many(comments: Comment, by = post_id)`, where `post_id` is a field of the other entity that holds the key of this one, or `has_many(grants: Grant, on(team = team))`"
        };
        let malformed = |at: &Ident| {
            error(
                at,
                format!("`{key}` names a relation and how it is joined"),
                format!("the correct form is {form}"),
            )
        };
        if !input.peek(syn::token::Paren) {
            return Err(malformed(key));
        }
        let content;
        parenthesized!(content in input);
        let parsed = (|| {
            let ident: Ident = content.parse()?;
            content.parse::<Token![:]>()?;
            let target: syn::Path = content.parse()?;
            content.parse::<Token![,]>()?;
            let word: Ident = content.parse()?;
            let join = if word == "by" {
                content.parse::<Token![=]>()?;
                let field: Ident = content.parse()?;
                if one {
                    Join::OwnField(field)
                } else {
                    Join::TheirField(field)
                }
            } else if word == "on" && !one {
                Join::Pairs(pairs(&content)?)
            } else {
                return Err(malformed(&word));
            };
            content.parse::<Option<Token![,]>>()?;
            if !content.is_empty() {
                return Err(content.error("unexpected token"));
            }
            Ok(Self {
                ident,
                target,
                join,
            })
        })();
        skip_rest(&content)?;
        parsed.map_err(|failed| {
            if failed.to_string().contains("help:") {
                failed
            } else {
                syn::Error::new(
                    failed.span(),
                    format!("{failed}\nhelp: the correct form is {form}"),
                )
            }
        })
    }
}

/// Requires that a key word has no value.
fn alone(key: &Ident, input: ParseStream<'_>) -> syn::Result<()> {
    if input.is_empty() || input.peek(Token![,]) {
        return Ok(());
    }
    Err(error(
        key,
        format!("`{key}` takes no value"),
        format!("write `#[entity({key})]`: the subject of a viewer is the key of its row"),
    ))
}

/// Parses `(team = team, kind = kind)`.
fn pairs(input: ParseStream<'_>) -> syn::Result<Vec<(Ident, Ident)>> {
    let content;
    parenthesized!(content in input);
    let mut pairs = Vec::new();
    let parsed = (|| {
        loop {
            let theirs: Ident = content.parse()?;
            content.parse::<Token![=]>()?;
            pairs.push((theirs, content.parse()?));
            content.parse::<Option<Token![,]>>()?;
            if content.is_empty() {
                return Ok(());
            }
        }
    })();
    skip_rest(&content)?;
    parsed.map(|()| pairs)
}

fn rule(key: &Ident, form: &str, negated: bool, input: ParseStream<'_>) -> syn::Result<RawRule> {
    if !input.peek(syn::token::Paren) {
        return Err(error(
            key,
            format!("`{form}` needs a rule"),
            format!("the correct form is `{form}(viewer.id == row.id)`"),
        ));
    }
    let content;
    parenthesized!(content in input);
    let rule = RawRule::parse(&content, form, negated);
    skip_rest(&content)?;
    rule
}

/// Skips what an error left, which would only add errors.
fn skip_rest(content: ParseStream<'_>) -> syn::Result<()> {
    content.parse::<TokenStream>().map(drop)
}

/// Returns whether `(many)` follows `lookup`.
fn many(key: &Ident, input: ParseStream<'_>) -> syn::Result<bool> {
    if !input.peek(syn::token::Paren) {
        return Ok(false);
    }
    let content;
    parenthesized!(content in input);
    let word = content.parse::<Ident>();
    if word.is_ok_and(|word| word == "many") && content.is_empty() {
        return Ok(true);
    }
    Err(error(
        key,
        "`lookup` takes nothing but `many`",
        "write `lookup` if a value finds one row, and `lookup(many)` if it may find several",
    ))
}

impl RawColumn {
    fn entry(&mut self, key: &Ident, input: ParseStream<'_>) -> syn::Result<()> {
        match key.to_string().as_str() {
            "key" => self.key = Some(key.clone()),
            "lookup" => {
                self.lookup = Some(key.clone());
                self.many = many(key, input)?;
            }
            filter @ ("filter_if" | "filter_unless") => {
                self.filtered = true;
                let rule = rule(key, filter, filter == "filter_unless", input)?;
                self.filters.push((key.clone(), rule));
            }
            _ => self.column = Some(text(key, input)?),
        }
        Ok(())
    }
}
