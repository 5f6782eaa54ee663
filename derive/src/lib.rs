//! The derives and attribute macros of `clearance`.
//!
//! Use them through `clearance`, where each of them is documented. Generated code names hidden
//! items of that crate, so the two are released together.
//!
//! Every macro is a pipeline: `syntax` parses tokens into a raw model, `check` turns that into a
//! checked one or reports errors, `emit` generates the code. After an error, code that allows nothing
//! is emitted beside the errors.

mod attribute;
mod check;
mod diag;
mod emit;
mod expand;
mod form;
mod rename;
mod rule;
mod syntax;
#[cfg(test)]
mod tests;
mod tokens;

use proc_macro::TokenStream;

/// See `clearance::Viewer`.
#[proc_macro_derive(Viewer, attributes(viewer))]
pub fn viewer(input: TokenStream) -> TokenStream {
    expand::viewer(input.into()).into()
}

/// See `clearance::Roles`.
#[proc_macro_derive(Roles, attributes(roles))]
pub fn roles(input: TokenStream) -> TokenStream {
    expand::roles(input.into()).into()
}

/// See `clearance::TextEnum`.
#[proc_macro_derive(TextEnum, attributes(text_enum))]
pub fn text_enum(input: TokenStream) -> TokenStream {
    expand::text_enum(input.into()).into()
}

/// See `clearance::Entity`.
#[proc_macro_derive(Entity, attributes(entity))]
pub fn entity(input: TokenStream) -> TokenStream {
    expand::entity(input.into()).into()
}

/// See `clearance::Dto`.
#[proc_macro_derive(Dto, attributes(dto, visible, visible_if, hidden_if, serde))]
pub fn dto(input: TokenStream) -> TokenStream {
    expand::dto(input.into()).into()
}

/// See `clearance::Input`.
#[proc_macro_derive(
    Input,
    attributes(input, preset, writable, writable_if, unstored, serde, garde)
)]
pub fn input(input: TokenStream) -> TokenStream {
    expand::incoming(input.into(), syntax::input::Derive::Input).into()
}

/// See `clearance::Patch`.
#[proc_macro_derive(
    Patch,
    attributes(patch, preset, writable, writable_if, unstored, serde, garde)
)]
pub fn patch(input: TokenStream) -> TokenStream {
    expand::incoming(input.into(), syntax::input::Derive::Patch).into()
}

/// See `clearance::Release`.
#[proc_macro_derive(Release, attributes(release))]
pub fn release(input: TokenStream) -> TokenStream {
    expand::release(input.into()).into()
}

/// See `clearance::rule`.
#[proc_macro_attribute]
pub fn rule(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::rule(arguments.into(), item.into()).into()
}

/// See `clearance::repository`.
#[proc_macro_attribute]
pub fn repository(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::repository(arguments.into(), item.into()).into()
}

/// See `clearance::repository`, which reads this attribute.
#[proc_macro_attribute]
pub fn authenticated(_: TokenStream, item: TokenStream) -> TokenStream {
    expand::outside_repository("authenticated", item.into()).into()
}

/// See `clearance::repository`, which reads this attribute.
#[proc_macro_attribute]
pub fn authorize(_: TokenStream, item: TokenStream) -> TokenStream {
    expand::outside_repository("authorize", item.into()).into()
}

/// See `clearance::repository`, which reads this attribute.
#[proc_macro_attribute]
pub fn memo(_: TokenStream, item: TokenStream) -> TokenStream {
    expand::outside_repository("memo", item.into()).into()
}

/// See `clearance::repository`, which reads this attribute.
#[proc_macro_attribute]
pub fn public(_: TokenStream, item: TokenStream) -> TokenStream {
    expand::outside_repository("public", item.into()).into()
}
