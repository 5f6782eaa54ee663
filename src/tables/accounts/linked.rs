//! Statements on `clearance_accounts`: the accounts of providers that are linked to users.

use sea_query::{Condition, Expr, ExprTrait as _, Order, Query};

use super::{AdapterResult, exactly, failed, instant, micros, text};
use crate::account::{
    Account, AccountId, AccountKind, AdapterError, ProviderTokens, TokenColumn, TokenSealer,
};
use crate::driver::{Db, Row};
use crate::entity::Secret;
use crate::policy::{Cell, Kind};
use crate::viewer::Subject;

pub(super) const TABLE: &str = "clearance_accounts";
pub(super) const USER_ID: &str = "user_id";
const PROVIDER: &str = "provider";
const PROVIDER_ACCOUNT_ID: &str = "provider_account_id";
const TYPE: &str = "type";
const EXPIRES_AT: &str = "expires_at";
const TOKEN_TYPE: &str = "token_type";
const SCOPE: &str = "scope";
const SESSION_STATE: &str = "session_state";

/// The columns of a provider's tokens, in the order in which they are read and written.
const TOKENS: [&str; 7] = [
    TokenColumn::Access.name(),
    TokenColumn::Refresh.name(),
    TokenColumn::Id.name(),
    EXPIRES_AT,
    TOKEN_TYPE,
    SCOPE,
    SESSION_STATE,
];

pub(super) fn is(account: &AccountId) -> Condition {
    Condition::all()
        .add(Expr::col((TABLE, PROVIDER)).eq(account.provider()))
        .add(Expr::col((TABLE, PROVIDER_ACCOUNT_ID)).eq(account.provider_account_id()))
}

fn is_of(db: &Db, user: &Subject, account: &AccountId) -> Condition {
    is(account).add(belongs_to(db, user))
}

fn belongs_to(db: &Db, user: &Subject) -> Expr {
    exactly(db, (TABLE, USER_ID), user.as_str())
}

fn values(
    sealer: &TokenSealer,
    account: &AccountId,
    tokens: &ProviderTokens,
) -> AdapterResult<[Expr; TOKENS.len()]> {
    let sealed = |column, token: &Option<Secret<String>>| {
        token
            .as_ref()
            .map(|token| sealer.seal(account, column, token))
            .transpose()
            .map(Expr::val)
            .map_err(failed)
    };
    Ok([
        sealed(TokenColumn::Access, &tokens.access_token)?,
        sealed(TokenColumn::Refresh, &tokens.refresh_token)?,
        sealed(TokenColumn::Id, &tokens.id_token)?,
        tokens.expires_at.map(micros).into(),
        tokens.token_type.clone().into(),
        tokens.scope.clone().into(),
        tokens.session_state.clone().into(),
    ])
}

fn read(sealer: &TokenSealer, id: &AccountId, row: &Row) -> AdapterResult<Account> {
    let token = |index, column| match row.cell(index, Kind::Bytes) {
        Ok(Cell::Bytes(sealed)) => sealer
            .open(id, column, sealed)
            .map(Some)
            .ok_or(AdapterError::malformed()),
        Ok(Cell::Null) => Ok(None),
        _ => Err(AdapterError::malformed()),
    };
    let kind = text(row, 0)?.and_then(|kind| AccountKind::from_name(&kind));
    Ok(Account {
        id: id.clone(),
        kind: kind.ok_or(AdapterError::malformed())?,
        tokens: ProviderTokens {
            access_token: token(1, TokenColumn::Access)?,
            refresh_token: token(2, TokenColumn::Refresh)?,
            id_token: token(3, TokenColumn::Id)?,
            expires_at: instant(row, 4)?,
            token_type: text(row, 5)?,
            scope: text(row, 6)?,
            session_state: text(row, 7)?,
        },
    })
}

pub(super) async fn link(
    db: &Db,
    sealer: &TokenSealer,
    user: &Subject,
    account: &Account,
) -> AdapterResult<()> {
    let id = &account.id;
    let named = [
        id.provider().into(),
        id.provider_account_id().into(),
        user.as_str().into(),
        account.kind.name().into(),
    ];
    let mut insert = Query::insert();
    insert
        .into_table(TABLE)
        .columns(
            [PROVIDER, PROVIDER_ACCOUNT_ID, USER_ID, TYPE]
                .into_iter()
                .chain(TOKENS),
        )
        .values(
            named
                .into_iter()
                .chain(values(sealer, id, &account.tokens)?),
        )
        .map_err(|_| AdapterError::malformed())?;
    db.execute(&insert).await.map_err(failed)?;
    Ok(())
}

pub(super) async fn unlink(db: &Db, user: &Subject, account: &AccountId) -> AdapterResult<bool> {
    let delete = Query::delete()
        .from_table(TABLE)
        .cond_where(is_of(db, user, account))
        .take();
    let rows = db.execute(&delete).await.map_err(failed)?;
    Ok(rows.count > 0)
}

pub(super) async fn get(
    db: &Db,
    sealer: &TokenSealer,
    user: &Subject,
    account: &AccountId,
) -> AdapterResult<Option<Account>> {
    let select = Query::select()
        .column(TYPE)
        .columns(TOKENS)
        .from(TABLE)
        .cond_where(is_of(db, user, account))
        .take();
    db.fetch_optional(&select)
        .await
        .map_err(failed)?
        .map(|row| read(sealer, account, &row))
        .transpose()
}

pub(super) async fn list(db: &Db, user: &Subject) -> AdapterResult<Vec<AccountId>> {
    let select = Query::select()
        .columns([PROVIDER, PROVIDER_ACCOUNT_ID])
        .from(TABLE)
        .and_where(belongs_to(db, user))
        .order_by(PROVIDER, Order::Asc)
        .order_by(PROVIDER_ACCOUNT_ID, Order::Asc)
        .take();
    let mut found = Vec::new();
    db.fetch_each(&select, |row| {
        found.push(account_id(&row));
        Ok(())
    })
    .await
    .map_err(failed)?;
    found.into_iter().collect()
}

fn account_id(row: &Row) -> AdapterResult<AccountId> {
    let part = |index| text(row, index)?.ok_or(AdapterError::malformed());
    AccountId::new(part(0)?, part(1)?).map_err(|_| AdapterError::malformed())
}

pub(super) async fn update_tokens(
    db: &Db,
    sealer: &TokenSealer,
    user: &Subject,
    account: &AccountId,
    tokens: &ProviderTokens,
) -> AdapterResult<bool> {
    let update = Query::update()
        .table(TABLE)
        .values(TOKENS.into_iter().zip(values(sealer, account, tokens)?))
        .cond_where(is_of(db, user, account))
        .take();
    let rows = db.execute(&update).await.map_err(failed)?;
    Ok(rows.count > 0)
}
