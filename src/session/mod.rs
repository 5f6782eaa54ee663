//! Sessions: the server's record that a subject signed in, and the credential by which a request proves that
//! it belongs to one.
//!
//! [`Sessions`] combines a [`SessionStore`], a [`ViewerSource`](crate::ViewerSource) and a [`Key`]. A browser
//! holds one sealed cookie with the session's id and secret; the store holds the hash of the secret. Other
//! [strategies](Strategy) leave the cookie unsealed, or have the whole session in it. A request verifies its
//! cookie through its [`RequestContext`](crate::RequestContext).

mod address;
mod cache;
mod chunks;
mod config;
mod cookie;
#[cfg(feature = "gates")]
mod cookie_inspector;
mod creation;
mod csrf;
mod cursor;
mod data;
mod environment;
mod epoch;
pub(crate) mod event;
mod event_deduplication;
pub(crate) mod event_sink;
mod fingerprint;
mod fresh;
mod generations;
mod groups;
mod hooks;
mod known_session;
mod level;
mod lifecycle;
mod lifetime;
mod line;
#[cfg(feature = "testing")]
mod nobody;
pub mod nodes;
mod origin;
#[cfg(feature = "redis")]
mod redis;
mod request_session;
mod request_session_cell;
mod sealed;
mod sessions;
mod setting;
mod settings;
mod sign_in;
mod stateless;
mod store;
mod ticket;
mod tickets;
mod token_guard;
mod verifier;
mod view;
pub(crate) mod viewer_source;
mod with_viewer;

pub use config::SessionsBuilder;
pub use cookie::{CookieConfig, SameSite};
pub use csrf::CsrfToken;
pub use data::SessionData;
pub use fresh::{Fresh, Freshness};
pub use groups::{GroupKey, GroupRule, Groups, Membership};
pub use hooks::{RequestOrigin, SessionHooks, Verdict};
pub use level::{Current, Optimistic, Presence, Sealed, Verified};
pub use lifetime::Lifetime;
pub use sessions::{NewSession, SessionInfo, Sessions};
pub use sign_in::SignIn;
#[cfg(feature = "redis")]
pub use store::RedisSessionStore;
pub use store::{
    Assurance, Created, DataKept, Generations, MemorySessionStore, Replaced, SecretHash, SessionId,
    SessionLimit, SessionRecord, SessionStore, Standing, StoreError, StoredData,
};
pub use ticket::Strategy;
pub use view::SessionView;

pub use crate::token::{Key, SessionClaims};

pub(crate) use address::Address;
pub(crate) use cookie::is_loopback;
#[cfg(feature = "gates")]
pub(crate) use cookie_inspector::CookieInspector;
pub(crate) use cursor::CursorSealer;
pub(crate) use data::DataVersion;
pub(crate) use epoch::{Changing, ChangingTogether, Epochs};
pub(crate) use fresh::RequestNumber;
pub(crate) use level::{First, LoadNumber, LoadedSession};
pub(crate) use lifecycle::{Opened, Rotation};
#[cfg(feature = "testing")]
pub(crate) use nobody::Nobody;
pub(crate) use origin::{Hints, Origin};
pub(crate) use request_session::{ErasedRequestSession, RequestSession};
pub(crate) use request_session_cell::RequestSessionCell;
pub(crate) use store::{FIELDS, StoredFields, record};
pub(crate) use token_guard::TokenGuard;
pub(crate) use with_viewer::{WithViewer, handed};
