//! A scan of an application's source for facts that its types do not reveal: its derives, and the calls
//! that bypass the rules.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the grammar of Rust grows, and most of it says nothing of access"
)]

use std::fs;
use std::path::{Path, PathBuf};

use clearance::__matrix::place;
use syn::visit::Visit;
use syn::{Attribute, Expr, ExprCall, ExprMethodCall, Item, ItemImpl, Lit, Meta};

/// An item that `app!` must list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Found {
    pub(crate) kind: Listed,
    pub(crate) name: String,
    pub(crate) at: String,
}

/// The list of `app!` to which an item belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Listed {
    Entity,
    Dto,
    Input,
    Repository,
}

/// A call that bypasses the rules.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Call {
    pub(crate) kind: &'static str,
    pub(crate) reason: Option<String>,
    /// The name of the enclosing function.
    pub(crate) inside: String,
    pub(crate) at: String,
}

/// The results of scanning all files below some folders.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    pub(crate) found: Vec<Found>,
    pub(crate) calls: Vec<Call>,
    /// Files that could not be read or parsed, with the reason.
    pub(crate) failed: Vec<String>,
}

impl Scan {
    /// Scans `path`, a file or a folder; places are relative to the folder that contains it.
    pub(crate) fn read(&mut self, path: &Path) {
        let root = path.parent().unwrap_or_else(|| Path::new(""));
        let mut files = Vec::new();
        if let Err(error) = rust_files(path, &mut files) {
            self.failed.push(format!("{}: {error}", path.display()));
        }
        files.sort();
        if files.is_empty() {
            self.failed
                .push(format!("{}: contains no Rust file", path.display()));
        }
        for file in files {
            let shown = file.strip_prefix(root).unwrap_or(&file);
            let shown = shown.to_string_lossy().into_owned();
            let parsed = fs::read_to_string(&file)
                .map_err(|error| error.to_string())
                .and_then(|text| syn::parse_file(&text).map_err(|error| error.to_string()));
            match parsed {
                Ok(parsed) => Visitor {
                    scan: self,
                    file: &shown,
                    inside: Vec::new(),
                    public: Vec::new(),
                }
                .visit_file(&parsed),
                Err(error) => self.failed.push(format!("{shown}: {error}")),
            }
        }
        self.found.sort();
        self.calls.sort();
    }
}

fn rust_files(path: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if !path.is_dir() {
        if path.is_file() {
            files.push(path.to_owned());
        }
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        let path = entry?.path();
        if path.is_dir() || path.extension().is_some_and(|extension| extension == "rs") {
            rust_files(&path, files)?;
        }
    }
    Ok(())
}

struct Visitor<'a> {
    scan: &'a mut Scan,
    file: &'a str,
    inside: Vec<String>,
    /// For each enclosing function: the reason why it may be called without a viewer, `None` if it may
    /// not.
    public: Vec<Option<String>>,
}

impl Visitor<'_> {
    fn listed(&mut self, kind: Listed, name: String, span: proc_macro2::Span) {
        let at = place(self.file, line(span));
        self.scan.found.push(Found { kind, name, at });
    }

    fn derives(&mut self, name: &syn::Ident, attributes: &[Attribute]) {
        for derived in derived(attributes) {
            match derived.as_str() {
                "Dto" => self.listed(Listed::Dto, plain(name), name.span()),
                "Input" | "Patch" => self.listed(Listed::Input, plain(name), name.span()),
                "Entity" => self.listed(Listed::Entity, plain(name), name.span()),
                _ => {}
            }
        }
    }

    fn call(&mut self, kind: &'static str, reason: Option<&Expr>, span: proc_macro2::Span) {
        self.found_call(kind, reason.and_then(literal), span);
    }

    /// Records the read of a secret, if the function may be called without a viewer.
    fn secret(&mut self, span: proc_macro2::Span) {
        if let Some(Some(reason)) = self.public.last() {
            let reason = Some(reason.clone()).filter(|reason| !reason.is_empty());
            self.found_call("secret in a public method", reason, span);
        }
    }

    fn found_call(&mut self, kind: &'static str, reason: Option<String>, span: proc_macro2::Span) {
        self.scan.calls.push(Call {
            kind,
            reason,
            at: place(self.file, line(span)),
            inside: self.inside.last().cloned().unwrap_or_default(),
        });
    }

    fn within(
        &mut self,
        attributes: &[Attribute],
        signature: &syn::Signature,
        visit: impl FnOnce(&mut Self),
    ) {
        self.inside.push(plain(&signature.ident));
        self.public.push(serves_nobody(attributes, signature));
        visit(self);
        self.inside.pop();
        self.public.pop();
    }
}

impl<'ast> Visit<'ast> for Visitor<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes = match item {
            Item::Mod(item) => &item.attrs,
            Item::Fn(item) => &item.attrs,
            Item::Struct(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            _ => &Vec::new(),
        };
        // Items compiled for tests only are not part of the program.
        if !attributes.iter().any(is_for_tests) {
            syn::visit::visit_item(self, item);
        }
    }

    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.derives(&item.ident, &item.attrs);
        syn::visit::visit_item_struct(self, item);
    }

    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        let is_repository = item.attrs.iter().any(|attribute| {
            let last = attribute.path().segments.last();
            last.is_some_and(|segment| segment.ident == "repository")
        });
        // An implementation of a trait does not register itself, so `app!` cannot list it.
        if is_repository
            && item.trait_.is_none()
            && let syn::Type::Path(path) = &*item.self_ty
            && let Some(segment) = path.path.segments.last()
        {
            self.listed(
                Listed::Repository,
                plain(&segment.ident),
                segment.ident.span(),
            );
        }
        syn::visit::visit_item_impl(self, item);
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.within(&item.attrs, &item.sig, |this| {
            syn::visit::visit_item_fn(this, item)
        });
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.within(&item.attrs, &item.sig, |this| {
            syn::visit::visit_impl_item_fn(this, item);
        });
    }

    fn visit_expr_call(&mut self, call: &'ast ExprCall) {
        if let Expr::Path(path) = &*call.func {
            let mut names = path
                .path
                .segments
                .iter()
                .rev()
                .map(|segment| &segment.ident);
            let (last, owner) = (names.next(), names.next());
            if let Some(last) = last {
                if last == "unguarded_pool" {
                    self.call("unguarded_pool", call.args.iter().nth(1), last.span());
                } else if last == "unguarded_sql" {
                    self.call("unguarded_sql", strings(call.args.iter()), last.span());
                } else if last == "system" && owner.is_some_and(|owner| owner == "Access") {
                    self.call("Access::system", call.args.first(), last.span());
                } else if last == "viewers" && owner.is_some_and(|owner| owner == "Db") {
                    self.call("Db::viewers", call.args.iter().nth(2), last.span());
                } else if last == "secret" && owner.is_some_and(|owner| owner == "Reader") {
                    self.secret(last.span());
                }
            }
        }
        syn::visit::visit_expr_call(self, call);
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        if call.method == "unguarded_sql" {
            self.call(
                "unguarded_sql",
                strings(call.args.iter()),
                call.method.span(),
            );
        } else if call.method == "viewers" && call.args.len() == VIEWERS_ARGUMENTS {
            self.call("Db::viewers", call.args.iter().nth(1), call.method.span());
        } else if call.method == "secret" && call.args.len() == SECRET_ARGUMENTS {
            self.secret(call.method.span());
        }
        syn::visit::visit_expr_method_call(self, call);
    }
}

/// The number of arguments of `Db::viewers`: the key, the reason, and the function from a row to a
/// viewer.
const VIEWERS_ARGUMENTS: usize = 3;

/// The number of arguments of `Reader::secret`: the column, the lookup column, and the value to look
/// up.
const SECRET_ARGUMENTS: usize = 3;

/// Returns the reason why a function may be called without a viewer, empty if it gives none: it is a
/// method under `#[public(..)]`, or it takes a public access or a reader of one.
fn serves_nobody(attributes: &[Attribute], signature: &syn::Signature) -> Option<String> {
    let named = |attribute: &&Attribute| {
        let last = attribute.path().segments.last();
        last.is_some_and(|segment| segment.ident == "public")
    };
    if let Some(attribute) = attributes.iter().find(named) {
        let Meta::List(list) = &attribute.meta else {
            return Some(String::new());
        };
        // The macro checks the arguments; the only string literal is the reason.
        let mut trees = list.tokens.clone().into_iter();
        let reason = trees.find_map(|tree| match tree {
            proc_macro2::TokenTree::Literal(literal) => match Lit::new(literal) {
                Lit::Str(text) => Some(text.value()),
                _ => None,
            },
            _ => None,
        });
        return Some(reason.unwrap_or_default());
    }
    let mut names = Names(false);
    names.visit_signature(signature);
    names.0.then(String::new)
}

/// A visitor that detects whether the type `Public` is named.
struct Names(bool);

impl<'ast> Visit<'ast> for Names {
    fn visit_path_segment(&mut self, segment: &'ast syn::PathSegment) {
        self.0 |= segment.ident == "Public";
        syn::visit::visit_path_segment(self, segment);
    }
}

/// Returns the text of a string literal.
fn literal(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Str(text) => Some(text.value()),
            _ => None,
        },
        _ => None,
    }
}

/// Returns the first argument that is a string literal: the reason precedes the query.
fn strings<'a>(mut arguments: impl Iterator<Item = &'a Expr>) -> Option<&'a Expr> {
    arguments.find(
        |argument| matches!(argument, Expr::Lit(literal) if matches!(literal.lit, Lit::Str(_))),
    )
}

/// Returns the last path segments of the derives, including those behind a `cfg_attr`.
fn derived(attributes: &[Attribute]) -> Vec<String> {
    let mut names = Vec::new();
    for attribute in attributes {
        collect_derives(&attribute.meta, &mut names);
    }
    names
}

fn collect_derives(meta: &Meta, names: &mut Vec<String>) {
    use syn::punctuated::Punctuated;
    use syn::{Path, Token};

    let Meta::List(list) = meta else { return };
    if list.path.is_ident("derive") {
        let paths = list.parse_args_with(Punctuated::<Path, Token![,]>::parse_terminated);
        for path in paths.into_iter().flatten() {
            names.extend(path.segments.last().map(|segment| plain(&segment.ident)));
        }
    } else if list.path.is_ident("cfg_attr") {
        let metas = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
        for meta in metas.into_iter().flatten().skip(1) {
            collect_derives(&meta, names);
        }
    }
}

fn is_for_tests(attribute: &Attribute) -> bool {
    if attribute.path().is_ident("test") {
        return true;
    }
    attribute.path().is_ident("cfg")
        && attribute
            .parse_args::<syn::Path>()
            .is_ok_and(|path| path.is_ident("test"))
}

fn plain(name: &syn::Ident) -> String {
    let name = name.to_string();
    name.strip_prefix("r#").unwrap_or(&name).to_owned()
}

fn line(span: proc_macro2::Span) -> u32 {
    u32::try_from(span.start().line).unwrap_or(u32::MAX)
}
