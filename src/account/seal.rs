//! Encryption of provider tokens at rest (AES-256-GCM), with key rotation.

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use zeroize::Zeroizing;

use super::linked::AccountId;
use crate::entity::Secret;
use crate::error::{Error, Result};
use crate::token::{Key, KeyRing, OfRing};

const PURPOSE: &str = "provider token";
const KEY_ID_PURPOSE: &str = "provider token key id";
const VERSION: u8 = 1;
const KEY_ID: usize = 4;
const NONCE: usize = 12;

/// The column of an account that a sealed token belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenColumn {
    Access,
    Refresh,
    Id,
}

impl TokenColumn {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Access => "access_token",
            Self::Refresh => "refresh_token",
            Self::Id => "id_token",
        }
    }
}

/// Seals and opens provider tokens, with the keys of a ring.
///
/// A sealed token is a version, the id of the key, a nonce, and the token under AES-256-GCM. The id selects
/// the key of the ring that opens it; it is derived separately, so that it reveals nothing of the sealing
/// key.
#[derive(Debug)]
pub(crate) struct TokenSealer {
    keys: OfRing<TokenKey>,
}

impl TokenSealer {
    pub(crate) fn new(ring: &KeyRing) -> Result<Self> {
        let keys = ring.derived(TokenKey::new)?;
        Ok(Self { keys })
    }

    /// Seals a token, to be opened only as the same column of the same account.
    pub(crate) fn seal(
        &self,
        account: &AccountId,
        column: TokenColumn,
        token: &Secret<String>,
    ) -> Result<Vec<u8>> {
        self.keys.sealing.seal(account, column, token)
    }

    /// Opens a token that [`TokenSealer::seal`] sealed for the same account and column, with any key of the
    /// ring; `None` for anything else.
    pub(crate) fn open(
        &self,
        account: &AccountId,
        column: TokenColumn,
        sealed: &[u8],
    ) -> Option<Secret<String>> {
        let mut keys = self.keys.all();
        keys.find_map(|key| key.open(account, column, sealed))
    }
}

#[derive(Debug)]
struct TokenKey {
    key: RandomizedNonceKey,
    id: [u8; KEY_ID],
}

impl TokenKey {
    fn new(key: &Key) -> Result<Self> {
        let id = key.derive(KEY_ID_PURPOSE)?;
        let id = id
            .first_chunk()
            .ok_or_else(|| Error::internal("a key could not be derived"))?;
        Ok(Self {
            key: RandomizedNonceKey::new(&AES_256_GCM, &*key.derive(PURPOSE)?)
                .map_err(|_| Error::internal("a key could not be derived"))?,
            id: *id,
        })
    }

    fn seal(
        &self,
        account: &AccountId,
        column: TokenColumn,
        token: &Secret<String>,
    ) -> Result<Vec<u8>> {
        let mut content = Zeroizing::new(token.expose_secret().as_bytes().to_vec());
        let nonce = self
            .key
            .seal_in_place_append_tag(Aad::from(self.place(account, column)), &mut *content)
            .map_err(|_| Error::internal("a provider token could not be encrypted"))?;
        let mut sealed = vec![VERSION];
        sealed.extend_from_slice(&self.id);
        sealed.extend_from_slice(nonce.as_ref());
        sealed.extend_from_slice(&content);
        Ok(sealed)
    }

    fn open(
        &self,
        account: &AccountId,
        column: TokenColumn,
        sealed: &[u8],
    ) -> Option<Secret<String>> {
        let (version, rest) = sealed.split_first()?;
        let (id, rest) = rest.split_first_chunk::<KEY_ID>()?;
        if *version != VERSION || *id != self.id {
            return None;
        }
        let (nonce, rest) = rest.split_first_chunk::<NONCE>()?;
        let mut content = Zeroizing::new(rest.to_vec());
        let token = self
            .key
            .open_in_place(
                Nonce::from(nonce),
                Aad::from(self.place(account, column)),
                &mut content,
            )
            .ok()?;
        Some(Secret::new(std::str::from_utf8(token).ok()?.to_owned()))
    }

    /// Encodes the account and column of a token as associated data: each part with its length before it, so
    /// that no two encodings are equal.
    fn place(&self, account: &AccountId, column: TokenColumn) -> Vec<u8> {
        let mut place = vec![VERSION];
        place.extend_from_slice(&self.id);
        for part in [
            PURPOSE,
            account.provider(),
            account.provider_account_id(),
            column.name(),
        ] {
            let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
            place.extend_from_slice(&length.to_be_bytes());
            place.extend_from_slice(part.as_bytes());
        }
        place
    }
}
