//! Reads of secret columns, for comparisons inside the repository.

use super::decided::rule_failed;
use super::grant::Reads;
use super::reader::Reader;
use crate::entity::{Column, Entity, Scalar, Searchable, Secret, Storable};
use crate::error::{Error, Result};
use crate::policy::{Comparand, Decision, SameFamily};
use crate::sql::column;

impl<P> Reader<'_, P> {
    /// Reads the secret of the row whose key or lookup column equals `value`; `None` if there is no
    /// such row that may be read.
    ///
    /// It is for work inside the repository, such as checking a password: a [`Secret`] cannot be
    /// part of what a repository returns.
    ///
    /// # Errors
    ///
    /// As [`Reader::one`], but never [`Error::is_not_found`].
    ///
    /// # Example
    ///
    /// ```
    /// # use clearance::{Db, Entity, Result, Secret, Viewer, repository};
    /// # #[derive(Viewer)]
    /// # struct Member { id: i64 }
    /// # #[derive(Entity)]
    /// # #[entity(table = "users", viewer = Member, rows = open, reason = "an example")]
    /// # struct User {
    /// #     #[entity(key)] id: i64,
    /// #     #[entity(lookup)] username: String,
    /// #     password_hash: Secret<String>,
    /// # }
    /// # fn fits(hash: &str, password: &str) -> bool { hash == password }
    /// # struct Users { db: Db }
    /// #[repository(viewer = Member)]
    /// impl Users {
    ///     #[public(access, reason = "whoever signs in is nobody yet")]
    ///     pub async fn password_fits(&self, username: &str, password: &str) -> Result<bool> {
    ///         let reader = self.db.reader(&access);
    ///         let hash = reader.secret(User::PASSWORD_HASH, User::USERNAME, username).await?;
    ///         Ok(hash.is_some_and(|hash| fits(hash.expose_secret(), password)))
    ///     }
    /// }
    /// ```
    pub async fn secret<E, S, T, U, W, C>(
        &self,
        secret: Column<E, Secret<S>, W>,
        lookup: Column<E, T, U>,
        value: C,
    ) -> Result<Option<Secret<S>>>
    where
        E: Entity,
        P: Reads<E::Viewer>,
        S: Storable + zeroize::Zeroize,
        T: Scalar + Comparand,
        U: Searchable,
        C: Comparand,
        T::Family: SameFamily<C::Family>,
    {
        let table = E::__table();
        let unknown =
            || Error::internal("a column constant names a column that its table does not have");
        let (index, spec) = table.position(secret.field()).ok_or_else(unknown)?;
        let (by, looked_up) = table.position(lookup.field()).ok_or_else(unknown)?;
        if looked_up.finds_many() {
            return Err(Error::misuse(
                "a column that is `lookup(many)` finds lists: look a secret up by the key or a unique column",
            ));
        }

        let using = self.access.in_use::<E::Viewer>().await?;
        let decision = using.operation(&table.rows().read);
        let rows = match &decision {
            Decision::Allow => None,
            Decision::Deny => return Ok(None),
            Decision::Depends(residual) => Some(residual),
            Decision::Fail(failure) => {
                return Err(rule_failed(table.entity(), "read_if", *failure));
            }
        };
        let statement = column::<E>(self.db.dialect(), index, (by, &value.__value()), rows)?;
        let mut found = None;
        self.db
            .fetch_each(&statement, |row| {
                let secret = Secret::from_cell(row.cell(0, spec.kind())?);
                let secret = secret.ok_or_else(Error::unreadable)?;
                if found.replace(secret).is_some() {
                    return Err(super::reader::several());
                }
                Ok(())
            })
            .await?;
        Ok(found)
    }
}
