//! Values of the database.

use tidewire_core::ContentType;
use worker::{Error, Result, SqlStorageValue};

pub(super) fn number(value: u64) -> SqlStorageValue {
    // Sequences, sizes and times of ours stay far below 2^53, up to which integers cross JavaScript
    // exactly.
    SqlStorageValue::Integer(value as i64)
}

pub(super) fn optional(value: Option<u64>) -> SqlStorageValue {
    value.map_or(SqlStorageValue::Null, number)
}

pub(super) fn integer(value: Option<SqlStorageValue>) -> Result<u64> {
    match value {
        Some(SqlStorageValue::Integer(value)) if value >= 0 => Ok(value as u64),
        Some(SqlStorageValue::Float(value)) if value >= 0.0 => Ok(value as u64),
        Some(SqlStorageValue::Boolean(value)) => Ok(value.into()),
        other => Err(Error::RustError(format!("the store has {other:?} instead of a number"))),
    }
}

pub(super) fn optional_text(value: Option<SqlStorageValue>) -> Option<String> {
    match value {
        Some(SqlStorageValue::String(text)) => Some(text),
        _ => None,
    }
}

pub(super) fn content_type(value: Option<SqlStorageValue>) -> Result<ContentType> {
    optional_text(value)
        .and_then(|text| ContentType::parse(&text))
        .ok_or_else(|| Error::RustError("the store has no valid content type".into()))
}

pub(super) fn bytes(value: Option<SqlStorageValue>) -> Result<Vec<u8>> {
    match value {
        Some(SqlStorageValue::Blob(data)) => Ok(data),
        other => Err(Error::RustError(format!("the store has {other:?} instead of an event"))),
    }
}
