//! Statements on `clearance_verification_tokens`.

use chrono::{DateTime, Utc};
use sea_query::{Expr, ExprTrait as _, Query};

use super::{AdapterResult, failed, micros};
use crate::account::{AdapterError, VerificationRecord};
use crate::driver::Db;
use crate::session::SecretHash;

const TABLE: &str = "clearance_verification_tokens";
const TOKEN_HASH: &str = "token_hash";
const IDENTIFIER: &str = "identifier";
const EXPIRES_AT: &str = "expires_at";

pub(super) async fn create(db: &Db, token: &VerificationRecord) -> AdapterResult<()> {
    let mut insert = Query::insert();
    insert
        .into_table(TABLE)
        .columns([TOKEN_HASH, IDENTIFIER, EXPIRES_AT])
        .values([
            token.token_hash.as_bytes().to_vec().into(),
            token.identifier.as_str().into(),
            micros(token.expires_at).into(),
        ])
        .map_err(|_| AdapterError::malformed())?;
    db.execute(&insert).await.map_err(failed)?;
    Ok(())
}

/// Redeems a token. One statement checks and deletes it, so that nobody else can redeem it in between
/// (TOCTOU).
pub(super) async fn redeem(
    db: &Db,
    identifier: &str,
    token_hash: SecretHash,
    now: DateTime<Utc>,
) -> AdapterResult<bool> {
    let delete = Query::delete()
        .from_table(TABLE)
        .and_where(Expr::col(TOKEN_HASH).eq(token_hash.as_bytes().to_vec()))
        .and_where(Expr::col(IDENTIFIER).eq(identifier))
        .and_where(Expr::col(EXPIRES_AT).gt(micros(now)))
        .take();
    let rows = db.execute(&delete).await.map_err(failed)?;
    Ok(rows.count > 0)
}

pub(super) async fn sweep(db: &Db, now: DateTime<Utc>) -> AdapterResult<u64> {
    let delete = Query::delete()
        .from_table(TABLE)
        .and_where(Expr::col(EXPIRES_AT).lte(micros(now)))
        .take();
    let rows = db.execute(&delete).await.map_err(failed)?;
    Ok(rows.count)
}
