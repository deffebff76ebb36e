//! Reading and writing DynamoDB attributes with errors that name the attribute.

use super::StoreError;
use aws_sdk_dynamodb::types::AttributeValue;
use std::collections::HashMap;
use std::str::FromStr;

/// A DynamoDB item.
pub(super) type Item = HashMap<String, AttributeValue>;

pub(super) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(super) fn number(value: &impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// The text of an attribute that must be there.
pub(super) fn read_text<'a>(item: &'a Item, attribute: &'static str) -> Result<&'a str, StoreError> {
    match item.get(attribute) {
        Some(AttributeValue::S(text)) => Ok(text),
        _ => Err(StoreError::Corrupt {
            attribute,
            source: None,
        }),
    }
}

/// The number of an attribute that may be absent.
pub(super) fn read_number_if_any<N>(item: &Item, attribute: &'static str) -> Result<Option<N>, StoreError>
where
    N: FromStr,
    N::Err: std::error::Error + Send + Sync + 'static,
{
    match item.get(attribute) {
        None | Some(AttributeValue::Null(_)) => Ok(None),
        Some(AttributeValue::N(number)) => match number.parse() {
            Ok(number) => Ok(Some(number)),
            Err(error) => Err(StoreError::Corrupt {
                attribute,
                source: Some(Box::new(error)),
            }),
        },
        Some(_) => Err(StoreError::Corrupt {
            attribute,
            source: None,
        }),
    }
}

/// The number of an attribute that must be there.
pub(super) fn read_number<N>(item: &Item, attribute: &'static str) -> Result<N, StoreError>
where
    N: FromStr,
    N::Err: std::error::Error + Send + Sync + 'static,
{
    read_number_if_any(item, attribute)?.ok_or(StoreError::Corrupt {
        attribute,
        source: None,
    })
}

/// A flag; absent means `false`.
pub(super) fn read_flag(item: &Item, attribute: &'static str) -> Result<bool, StoreError> {
    match item.get(attribute) {
        None => Ok(false),
        Some(AttributeValue::Bool(flag)) => Ok(*flag),
        Some(_) => Err(StoreError::Corrupt {
            attribute,
            source: None,
        }),
    }
}

/// A value kept as JSON text.
pub(super) fn read_json<T: serde::de::DeserializeOwned>(
    item: &Item,
    attribute: &'static str,
) -> Result<T, StoreError> {
    serde_json::from_str(read_text(item, attribute)?).map_err(|error| StoreError::Corrupt {
        attribute,
        source: Some(Box::new(error)),
    })
}
