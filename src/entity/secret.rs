//! Secret columns, such as password hashes, which no DTO can show and no query can name.

use std::fmt;

use secrecy::ExposeSecret as _;
use secrecy::zeroize::Zeroize;

use crate::schema::{Cell, Kind, Storable};

/// A column that no DTO can show and no query can name, such as a password hash.
///
/// It has no `Serialize`, its `Debug` is redacted, and its memory is zeroed when it is dropped.
///
/// # Example
///
/// ```
/// use clearance::Secret;
///
/// let hash = Secret::new(String::from("$argon2id$.."));
/// assert_eq!(format!("{hash:?}"), "Secret(..)");
/// assert!(hash.expose_secret().starts_with("$argon2id$"));
/// ```
pub struct Secret<T: Zeroize>(secrecy::SecretBox<T>);

impl<T: Zeroize> Secret<T> {
    /// Wraps `value`.
    pub fn new(value: T) -> Self {
        Self(secrecy::SecretBox::new(Box::new(value)))
    }

    /// Returns the value itself. Search for this name to review every use of a secret.
    #[must_use]
    pub fn expose_secret(&self) -> &T {
        self.0.expose_secret()
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl<T: Storable + Zeroize> Storable for Secret<T> {
    const KIND: Kind = T::KIND;
    const NULLABLE: bool = T::NULLABLE;

    fn cell(&self) -> Cell<'_> {
        self.expose_secret().cell()
    }

    fn from_cell(cell: Cell<'_>) -> Option<Self> {
        T::from_cell(cell).map(Self::new)
    }
}
