//! Data that an application keeps with a session, with the version that it read (optimistic locking).

use std::fmt;
use std::ops::{Deref, DerefMut};

use chrono::{DateTime, Utc};

use super::lifecycle::SessionManager;
use super::store::{DataKept, SessionRecord};
use crate::error::{Error, Refusal, Result};
use crate::viewer::Subject;

/// The data that an application keeps with a session, as one request read them: a `T`, or `None`.
///
/// It derefs to the `Option<T>` that it holds. [`RequestContext::session_data`] returns one, and
/// [`RequestContext::set_session_data`] takes it back after a change. It carries the version that was read
/// (optimistic locking), so that of two requests that change the same data concurrently one gets a conflict,
/// and overwrites nothing.
///
/// # Example
///
/// ```
/// use clearance::{RequestContext, Result};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Default, Serialize, Deserialize)]
/// struct Basket { articles: Vec<u32> }
///
/// async fn add(request: &RequestContext, article: u32) -> Result<()> {
///     let mut basket = request.session_data::<Basket>().await?;
///     basket.get_or_insert_default().articles.push(article);
///     // A conflict (409) where another request changed the basket meanwhile.
///     request.set_session_data(&mut basket).await
/// }
/// ```
///
/// [`RequestContext::session_data`]: crate::RequestContext::session_data
/// [`RequestContext::set_session_data`]: crate::RequestContext::set_session_data
pub struct SessionData<T> {
    value: Option<T>,
    version: DataVersion,
}

/// A version of the data of one session, which survives a rotation of its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DataVersion {
    subject: Subject,
    created_at: DateTime<Utc>,
    number: u64,
}

impl DataVersion {
    fn of(record: &SessionRecord, number: u64) -> Self {
        Self {
            subject: record.subject.clone(),
            created_at: record.created_at,
            number,
        }
    }

    /// Returns the version's number, if it is of this session: the numbers of two sessions are unrelated.
    fn number(&self, record: &SessionRecord) -> Option<u64> {
        (*self == Self::of(record, self.number)).then_some(self.number)
    }
}

impl<T> SessionData<T> {
    pub(crate) const fn new(value: Option<T>, version: DataVersion) -> Self {
        Self { value, version }
    }

    /// Returns the data that were read, with the changes since.
    #[must_use]
    pub fn into_inner(self) -> Option<T> {
        self.value
    }

    pub(crate) const fn version(&self) -> &DataVersion {
        &self.version
    }

    /// Advances the version after a successful write, so that the data can be changed and set again.
    pub(crate) const fn written(&mut self) {
        self.version.number = self.version.number.saturating_add(1);
    }
}

impl<T> Deref for SessionData<T> {
    type Target = Option<T>;

    fn deref(&self) -> &Self::Target {
        &self.value
    }
}

impl<T> DerefMut for SessionData<T> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.value
    }
}

impl<T> fmt::Debug for SessionData<T> {
    /// Formats the version without the value, which may be anything that the application keeps.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionData")
            .field("version", &self.version.number)
            .finish_non_exhaustive()
    }
}

impl SessionManager {
    pub(crate) async fn data(
        &self,
        record: &SessionRecord,
    ) -> Result<(Option<Vec<u8>>, DataVersion)> {
        self.needs_records()?;
        let there = self.answer("data", self.store.data(record.id, self.now()).await)?;
        let there = there.ok_or_else(|| Error::unauthenticated(Refusal::Unknown))?;
        Ok((there.data, DataVersion::of(record, there.version)))
    }

    /// Stores the session's data if their version is still `version`, or whatever it is if that is `None`.
    pub(crate) async fn set_data(
        &self,
        record: &SessionRecord,
        data: Option<&[u8]>,
        version: Option<&DataVersion>,
    ) -> Result<()> {
        self.needs_records()?;
        let number = version
            .map(|version| version.number(record).ok_or_else(Error::conflict))
            .transpose()?;
        let now = self.now();
        let kept = self.store.set_data(record.id, now, data, number).await;
        match self.answer("set_data", kept)? {
            DataKept::Done => Ok(()),
            DataKept::Stale => Err(Error::conflict()),
            DataKept::Gone => Err(Error::unauthenticated(Refusal::Unknown)),
        }
    }
}
