//! The code of `#[derive(Viewer)]`.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};

use super::refusal;
use crate::syntax::viewer::RawViewer;

/// ```text
/// impl ::clearance::Viewer for Member {
///     fn subject(&self) -> ::clearance::Subject { ::clearance::__private::subject(&self.id) }
/// }
/// ```
pub(crate) fn emit(raw: &RawViewer, subject: Option<&Ident>) -> TokenStream {
    let RawViewer { ident, library, .. } = raw;
    let body = subject.map_or_else(refusal, |field| {
        let span = field.span();
        let place = crate::tokens::over("self", span, |this| quote_spanned!(span=> &#this.#field));
        let subject = Ident::new("subject", span);
        let blamed = library.at(span);
        quote_spanned!(span=> #blamed::__private::#subject(#place))
    });
    quote! {
        #[automatically_derived]
        impl #library::Viewer for #ident {
            fn subject(&self) -> #library::Subject {
                #body
            }
        }
    }
}
