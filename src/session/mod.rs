//! Sessions: the server's record that a subject signed in, and how a request proves to be one of
//! its own.
//!
//! [`Sessions`] puts a [`SessionStore`], a [`ViewerSource`](crate::ViewerSource) and a
//! [`Key`] together. A browser holds one sealed cookie with the session's id and
//! secret; the store holds the hash of the secret. What a request's cookie is worth is asked
//! through its [`RequestContext`](crate::RequestContext).

mod cache;
mod config;
mod cookie;
mod cursor;
mod epoch;
mod key;
mod level;
pub mod nodes;
#[cfg(feature = "redis")]
mod redis;
mod service;
mod sessions;
mod slot;
mod store;
mod token;

pub use config::SessionsBuilder;
pub use cookie::{CookieConfig, SameSite};
pub use key::Key;
pub use level::{Current, Optimistic, Verified};
pub use sessions::{NewSession, SessionInfo, Sessions};
#[cfg(feature = "redis")]
pub use store::RedisSessionStore;
pub use store::{
    Assurance, Created, MemorySessionStore, Replaced, SecretHash, SessionId, SessionLimit,
    SessionRecord, SessionStore, Standing, StoreError,
};

pub(crate) use cookie::CookieHeaders;
pub(crate) use cursor::CursorSealer;
pub(crate) use epoch::{Changing, Epochs};
pub(crate) use level::{First, LoadNumber, Loaded};
#[cfg(feature = "testing")]
pub(crate) use slot::Nobody;
pub(crate) use slot::{ErasedSlot, Slot};
