//! The account kit: users, their accounts at identity providers and verification tokens, for
//! applications that have no table of users yet.
//!
//! The rest of the library does not need it: sessions take any [`ViewerSource`](crate::ViewerSource). With
//! the kit it looks into an [`Adapter`]. [`SqlAdapter`] keeps the tables `clearance_users`,
//! `clearance_accounts` and `clearance_verification_tokens`, which
//! [`Db::migrate_accounts`](crate::Db::migrate_accounts) creates.
//!
//! An adapter serves those who are not signed in yet, so it asks for no
//! [`Access`](crate::Access). What it gives cannot be serialised, and no repository method can
//! return it: what viewers see of users, and what they change, goes through an entity over
//! `clearance_users`, as with any other table.
//!
//! # Example
//!
//! Somebody comes back from an identity provider, which said who they are:
//!
//! ```
//! use clearance::account::{Account, AccountId, AccountKind, Adapter, NewUser, SqlAdapter};
//! use clearance::{
//!     Clock, Db, Key, Roles, Sessions, SourceError, Subject, SystemClock, TextEnum, Viewer,
//!     ViewerSource, async_trait,
//! };
//!
//! #[derive(Debug, Clone, Copy, PartialEq, Eq, Roles)]
//! enum Role { Viewer, Editor, Admin }
//!
//! struct Member { id: Subject, role: Option<Role> }
//!
//! impl Viewer for Member {
//!     fn subject(&self) -> Subject {
//!         self.id.clone()
//!     }
//! }
//!
//! struct Members(SqlAdapter);
//!
//! #[async_trait]
//! impl ViewerSource<Member> for Members {
//!     async fn load(&self, subject: &Subject) -> Result<Option<Member>, SourceError> {
//!         let user = self.0.get_user(subject).await?;
//!         Ok(user.map(|user| Member { role: Role::from_name(&user.role), id: user.id }))
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> clearance::Result<()> {
//! let key = Key::generate()?; // in earnest, `Key::from_env`
//! let db = Db::connect("sqlite::memory:").await?;
//! db.migrate_accounts().await?;
//! let adapter = SqlAdapter::new(&db, key.clone())?;
//!
//! let id = AccountId::new("github", "583231")?;
//! let profile = NewUser { name: Some("Ada".into()), ..NewUser::default() };
//! let user = adapter
//!     .find_or_create_user_by_account(&Account::new(id, AccountKind::OAuth), &profile, SystemClock.now())
//!     .await?
//!     .into_user();
//! assert_eq!(user.role, "viewer");
//!
//! let sessions = Sessions::builder(key, db.session_store(), Members(adapter))
//!     .app_url("https://app.example")
//!     .build()?;
//! let cookies = sessions.create(&user.id).await?.into_set_cookies();
//! # let _ = cookies;
//! # Ok(())
//! # }
//! ```

mod adapter;
mod linked;
mod seal;
mod user;
mod verification;

pub use adapter::{AccountOwner, Adapter, AdapterError, EndsSessions, SessionAdapter};
pub use linked::{Account, AccountId, AccountKind, ProviderTokens};
pub use user::{Email, NewUser, User, UserChange, UserEmail};
pub use verification::{VerificationRecord, VerificationToken};

pub use crate::tables::SqlAdapter;

pub(crate) use seal::{TokenColumn, TokenSealer};
