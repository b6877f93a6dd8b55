//! What stands in a file of tests. A field of a request or an expectation that is not known is an error: it could change
//! what a test means.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

#[derive(serde::Deserialize)]
pub(super) struct File {
    pub(super) meta: Option<Meta>,
    pub(super) rule_id: Option<u32>,
    pub(super) tests: Vec<Test>,
}

#[derive(serde::Deserialize)]
pub(super) struct Meta {
    pub(super) enabled: Option<bool>,
}

#[derive(serde::Deserialize)]
pub(super) struct Test {
    #[serde(rename = "test_title")]
    pub(super) title: Option<String>,
    #[serde(rename = "test_id")]
    pub(super) number: Option<u32>,
    pub(super) stages: Vec<Wrapped>,
}

/// The older generation has one more level.
#[derive(serde::Deserialize)]
pub(super) struct Wrapped {
    pub(super) stage: Option<Written>,
    pub(super) input: Option<Input>,
    pub(super) output: Option<Output>,
}

#[derive(serde::Deserialize)]
pub(super) struct Written {
    pub(super) input: Input,
    pub(super) output: Output,
}

#[derive(Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    #[serde(rename = "dest_addr")]
    _address: Option<IgnoredAny>,
    #[serde(rename = "port")]
    _port: Option<IgnoredAny>,
    #[serde(rename = "protocol")]
    _protocol: Option<IgnoredAny>,
    /// Every stage stands alone here, and no test depends on it.
    #[serde(rename = "save_cookie")]
    _save_cookie: Option<IgnoredAny>,
    pub(super) method: Option<String>,
    pub(super) uri: Option<String>,
    #[serde(default)]
    pub(super) uris: Vec<String>,
    pub(super) version: Option<String>,
    pub(super) headers: Option<Headers>,
    #[serde(default)]
    pub(super) ordered_headers: Vec<OrderedHeader>,
    pub(super) data: Option<Data>,
    pub(super) encoded_data: Option<String>,
    pub(super) encoded_request: Option<String>,
    pub(super) raw_request: Option<String>,
    pub(super) autocomplete_headers: Option<bool>,
    pub(super) stop_magic: Option<bool>,
    pub(super) follow_redirect: Option<bool>,
    pub(super) response: Option<Answer>,
}

#[derive(serde::Deserialize)]
pub(super) struct OrderedHeader {
    pub(super) name: String,
    pub(super) value: String,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Answer {
    pub(super) status: Option<u16>,
    pub(super) headers: Option<Headers>,
    pub(super) body: Option<String>,
    pub(super) encoded_body: Option<String>,
    #[serde(rename = "log_message")]
    _log_message: Option<IgnoredAny>,
}

#[derive(Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Output {
    #[serde(default)]
    pub(super) status: Statuses,
    pub(super) log_contains: Option<String>,
    pub(super) no_log_contains: Option<String>,
    #[serde(default)]
    pub(super) log: Log,
    pub(super) expect_error: Option<bool>,
    #[serde(default)]
    pub(super) isolated: bool,
    #[serde(rename = "retry_once")]
    _retry_once: Option<bool>,
}

#[derive(Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Log {
    #[serde(default)]
    pub(super) expect_ids: Vec<u32>,
    #[serde(default)]
    pub(super) no_expect_ids: Vec<u32>,
    pub(super) match_regex: Option<String>,
    pub(super) no_match_regex: Option<String>,
}

/// A map whose order counts.
#[derive(Default)]
pub(super) struct Headers(pub(super) Vec<(String, String)>);

/// A text, or its lines.
pub(super) struct Data(pub(super) String);

/// One, or several of which one is enough.
#[derive(Default)]
pub(super) struct Statuses(pub(super) Vec<u16>);

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Headers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("headers")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Headers, A::Error> {
                let mut headers = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Option<String>>()? {
                    headers.push((name, value.unwrap_or_default()));
                }
                Ok(Headers(headers))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Lines;
        impl<'de> Visitor<'de> for Lines {
            type Value = Data;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or its lines")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Data, E> {
                Ok(Data(text.to_owned()))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Data, E> {
                Ok(Data(number.to_string()))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Data, E> {
                Ok(Data(number.to_string()))
            }

            fn visit_unit<E: de::Error>(self) -> Result<Data, E> {
                Ok(Data(String::new()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Data, A::Error> {
                let mut lines = Vec::new();
                while let Some(line) = sequence.next_element::<String>()? {
                    lines.push(line);
                }
                Ok(Data(lines.join("\r\n")))
            }
        }
        deserializer.deserialize_any(Lines)
    }
}

impl<'de> Deserialize<'de> for Statuses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Numbers;
        impl<'de> Visitor<'de> for Numbers {
            type Value = Statuses;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a status or several")
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Statuses, E> {
                u16::try_from(number).map(|status| Statuses(vec![status])).map_err(E::custom)
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Statuses, E> {
                u16::try_from(number).map(|status| Statuses(vec![status])).map_err(E::custom)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Statuses, A::Error> {
                let mut statuses = Vec::new();
                while let Some(status) = sequence.next_element()? {
                    statuses.push(status);
                }
                Ok(Statuses(statuses))
            }
        }
        deserializer.deserialize_any(Numbers)
    }
}
