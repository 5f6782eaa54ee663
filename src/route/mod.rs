//! Gates before handlers: route rules, guards, CSRF protection, return URLs, response headers.
//!
//! All of it is defence in depth. Repositories refuse by themselves, without any of these: use them where
//! they save a handler work, redirect a browser, or tell it what to enforce.
//!
//! | | asks | refuses |
//! |---|---|---|
//! | [`RouteRules`] | the cookie alone | who has no cookie that could be a session's |
//! | [`Protect`] | the session | who is not signed in, or not who it should be |
//! | [`Csrf`] | where the browser says that it comes from | what another site had it send |
//! | [`ResourceIsolation`] | the same | what another site embeds |
//! | [`GrpcCalls`] | the media type, and the session where it is another one | what is no call of gRPC |
//! | [`SecurityHeaders`] | nothing | nobody: it tells browsers what to enforce |
//!
//! Each builds a [`Gate`], which every adapter takes as its framework takes a middleware. The feature `gates`
//! adds those that parse patterns of paths and networks: [`RouteRules`] with [`Route`], and
//! [`TrustedProxies`].
//!
//! # Example
//!
//! With axum. The last layer is the outermost: headers are written on every answer, the session is there for
//! everything inside, and what is forged goes no further.
//!
//! ```
//! use axum::{Router, routing::get};
//! use clearance::route::{Csrf, Protect, Route, RouteRules, SecurityHeaders};
//! use clearance::{Result, SessionLayer, Sessions, Viewer};
//!
//! #[derive(Viewer)]
//! struct Member { id: i64, admin: bool }
//!
//! fn app(sessions: &Sessions<Member>) -> Result<Router> {
//!     let admin = Protect::<Member>::page("/sign-in").require(|member| member.admin).build()?;
//!     let rules = RouteRules::protect_all()
//!         .sign_in_page("/sign-in")
//!         .public(Route::exact("/")?)
//!         .build(sessions)?;
//!     Ok(Router::new()
//!         .route("/admin", get(|| async { "for admins" }))
//!         .route_layer(admin)
//!         .route("/", get(|| async { "for everybody" }))
//!         .route("/sign-in", get(|| async { "a form" }))
//!         .layer(rules)
//!         .layer(Csrf::new().build()?)
//!         .layer(SessionLayer::new(sessions.clone()))
//!         .layer(SecurityHeaders::new().build()))
//! }
//! ```

mod answers;
mod csrf;
mod forms;
mod gate;
mod grpc;
mod headers;
#[cfg(feature = "gates")]
mod matching;
mod path;
mod protect;
#[cfg(feature = "gates")]
mod proxies;
mod return_to;
#[cfg(feature = "gates")]
mod rules;
mod state;

pub use answers::Denied;
pub use csrf::Csrf;
pub use forms::{sign_in_link, sign_out_form};
pub use gate::Gate;
pub use grpc::GrpcCalls;
#[cfg(feature = "tonic")]
pub(crate) use grpc::is_grpc;
pub use headers::{ResourceIsolation, SecurityHeaders};
#[cfg(feature = "gates")]
pub use matching::Route;
pub use path::NormalPath;
pub use protect::Protect;
#[cfg(feature = "gates")]
pub use proxies::TrustedProxies;
pub use return_to::ReturnTo;
#[cfg(feature = "gates")]
pub use rules::RouteRules;
pub use state::{session_state, viewer_state};

pub use crate::session::{GroupKey, GroupRule, Groups, Membership};
