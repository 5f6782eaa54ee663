//! Rows of a shape that was built at run time instead of derived.

use std::marker::PhantomData;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::ser::{Serialize, SerializeMap as _, Serializer};

use super::number::Writing;
use super::{Field, ReadFields, Shape};
use crate::entity::Entity;
use crate::error::Result;
use crate::schema::{Cell, Value};

/// A row of a [`Shape`] made by [`Shape::builder`]: keys and values, each subject to its rule.
///
/// It serialises as a derived DTO would: the key of a hidden field is omitted.
#[derive(Debug)]
pub struct Record<E> {
    fields: Vec<(&'static str, Field<Value>)>,
    entity: PhantomData<fn() -> E>,
}

impl<E: Entity> Record<E> {
    pub(crate) fn from_cells(shape: &Shape<E>, cells: &impl ReadFields) -> Result<Self> {
        let mut fields = Vec::with_capacity(shape.fields().len());
        for (index, field) in shape.fields().iter().enumerate() {
            let value = match E::__table().position(field.field()) {
                Some((_, spec)) if cells.is_shown(index)? => match cells.cell(index, spec.kind()) {
                    Ok(Cell::Timestamp(micros))
                        if DateTime::<Utc>::from_timestamp_micros(micros).is_none() =>
                    {
                        cells.mark(index);
                        Field::Hidden
                    }
                    Ok(cell) => Field::Visible(cell.into_value()),
                    Err(error) if error.is_unreadable() => {
                        cells.mark(index);
                        Field::Hidden
                    }
                    Err(error) => return Err(error),
                },
                _ => Field::Hidden,
            };
            fields.push((field.key(), value));
        }
        Ok(Self {
            fields,
            entity: PhantomData,
        })
    }

    /// Returns the value under `key`, which may be hidden; `None` if there is no such key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Field<Value>> {
        self.fields
            .iter()
            .find(|(known, _)| *known == key)
            .map(|(_, value)| value)
    }
}

impl<E> Serialize for Record<E> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let visible = self
            .fields
            .iter()
            .filter_map(|(key, value)| value.visible().map(|value| (key, value)));
        let mut map = serializer.serialize_map(Some(visible.clone().count()))?;
        for (key, value) in visible {
            map.serialize_entry(key, &Written(value.as_cell()))?;
        }
        map.end()
    }
}

/// A cell, serialised as `serde` serialises the Rust type of its column.
struct Written<'a>(Cell<'a>);

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self.0 {
            Cell::Null => serializer.serialize_none(),
            Cell::Bool(value) => value.serialize(serializer),
            Cell::Int(value) => value.serialize(serializer),
            Cell::Float(value) => Writing(&value).serialize(serializer),
            Cell::Text(value) => value.serialize(serializer),
            Cell::Bytes(value) => value.serialize(serializer),
            Cell::Uuid(value) => value.serialize(serializer),
            Cell::Timestamp(micros) => match DateTime::<Utc>::from_timestamp_micros(micros) {
                Some(instant) => instant
                    .to_rfc3339_opts(SecondsFormat::AutoSi, true)
                    .serialize(serializer),
                None => Err(serde::ser::Error::custom("an instant is out of range")),
            },
        }
    }
}
