//! People, and what each viewer may read of them.

use serde::Serialize;
use sqlx::{QueryBuilder, Row as _, Sqlite, SqlitePool};
use uuid::Uuid;

use crate::failure::Failure;
use crate::password;
use crate::sessions::Viewer;

/// A person, as a viewer may see them. A hidden field is left out, which differs from one that is null.
#[derive(Serialize)]
pub(crate) struct Profile {
    name: String,
    team: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    salary: Option<i64>,
}

#[derive(Clone)]
pub(crate) struct People {
    pool: SqlitePool,
}

impl People {
    pub(crate) const fn new(pool: SqlitePool) -> Self {
        Self { pool }
    }

    /// Reads a person. A column that the viewer may never see is not selected; one that depends on the row is
    /// null in the answer of the database where it is hidden.
    pub(crate) async fn profile(&self, viewer: &Viewer, slug: &str) -> Result<Profile, Failure> {
        let mut query = QueryBuilder::<Sqlite>::new("SELECT id, name, team");
        if viewer.is_admin {
            query.push(", email, phone, salary FROM users WHERE slug = ");
            query.push_bind(slug);
        } else {
            let team = viewer.team.as_deref();
            query.push(", CASE WHEN team = ").push_bind(team);
            query.push(" OR id = ").push_bind(viewer.id);
            query
                .push(" THEN email END AS email, CASE WHEN team = ")
                .push_bind(team);
            query.push(" THEN phone END AS phone FROM users WHERE NOT suspended AND slug = ");
            query.push_bind(slug);
        }
        let found = query.build().fetch_optional(&self.pool).await?;
        let row = found.ok_or(Failure::NotFound)?;
        let team: Option<String> = row.try_get("team")?;
        // Two people without a team are not on the same one.
        let is_colleague = viewer.is_admin || (team.is_some() && team == viewer.team);
        let is_self = row.try_get::<Uuid, _>("id")? == viewer.id;
        let email = is_colleague || is_self;
        Ok(Profile {
            name: row.try_get("name")?,
            team,
            email: email.then(|| row.try_get("email")).transpose()?,
            phone: is_colleague.then(|| row.try_get("phone")).transpose()?,
            salary: viewer.is_admin.then(|| row.try_get("salary")).transpose()?,
        })
    }

    /// Returns the id of the person whose password this is.
    pub(crate) async fn account(
        &self,
        slug: &str,
        password: String,
    ) -> Result<Option<Uuid>, Failure> {
        let found =
            sqlx::query("SELECT id, password_hash FROM users WHERE slug = ? AND NOT suspended")
                .bind(slug)
                .fetch_optional(&self.pool)
                .await?;
        let hash = found
            .as_ref()
            .map(|row| row.try_get("password_hash"))
            .transpose()?;
        if !password::is_right(hash, password).await {
            return Ok(None);
        }
        Ok(found.map(|row| row.try_get("id")).transpose()?)
    }
}
