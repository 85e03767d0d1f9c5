//! A batch: the events of a body.

use serde_json::value::RawValue;

use crate::error::{Error, ErrorKind, Result};
use crate::http::ContentType;

/// The events of a body: each element of a JSON array, one level deep; else the body itself.
pub(crate) fn split(body: &[u8], content_type: &ContentType) -> Result<Vec<Vec<u8>>> {
    if !content_type.is_text() {
        return Ok(vec![body.to_vec()]);
    }
    let text = std::str::from_utf8(body).map_err(|error| {
        Error::new(
            ErrorKind::BodyNotUtf8,
            format!("the body must be UTF-8, byte {} is not", error.valid_up_to()),
        )
    })?;
    if !content_type.is_json() {
        return Ok(vec![text.into()]);
    }
    let not_json = |error: serde_json::Error| Error::new(ErrorKind::BodyNotJson, error.to_string());
    if text.trim_start().starts_with('[') {
        let values: Vec<&RawValue> = serde_json::from_str(text).map_err(not_json)?;
        return Ok(values.into_iter().map(|value| value.get().into()).collect());
    }
    let value: &RawValue = serde_json::from_str(text).map_err(not_json)?;
    Ok(vec![value.get().into()])
}
