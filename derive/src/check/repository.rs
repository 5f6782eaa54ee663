//! Checks of the methods of a repository: signature, policy, condition and memo.

use proc_macro2::Ident;
use quote::ToTokens;
use syn::visit::Visit;
use syn::{FnArg, ItemImpl, LitStr, Pat, Path, ReceiverKind, ReturnType, Type};

use crate::diag::Diag;
use crate::rule::plain;
use crate::syntax::repository::{
    Condition, PolicyKind, RawItem, RawMethod, RawPolicy, RawRepository,
};
use crate::tokens;

/// A method that passed the checks.
#[derive(Debug)]
pub(crate) struct Method {
    pub(crate) binding: Ident,
    pub(crate) guard: Guard,
    pub(crate) output: Type,
    pub(crate) memo: Option<Memo>,
}

/// The key of a `#[memo]` method: the arguments by which its calls differ.
#[derive(Debug)]
pub(crate) struct Memo {
    /// The arguments: name, type, and whether they are borrowed.
    pub(crate) arguments: Vec<(Ident, Type, bool)>,
}

#[derive(Debug)]
pub(crate) enum Guard {
    Authenticated(Action),
    Authorize(Action, Box<Condition>),
    Public(LitStr),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Read,
    Write,
}

/// Checks every method, in the order of the items. `None` stands for a method with an error, which was
/// reported.
pub(crate) fn check(raw: &mut RawRepository, diag: &mut Diag) -> Vec<Option<Method>> {
    let has_viewer = raw.viewer.is_some();
    let mut viewer_missed = false;
    let mut methods = Vec::new();
    for item in &mut raw.items {
        if let RawItem::Method(method) = item {
            let checked = check_method(method, &raw.head, diag);
            let needs_viewer = checked
                .as_ref()
                .is_some_and(|method| !matches!(method.guard, Guard::Public(_)));
            if needs_viewer && !has_viewer {
                viewer_missed = true;
                methods.push(None);
            } else {
                methods.push(checked);
            }
        }
    }
    if viewer_missed {
        diag.error(
            &raw.head.self_ty,
            "the repository does not say who calls it",
            "write `#[repository(viewer = Member)]`, with the type under `#[derive(Viewer)]`",
        );
    }
    methods
}

fn check_method(method: &mut RawMethod, head: &ItemImpl, diag: &mut Diag) -> Option<Method> {
    is_async(method, diag)?;
    let borrowed = borrows_self(method, diag);
    let output = output(method, diag);
    let policy = one_policy(method, diag);
    let (binding, guard) = policy.and_then(|policy| guard(policy, diag))?;
    let decides = condition(method, &guard, diag);
    let memo = match &method.memo {
        Some(attribute) => Some(memo(attribute, method, &guard, head, diag)?),
        None => None,
    };
    borrowed?;
    decides?;
    Some(Method {
        binding,
        guard,
        output: output?,
        memo,
    })
}

/// `fn profile(&self) -> ..`
fn is_async(method: &RawMethod, diag: &mut Diag) -> Option<()> {
    if method.signature.asyncness.is_none() {
        diag.error(
            method.signature.fn_token,
            "a method of a repository must be `async`, because it verifies its caller",
            "write `async fn`, with `#[async_trait]` below `#[repository]` if the block has both; move constructors and helpers to an impl block without `#[repository]`",
        );
        return None;
    }
    Some(())
}

/// `async fn profile(self) -> ..`
fn borrows_self(method: &RawMethod, diag: &mut Diag) -> Option<()> {
    match method.signature.inputs.first() {
        Some(FnArg::Receiver(receiver)) => match &receiver.kind {
            ReceiverKind::Reference(_, _, _) => Some(()),
            _ => {
                diag.error(
                    receiver,
                    "a method of a repository must borrow it",
                    "write `&self`",
                );
                None
            }
        },
        Some(FnArg::Typed(_)) | None => Some(()),
    }
}

/// ```text
/// async fn touch(&self)
/// async fn all(&self) -> Result<impl Stream<Item = Profile>>
/// ```
fn output(method: &mut RawMethod, diag: &mut Diag) -> Option<Type> {
    let ReturnType::Type(_, ty) = &method.signature.output else {
        diag.error(
            &method.signature.ident,
            "a method of a repository must return a `Result`, because it can be refused",
            "write `-> clearance::Result<()>`",
        );
        return None;
    };
    let mut finder = FindImplTrait(None);
    finder.visit_type(ty);
    let ty = (**ty).clone();
    if let Some(found) = finder.0 {
        diag.error(
            found,
            "the type that a repository method returns must have a name",
            "name the type; a stream of DTOs is `Rows<Profile>`",
        );
        // A body that refuses has no type to infer.
        method.signature.output = ReturnType::Default;
        return None;
    }
    Some(ty)
}

struct FindImplTrait(Option<syn::TypeImplTrait>);

impl Visit<'_> for FindImplTrait {
    fn visit_type_impl_trait(&mut self, found: &syn::TypeImplTrait) {
        self.0.get_or_insert_with(|| found.clone());
    }
}

/// ```text
/// async fn profile(&self) -> ..
/// #[authenticated(access)] #[public(access, reason = "..")] async fn profile(&self) -> ..
/// ```
fn one_policy(method: &mut RawMethod, diag: &mut Diag) -> Option<RawPolicy> {
    let mut policies = std::mem::take(&mut method.policies).into_iter();
    let first = policies.next();
    if first.is_none() {
        diag.error(
            &method.signature.ident,
            format!(
                "the method `{}` does not say who may call it",
                method.signature.ident
            ),
            "add `#[authenticated(access)]`, `#[authorize(access, if ..)]` or `#[public(access, reason = \"..\")]`; move constructors and helpers to an impl block without `#[repository]`",
        );
    }
    let mut single = true;
    for second in policies {
        diag.error(
            &second.attribute,
            "a method has one policy",
            "keep one of the attributes; `#[authorize(access, if ..)]` joins conditions by `&&`",
        );
        single = false;
    }
    first.filter(|_| single)
}

/// ```text
/// #[authorize(access)]
/// #[public(access)]
/// #[public(access, reason = "")]
/// #[public(access: Write, reason = "..")]
/// #[authenticated(access: Change)]
/// ```
fn guard(policy: RawPolicy, diag: &mut Diag) -> Option<(Ident, Guard)> {
    let form = policy.kind.form();
    // Without the binding the attribute could not be parsed, which was reported.
    let binding = policy.binding?;
    let action = action(policy.kind, policy.action.as_ref(), diag)?;
    let guard = match policy.kind {
        PolicyKind::Authenticated => Guard::Authenticated(action),
        PolicyKind::Authorize => match policy.condition {
            Some(condition) => Guard::Authorize(action, Box::new(condition)),
            None => {
                diag.error(
                    &policy.attribute,
                    "`#[authorize(..)]` needs a condition",
                    format!(
                        "the correct form is `{form}`; if signing in is enough, write `#[authenticated(access)]`"
                    ),
                );
                return None;
            }
        },
        PolicyKind::Public => match policy.reason {
            Some(reason) if reason.value().trim().is_empty() => {
                diag.error(
                    reason,
                    "the reason is empty",
                    "say why the method may be called without signing in",
                );
                return None;
            }
            Some(reason) => Guard::Public(reason),
            None => {
                diag.error(
                    &policy.attribute,
                    "`#[public(..)]` needs a reason",
                    format!("the correct form is `{form}`"),
                );
                return None;
            }
        },
    };
    Some((binding, guard))
}

fn action(kind: PolicyKind, stated: Option<&Ident>, diag: &mut Diag) -> Option<Action> {
    match stated {
        None => Some(Action::Read),
        Some(word) if kind == PolicyKind::Public => {
            diag.error(
                word,
                "a public method only reads, so it takes no action",
                "write `#[public(access, reason = \"..\")]`; a method that writes needs a viewer",
            );
            None
        }
        Some(word) if word == "Read" => Some(Action::Read),
        Some(word) if word == "Write" => Some(Action::Write),
        Some(word) => {
            diag.error(
                word,
                format!("unknown action `{word}`"),
                "the actions are `Read` and `Write`",
            );
            None
        }
    }
}

/// ```text
/// #[authenticated(access: Write)] #[memo] async fn rename(&self, ..)
/// #[memo] async fn profile(&mut self, ..)
/// #[memo] async fn profile(&self, (a, b): (i64, i64))
/// #[memo] async fn profile(&self, name: Option<&str>)
/// ```
fn memo(
    attribute: &Path,
    method: &RawMethod,
    guard: &Guard,
    head: &ItemImpl,
    diag: &mut Diag,
) -> Option<Memo> {
    let before = diag.count();
    match guard {
        Guard::Authenticated(Action::Write) | Guard::Authorize(Action::Write, _) => diag.error(
            attribute,
            "a method that writes cannot be memoized",
            "remove `#[memo]`, or `: Write` if the method only reads",
        ),
        Guard::Authenticated(Action::Read)
        | Guard::Authorize(Action::Read, _)
        | Guard::Public(_) => {}
    }
    if head.generics.lifetimes().next().is_some() || Borrows::has(&head.self_ty) {
        diag.error(
            &head.self_ty,
            "a repository that borrows cannot be part of a memo's key, so its methods cannot be memoized",
            "make it own its data: a `Db` is cheap to clone",
        );
    }
    let mut arguments = Vec::new();
    let mut inputs = method.signature.inputs.iter();
    match inputs.next() {
        Some(FnArg::Receiver(receiver))
            if matches!(&receiver.kind, ReceiverKind::Reference(_, _, None)) => {}
        Some(receiver @ FnArg::Receiver(_)) => diag.error(
            receiver,
            format!(
                "`{}`: a memoized method must borrow its repository and not change it",
                tokens::text(receiver.to_token_stream())
            ),
            "write `&self`, or remove `#[memo]`",
        ),
        Some(FnArg::Typed(_)) | None => diag.error(
            &method.signature.ident,
            "a memoized method needs `&self`, because its repository is part of the memo's key",
            "add `&self`, or remove `#[memo]`",
        ),
    }
    for input in inputs {
        let FnArg::Typed(argument) = input else {
            continue;
        };
        let Pat::Ident(name) = &*argument.pat else {
            diag.error(
                &argument.pat,
                "an argument of a memoized method must have a name",
                "name it, and destructure it in the body",
            );
            continue;
        };
        let (ty, borrowed) = match tokens::bare_type(&argument.ty) {
            Type::Reference(reference) if reference.mutability.is_none() => {
                (&*reference.elem, true)
            }
            ty => (ty, false),
        };
        if Borrows::has(ty) {
            diag.error(
                ty,
                "this argument borrows, so it cannot be part of a memo's key",
                "take a type that owns its data, such as `Option<String>`, or a reference to one, such as `&str`",
            );
        }
        arguments.push((name.ident.clone(), ty.clone(), borrowed));
    }
    (diag.count() == before).then_some(Memo { arguments })
}

/// A visitor that detects whether a type borrows, as far as its syntax shows.
struct Borrows(bool);

impl Borrows {
    fn has(ty: &Type) -> bool {
        let mut finder = Self(false);
        finder.visit_type(ty);
        finder.0
    }
}

impl Visit<'_> for Borrows {
    fn visit_type_reference(&mut self, _: &syn::TypeReference) {
        self.0 = true;
    }

    fn visit_lifetime(&mut self, lifetime: &syn::Lifetime) {
        self.0 |= lifetime.ident != "static";
    }
}

/// ```text
/// #[authorize(access, if row.owner == viewer.id)]
/// #[authorize(access, if { return Ok(rows) })]
/// #[authorize(access, if viewer.admin)] async fn rename(&self, viewer: i64)
/// ```
fn condition(method: &RawMethod, guard: &Guard, diag: &mut Diag) -> Option<()> {
    let Guard::Authorize(_, condition) = guard else {
        return Some(());
    };
    let before = diag.count();
    let names = plain::NAMES_WITHOUT_ROW;
    plain::is_plain(&condition.expr, "a condition", names, diag);
    let argument = |name: &str| {
        let mut inputs = method.signature.inputs.iter();
        inputs.find_map(|input| match input {
            FnArg::Typed(argument) => tokens::find(argument.pat.to_token_stream(), name),
            FnArg::Receiver(_) => None,
        })
    };
    let written = condition.expr.to_token_stream();
    if argument("row").is_none()
        && let Some(row) = tokens::find(written.clone(), "row")
    {
        diag.error(
            row,
            "there is no row yet when a method is called",
            "write rules that depend on the row at its entity, with `#[entity(read_if(..))]` or `update_if`",
        );
    }
    for name in names {
        if let Some(argument) = argument(name)
            && tokens::mentions(written.clone(), name)
        {
            diag.error(
                argument,
                format!("`{name}` has another meaning in the condition of this method"),
                "give the argument a name of its own",
            );
        }
    }
    (diag.count() == before).then_some(())
}
