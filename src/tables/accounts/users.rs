//! Statements on `clearance_users`.

use chrono::{DateTime, Utc};
use sea_query::{Expr, ExprTrait as _, Query, SelectStatement};
use uuid::Uuid;

use super::linked;
use super::{AdapterResult, exactly, failed, instant, micros, text};
use crate::account::{AccountId, AdapterError, Email, NewUser, User, UserChange, UserEmail};
use crate::driver::{Db, Row};
use crate::token::key::fill_random;
use crate::viewer::Subject;

pub(super) const TABLE: &str = "clearance_users";
pub(super) const ID: &str = "id";
const NAME: &str = "name";
const EMAIL: &str = "email";
/// The generated column by which addresses are compared: equal for equal addresses.
const EMAIL_KEY: &str = "email_key";
const EMAIL_VERIFIED_AT: &str = "email_verified_at";
const IMAGE: &str = "image";
const ROLE: &str = "role";
const CREATED_AT: &str = "created_at";

/// The columns in the order in which a user is read.
const COLUMNS: [&str; 7] = [ID, NAME, EMAIL, EMAIL_VERIFIED_AT, IMAGE, ROLE, CREATED_AT];

/// Returns the columns of a user, qualified for a query over several tables.
pub(super) fn columns() -> impl Iterator<Item = (&'static str, &'static str)> {
    COLUMNS.into_iter().map(|column| (TABLE, column))
}

/// Reads the user whose columns begin at `first`.
pub(super) fn read(row: &Row, first: usize) -> AdapterResult<User> {
    let required = |index| text(row, index)?.ok_or(AdapterError::malformed());
    let email = match text(row, first + 2)? {
        Some(address) => Some(UserEmail {
            address: address.parse().map_err(|_| AdapterError::malformed())?,
            verified_at: instant(row, first + 3)?,
        }),
        None => None,
    };
    Ok(User {
        id: Subject::new(required(first)?),
        name: text(row, first + 1)?,
        email,
        image: text(row, first + 4)?,
        role: required(first + 5)?,
        created_at: instant(row, first + 6)?.ok_or(AdapterError::malformed())?,
    })
}

async fn one(db: &Db, select: &SelectStatement) -> AdapterResult<Option<User>> {
    db.fetch_optional(select)
        .await
        .map_err(failed)?
        .map(|row| read(&row, 0))
        .transpose()
}

fn select() -> SelectStatement {
    Query::select().columns(columns()).from(TABLE).take()
}

/// Creates an id, a UUID of version 7: ids of one time are adjacent in the index.
fn new_id(now: DateTime<Utc>) -> AdapterResult<Subject> {
    let mut random = [0; 10];
    fill_random(&mut random).map_err(failed)?;
    let millis = u64::try_from(now.timestamp_millis()).unwrap_or_default();
    let id: Uuid = uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
    Ok(Subject::new(id))
}

fn address(email: Option<&UserEmail>) -> Option<String> {
    email.map(|email| email.address.as_str().to_owned())
}

fn verified_at(email: Option<&UserEmail>) -> Option<i64> {
    email.and_then(|email| email.verified_at).map(micros)
}

pub(super) async fn create(db: &Db, user: &NewUser, now: DateTime<Utc>) -> AdapterResult<User> {
    let id = new_id(now)?;
    let email = user.email.as_ref();
    let mut insert = Query::insert();
    // The role is left to the default of the database.
    insert
        .into_table(TABLE)
        .columns([ID, NAME, EMAIL, EMAIL_VERIFIED_AT, IMAGE, CREATED_AT])
        .values([
            id.as_str().into(),
            user.name.clone().into(),
            address(email).into(),
            verified_at(email).into(),
            user.image.clone().into(),
            micros(now).into(),
        ])
        .map_err(|_| AdapterError::malformed())?;
    db.execute(&insert).await.map_err(failed)?;
    get(db, &id).await?.ok_or(AdapterError::malformed())
}

pub(super) async fn get(db: &Db, id: &Subject) -> AdapterResult<Option<User>> {
    one(
        db,
        select().and_where(exactly(db, (TABLE, ID), id.as_str())),
    )
    .await
}

pub(super) async fn get_by_email(db: &Db, email: &Email) -> AdapterResult<Option<User>> {
    one(db, select().and_where(Expr::col(EMAIL_KEY).eq(email.key()))).await
}

pub(super) async fn get_by_account(db: &Db, account: &AccountId) -> AdapterResult<Option<User>> {
    let select = select()
        .inner_join(
            linked::TABLE,
            Expr::col((linked::TABLE, linked::USER_ID)).equals((TABLE, ID)),
        )
        .cond_where(linked::is(account))
        .take();
    one(db, &select).await
}

pub(super) async fn update(
    db: &Db,
    id: &Subject,
    change: &UserChange,
) -> AdapterResult<Option<User>> {
    let mut update = Query::update();
    update
        .table(TABLE)
        .and_where(exactly(db, (TABLE, ID), id.as_str()));
    if let Some(name) = &change.name {
        update.value(NAME, name.clone());
    }
    if let Some(email) = &change.email {
        let email = email.as_ref();
        update
            .value(EMAIL, address(email))
            .value(EMAIL_VERIFIED_AT, verified_at(email));
    }
    if let Some(image) = &change.image {
        update.value(IMAGE, image.clone());
    }
    if !update.get_values().is_empty() {
        db.execute(&update).await.map_err(failed)?;
    }
    get(db, id).await
}

pub(super) async fn delete(db: &Db, id: &Subject) -> AdapterResult<bool> {
    let delete = Query::delete()
        .from_table(TABLE)
        .and_where(exactly(db, (TABLE, ID), id.as_str()))
        .take();
    let rows = db.execute(&delete).await.map_err(failed)?;
    Ok(rows.count > 0)
}
