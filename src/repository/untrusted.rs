//! Request bodies, before and after validation.

use std::fmt;
use std::ops::Deref;

use http::HeaderValue;

use super::{Access, InUse, Writes, refusal};
use crate::audit::AuditEvent;
use crate::entity::Entity;
use crate::error::{Error, FieldError, Result};
use crate::input::{Incoming, InputShape, Malformed, Object};
use crate::policy::Value;

/// An unparsed request body.
///
/// Handlers take it, as the last argument under axum, and pass it on; a repository method opens it with
/// its access. There is no other way to read its content.
///
/// # Example
///
/// ```
/// # use clearance::input::Assign;
/// # use clearance::{Access, Db, Entity, Result, Viewer, Write, repository};
/// # #[derive(Clone, Viewer)]
/// # struct Member { id: i64 }
/// # #[derive(Entity)]
/// # #[entity(table = "notes", viewer = Member, read_if(row.owner == viewer.id))]
/// # #[entity(create_if(row.owner == viewer.id))]
/// # struct Note { #[entity(key)] id: i64, owner: i64, text: String }
/// use clearance::{Input, Untrusted};
///
/// #[derive(Input)]
/// #[input(entity = Note)]
/// #[preset(owner = viewer.id)]
/// struct NewNote {
///     #[writable]
///     text: String,
/// }
///
/// struct Notes {
///     db: Db,
/// }
///
/// #[repository(viewer = Member)]
/// impl Notes {
///     #[authenticated(access: Write)]
///     pub async fn add(&self, note: Untrusted<NewNote>) -> Result<i64> {
///         let note = note.open(&access)?;
///         self.db.writer(&access).create(note).execute().await
///     }
/// }
/// ```
pub struct Untrusted<T>(Content<T>);

enum Content<T> {
    Json(Vec<u8>),
    Value(T),
    /// A body of another media type.
    NotJson,
}

/// A client's input, validated for a viewer who may send it. Made by [`Untrusted::open`].
pub struct Valid<T>(T);

impl<T> Untrusted<T> {
    /// Wraps a body as received, with the `Content-Type` of the request: JSON if that is
    /// `application/json`, or ends in `+json` ([RFC 6839, section
    /// 3.1](https://www.rfc-editor.org/rfc/rfc6839#section-3.1)), otherwise [not JSON](Self::not_json).
    #[must_use]
    pub fn body(media_type: Option<&HeaderValue>, body: impl Into<Vec<u8>>) -> Self {
        let media_type = media_type.and_then(|value| value.to_str().ok());
        if media_type.is_some_and(is_json) {
            Self::json(body)
        } else {
            Self::not_json()
        }
    }

    /// Wraps a body of JSON.
    #[must_use]
    pub fn json(body: impl Into<Vec<u8>>) -> Self {
        Self(Content::Json(body.into()))
    }

    /// Makes a body whose `Content-Type` is not JSON. Opening it is refused, at the point where it
    /// would be parsed: a client that is not signed in still gets that error first.
    #[must_use]
    pub const fn not_json() -> Self {
        Self(Content::NotJson)
    }
}

impl<T: Incoming> Untrusted<T> {
    /// Parses and validates the body for the holder of `access`. It queries no store: the write itself
    /// detects a session that was revoked in between, and [`Writer::open`] checks it at once. On a
    /// database that is [audited](crate::Db::audited), open the body with [`Writer::open`], which records
    /// refusals there.
    ///
    /// [`Writer::open`]: crate::repository::Writer::open
    ///
    /// The cost grows linearly with the length of the body. The framework limits that length; the
    /// content has [limits](crate::limits) of its own.
    ///
    /// # Errors
    ///
    /// [`Error::is_unsupported_media_type`] if it was not sent as JSON, [`Error::is_invalid`] if it is
    /// not JSON, [`Error::is_unprocessable`] with the errors of each field, [`Error::is_forbidden`] if
    /// it sets a field that this viewer may set in no row, [`Error::is_unauthenticated`] if the request
    /// has another session by now, [`Error::is_misuse`] outside the request of the access.
    pub fn open<P>(self, access: &Access<P>) -> Result<Valid<T>>
    where
        P: Writes<<T::Entity as Entity>::Viewer>,
    {
        let using = access.in_use_at_once()?;
        self.opened(using.as_ref())?.map_err(|refused| {
            refused.log();
            Error::forbidden()
        })
    }

    /// Opens the body, and leaves the event of a refused field to the caller. Without `using`, because
    /// the viewer could not be determined without waiting, only the write reports such a field: it
    /// evaluates all of the rules again anyway.
    pub(crate) fn opened(
        self,
        using: Option<&InUse<<T::Entity as Entity>::Viewer>>,
    ) -> Result<Result<Valid<T>, Box<AuditEvent>>> {
        let value = match self.0 {
            Content::Value(value) => value,
            Content::Json(body) => parse::<T>(&body)?,
            Content::NotJson => return Err(Error::unsupported_media_type()),
        };
        let shape = T::__shape();
        let values = value.__values();
        if let Some(using) = using
            && let Some(refused) = refusal(using, shape, &values)?
        {
            return Ok(Err(Box::new(refused)));
        }
        let mut errors = not_finite(shape, &values);
        errors.extend(value.__validate());
        if errors.is_empty() {
            return Ok(Ok(Valid(value)));
        }
        for error in &mut errors {
            error.rename(
                shape
                    .fields()
                    .iter()
                    .map(|field| (field.field(), field.json())),
            );
        }
        Err(Error::unprocessable(errors))
    }
}

fn parse<T: Incoming>(body: &[u8]) -> Result<T> {
    let mut object = Object::read(body).map_err(|malformed| match malformed {
        Malformed::Syntax => Error::malformed(),
        Malformed::Kind => Error::unprocessable(vec![FieldError::new("", "must be an object")]),
        Malformed::Beyond(errors) => Error::unprocessable(errors),
    })?;
    let value = T::__parse(&mut object);
    let errors = object.finish();
    match value {
        Some(value) if errors.is_empty() => Ok(value),
        _ => Err(Error::unprocessable(errors)),
    }
}

/// Returns the errors of numbers that JSON lacks (NaN, infinities). One engine stores null in their
/// place, another the number, which no DTO could show.
fn not_finite<E: Entity>(shape: &InputShape<E>, values: &[Option<Value>]) -> Vec<FieldError> {
    let fields = shape.fields().iter().zip(values);
    fields
        .filter(|(_, value)| matches!(value, Some(Value::Float(number)) if !number.is_finite()))
        .map(|(field, _)| FieldError::new(field.field(), "must be a finite number"))
        .collect()
}

impl<T> From<T> for Untrusted<T> {
    /// Wraps a value that the program made itself. It is checked like one from a client.
    fn from(value: T) -> Self {
        Self(Content::Value(value))
    }
}

impl<T: Incoming> Valid<T> {
    pub(crate) fn values(&self) -> Vec<Option<Value>> {
        self.0.__values()
    }

    /// Returns the client's input.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.0
    }
}

/// Gives read-only access, so that the input stays as it was validated.
impl<T> Deref for Valid<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Untrusted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Untrusted").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Valid<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Valid").finish_non_exhaustive()
    }
}

fn is_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    let essence = essence.to_ascii_lowercase();
    match essence.strip_prefix("application/") {
        Some(subtype) => subtype == "json" || subtype.ends_with("+json"),
        None => false,
    }
}
