//! Export of contacts as CSV or JSON, page by page, in constant memory.

mod csv_text;

use bytes::Bytes;
use letterkeep_model::{Ctx, Id, kind};
use letterkeep_store::contact::Direction;
use letterkeep_store::{Error, KeyStoreError, Store, audit, contact as rows};
use serde_json::{Map, Value};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

use crate::contact::{Contact, Filter, ReadError, open_rows};
use crate::{CustomField, FieldValue, field, list, tag};

/// Contacts opened at once.
const PIECE: i64 = 500;

/// How contacts are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// RFC 4180 in UTF-8, guarded against formulas (see [`formula`](crate::formula)). `bom` marks the file as UTF-8 for Excel.
    Csv {
        /// Whether to begin with a byte order mark.
        bom: bool,
    },
    /// One JSON object a line.
    JsonLines,
    /// One JSON array.
    Json,
}

/// What is exported.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How.
    pub format: Format,
    /// Which contacts.
    pub filter: Filter,
}

/// An export stops.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A contact is not read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The database.
    #[error(transparent)]
    Store(#[from] Error),
    /// The keys.
    #[error(transparent)]
    Keys(#[from] KeyStoreError),
    /// A value cannot be written.
    #[error("a value cannot be written as JSON or CSV")]
    Text,
    /// Nobody takes what is written.
    #[error("the export could not be written: {0}")]
    Write(#[from] std::io::Error),
}

/// An export under way. Ask for chunks until there is none; whoever stops before leaves an audit entry without count.
pub struct Export {
    ctx: Ctx,
    store: Store,
    options: Options,
    fields: Vec<CustomField>,
    lists: Vec<(Id<kind::List>, String)>,
    tags: Vec<(Id<kind::Tag>, String)>,
    cursor: Id<kind::Contact>,
    stage: Stage,
    contacts: u64,
}

#[derive(PartialEq, Eq)]
enum Stage {
    Head,
    Body,
    Done,
}

impl Export {
    /// Begins an export; the audit log says so before the first byte leaves.
    pub async fn begin(ctx: &Ctx, store: &Store, options: Options) -> Result<Self, ExportError> {
        let mut tx = store.db.write().await?;
        let fields = field::all(ctx, &mut tx).await?;
        let lists = list::all(ctx, &mut tx).await?.into_iter().map(|list| (list.id, list.name)).collect();
        let tags = tag::all(ctx, &mut tx).await?.into_iter().map(|tag| (tag.id, tag.name)).collect();
        let event = audit::Event { action: "contact.export.begin", object: "", detail: "{}" };
        audit::append(ctx, &mut tx, event).await?;
        tx.commit().await?;
        Ok(Self {
            ctx: ctx.clone(),
            store: store.clone(),
            options,
            fields,
            lists,
            tags,
            cursor: Id::NIL,
            stage: Stage::Head,
            contacts: 0,
        })
    }

    /// How many contacts were written so far.
    pub const fn contacts(&self) -> u64 {
        self.contacts
    }

    /// The next chunk; `None` when everything is written and the audit log says how much.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, ExportError> {
        match self.stage {
            Stage::Head => {
                self.stage = Stage::Body;
                let head = match self.options.format {
                    Format::Csv { bom } => csv_text::head(bom, &self.fields)?,
                    Format::JsonLines => Vec::new(),
                    Format::Json => b"[".to_vec(),
                };
                Ok(Some(head.into()))
            }
            Stage::Body => self.body().await.map(Some),
            Stage::Done => Ok(None),
        }
    }

    async fn body(&mut self) -> Result<Bytes, ExportError> {
        let keyring = self.store.keys.keyring(self.ctx.account).await?;
        // Each page reads in a transaction of its own: a long export must not keep the log of the database growing.
        let mut tx = self.store.db.read().await?;
        let direction = Direction::Newer(self.cursor.uuid());
        let found = rows::page(&mut tx, self.ctx.account, self.options.filter.rows(), direction, PIECE).await?;
        let last = found.len() < PIECE as usize;
        let opened = open_rows(&self.ctx, &mut tx, &keyring, found).await?;
        drop(tx);
        let mut chunk = match self.options.format {
            Format::Csv { .. } => csv_text::rows(&opened, &self.fields, &self.lists, &self.tags)?,
            Format::JsonLines | Format::Json => {
                let mut chunk = Vec::with_capacity(opened.len() * 400);
                for (at, contact) in opened.iter().enumerate() {
                    if self.options.format == Format::Json {
                        chunk.extend_from_slice(if self.contacts == 0 && at == 0 { b"\n" } else { b",\n" });
                    }
                    serde_json::to_writer(&mut chunk, &self.json(contact)?).map_err(|_| ExportError::Text)?;
                    if self.options.format == Format::JsonLines {
                        chunk.push(b'\n');
                    }
                }
                chunk
            }
        };
        self.contacts += opened.len() as u64;
        if let Some(contact) = opened.last() {
            self.cursor = contact.id;
        }
        if last {
            self.stage = Stage::Done;
            if self.options.format == Format::Json {
                chunk.extend_from_slice(b"\n]\n");
            }
            let mut tx = self.store.db.write().await?;
            let detail = format!(r#"{{"contacts":{}}}"#, self.contacts);
            let event = audit::Event { action: "contact.export", object: "", detail: &detail };
            audit::append(&self.ctx, &mut tx, event).await?;
            tx.commit().await?;
        }
        Ok(chunk.into())
    }

    fn json(&self, contact: &Contact) -> Result<Value, ExportError> {
        let mut object = Map::new();
        object.insert("id".into(), Value::String(contact.id.to_string()));
        let Value::Object(record) = serde_json::to_value(&contact.record).map_err(|_| ExportError::Text)? else {
            return Err(ExportError::Text);
        };
        object.extend(record);
        if !contact.record.custom.is_empty() {
            // Fields that were deleted are not shown here either.
            let known = contact.record.custom.iter().filter(|(key, value)| {
                self.fields.iter().any(|field| field.merge_key == **key && value.fits(field.kind))
            });
            let custom = known.map(|(key, value)| (key.clone(), FieldValue::json(value))).collect::<Map<_, _>>();
            object.insert("custom".into(), Value::Object(custom));
        }
        for (name, text) in [
            ("permission", contact.permission.name().to_owned()),
            ("permission_source", contact.permission_source.name().to_owned()),
            ("permission_at", contact.permission_at.to_string()),
            ("tracking", contact.tracking.name().to_owned()),
            ("created_at", contact.created_at.to_string()),
        ] {
            object.insert(name.into(), Value::String(text));
        }
        object.insert("lists".into(), names(&contact.lists, &self.lists).into());
        object.insert("tags".into(), names(&contact.tags, &self.tags).into());
        Ok(Value::Object(object))
    }

    /// Writes everything; yields how many contacts.
    pub async fn write(mut self, sink: &mut (impl AsyncWrite + Unpin)) -> Result<u64, ExportError> {
        while let Some(chunk) = self.chunk().await? {
            sink.write_all(&chunk).await?;
        }
        sink.flush().await?;
        Ok(self.contacts)
    }
}

fn names<K: letterkeep_model::Kind>(ids: &[Id<K>], known: &[(Id<K>, String)]) -> Vec<String> {
    // A list that was made after the export began has no name here.
    let found = known.iter().filter(|(id, _)| ids.contains(id));
    found.map(|(_, name)| name.clone()).collect()
}
