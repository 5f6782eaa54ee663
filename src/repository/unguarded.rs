//! The escape hatch for SQL of the application's own, whose rows are still shown by the library's
//! rules.

use std::fmt;
use std::marker::PhantomData;

use super::access::Access;
use super::decided::decided;
use super::grant::Reads;
use super::own_layout::OwnLayout;
use super::reader::Reader;
use crate::driver::Db;
use crate::dto::Dto;
use crate::entity::Entity;
use crate::error::{Error, Result};
use crate::events;
use crate::policy::{Comparand, Decision, Value};
use crate::sql::own_query;

impl<'a, P> Reader<'a, P> {
    /// Starts a query in SQL of your own that returns rows of `E`, for queries that a
    /// [`select`](crate::dto::Dto) cannot express. `reason` documents why it is needed; each use is
    /// logged as an event for reviewers of the program.
    ///
    /// The statement alone decides which rows it finds, and by which columns it compares and orders
    /// them: no field rule applies to that. The output is guarded all the same: every row passes the
    /// row rules, in Rust, and is shown as a DTO by the rules of its fields.
    ///
    /// The columns are matched by their names in the database. A column of `E` that the query omits is
    /// *missing*, which is not null: each condition that names it is unknown, so that a row rule that
    /// needs it denies the row, and a field rule hides the field. A field whose own column is missing
    /// is hidden. An alias `name` is taken for the column `name`. Other columns are ignored.
    ///
    /// On PostgreSQL and MySQL the connection is closed afterwards, or after the transaction, because a
    /// function that the query calls may have changed settings that affect the statements of the next
    /// viewer.
    ///
    /// The text is in the engine's own dialect, including its placeholders: `?` on SQLite and MySQL,
    /// `$1` on PostgreSQL.
    ///
    /// # Example
    ///
    /// ```
    /// # use clearance::{Db, Dto, Entity, Viewer};
    /// # #[derive(Viewer)]
    /// # struct Member { id: i64 }
    /// # #[derive(Entity)]
    /// # #[entity(table = "users", viewer = Member, read_if(!row.suspended))]
    /// # struct User { #[entity(key)] id: i64, name: String, team: String, suspended: bool }
    /// # #[derive(Dto)]
    /// # #[dto(entity = User, default = visible)]
    /// # struct Profile { id: i64, name: String }
    /// use clearance::{Result, repository};
    ///
    /// struct Users { db: Db }
    ///
    /// #[repository(viewer = Member)]
    /// impl Users {
    ///     #[authenticated(access)]
    ///     pub async fn first_of_each_team(&self, least: i64) -> Result<Vec<Profile>> {
    ///         self.db
    ///             .reader(&access)
    ///             .unguarded_sql::<User>(
    ///                 "the first of each team needs a window function",
    ///                 "SELECT id, name, suspended FROM (
    ///                      SELECT *, row_number() OVER (PARTITION BY team ORDER BY id) AS place
    ///                      FROM users WHERE id >= ?
    ///                  ) WHERE place = 1",
    ///             )
    ///             .bind(least)
    ///             .project()
    ///             .await
    ///     }
    /// }
    /// ```
    pub const fn unguarded_sql<E>(
        &self,
        reason: &'static str,
        sql: &'static str,
    ) -> UnguardedSql<'a, P, E>
    where
        E: Entity,
        P: Reads<E::Viewer>,
    {
        UnguardedSql {
            db: self.db,
            access: self.access,
            reason,
            sql,
            values: Vec::new(),
            entity: PhantomData,
        }
    }
}

/// A query in SQL of the application's own; see [`Reader::unguarded_sql`]. Its rows can be read as DTOs
/// only.
#[must_use = "a query does nothing until its rows are projected"]
pub struct UnguardedSql<'a, P, E> {
    db: &'a Db,
    access: &'a Access<P>,
    reason: &'static str,
    sql: &'static str,
    values: Vec<Value>,
    entity: PhantomData<fn() -> E>,
}

impl<P, E> UnguardedSql<'_, P, E>
where
    E: Entity,
    P: Reads<E::Viewer>,
{
    /// Binds the next parameter of the statement.
    pub fn bind(mut self, value: impl Comparand) -> Self {
        self.values.push(value.__value());
        self
    }

    /// Runs the query, and returns those of its rows that this viewer may read, as DTOs.
    ///
    /// # Errors
    ///
    /// [`Error::is_misuse`] outside the request of the access, if the reason is empty, if the statement
    /// is no query, if the DTO shows related rows, and if the statement returns a column of the entity
    /// twice or omits one whose field cannot be hidden; otherwise as [`Reader::all`].
    pub async fn project<D>(self) -> Result<Vec<D>>
    where
        D: Dto<Entity = E>,
    {
        if self.reason.trim().is_empty() {
            return Err(Error::misuse(
                "`unguarded_sql` needs a reason, which the log shows to its reviewers",
            ));
        }
        let query = own_query(self.db.dialect(), self.sql, &self.values)?;
        let shape = D::__shape();
        let using = self.access.in_use::<E::Viewer>().await?;
        let decided = decided(shape, &using)?;
        events::escape_hatch("unguarded_sql", self.reason);
        let rows_rule = match &decided.rows {
            Decision::Allow => None,
            Decision::Deny | Decision::Fail(_) => return Ok(Vec::new()),
            Decision::Depends(residual) => Some(residual),
        };
        let (viewer, context) = (using.viewer(), using.context());
        let rules = E::__table().rows().read.rules();
        let whole = decided.is_opaque();

        let mut layout = None;
        let mut shown = Vec::new();
        self.db
            .for_own_query()
            .fetch_each(query, |row| {
                let layout = match &mut layout {
                    Some(layout) => layout,
                    none => none.insert(OwnLayout::of(&row, shape)?),
                };
                let facts = layout.facts(&row, whole)?;
                if rows_rule.is_none_or(|rule| rule.holds(&facts, rules, viewer, context)) {
                    let visible = shape.visibility(&decided, &facts, viewer, context);
                    let mut cells = layout.cells(&row, visible.bits());
                    let read = D::__from_cells(&mut cells);
                    for field in shape.marked(cells.unreadable()) {
                        events::unreadable(E::__table().entity(), field, None);
                    }
                    match read {
                        Ok(row) => shown.push(row),
                        // Left out, as in every list.
                        Err(error) if error.is_unreadable() => {}
                        Err(error) => return Err(error),
                    }
                }
                Ok(())
            })
            .await?;
        Ok(shown)
    }
}

impl<P, E> fmt::Debug for UnguardedSql<'_, P, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnguardedSql")
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}
