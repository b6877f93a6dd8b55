use std::collections::HashSet;

use letterkeep_model::{Ctx, Id, kind};
use letterkeep_store::{Error, Tx, list, tag};
use serde::{Deserialize, Serialize};

/// Who shall get a campaign: everybody, or whoever is on one of the lists or carries one of the tags; in either case
/// without those who carry an excluded tag. Permission and suppression are checked besides, when it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Audience {
    /// All contacts; `lists` and `tags` are ignored then.
    pub everybody: bool,
    /// Contacts on any of these lists.
    pub lists: Vec<Id<kind::List>>,
    /// Contacts with any of these tags.
    pub tags: Vec<Id<kind::Tag>>,
    /// Never contacts with any of these tags.
    pub excluded_tags: Vec<Id<kind::Tag>>,
}

impl Audience {
    /// Lists and tags that one audience may name.
    pub const MAX_NAMED: usize = 500;

    /// All contacts.
    pub fn everybody() -> Self {
        Self { everybody: true, ..Self::default() }
    }

    /// Whether it names nobody at all: such a campaign is not sent.
    pub fn is_empty(&self) -> bool {
        !self.everybody && self.lists.is_empty() && self.tags.is_empty()
    }

    /// Whether it names more lists and tags than it may.
    pub fn is_too_large(&self) -> bool {
        self.lists.len() + self.tags.len() + self.excluded_tags.len() > Self::MAX_NAMED
    }

    /// Whether everything that it names still exists. Where an excluded tag is gone, nobody bears it any more, and those
    /// who were to get nothing would get the message.
    pub async fn is_whole(&self, ctx: &Ctx, tx: &mut Tx) -> Result<bool, Error> {
        // More than an account may have: one that was left out would look deleted.
        const ALL: i64 = 100_000;
        let mut tags = self.excluded_tags.clone();
        if !self.everybody {
            tags.extend(&self.tags);
            if !self.lists.is_empty() {
                let known: HashSet<_> =
                    list::all(tx, ctx.account, ALL).await?.into_iter().map(|list| list.list_id).collect();
                if !self.lists.iter().all(|list| known.contains(&list.uuid())) {
                    return Ok(false);
                }
            }
        }
        if tags.is_empty() {
            return Ok(true);
        }
        let known: HashSet<_> = tag::all(tx, ctx.account, ALL).await?.into_iter().map(|tag| tag.tag_id).collect();
        Ok(tags.iter().all(|tag| known.contains(&tag.uuid())))
    }

    /// The same audience with each id once, in order, and without what it does not heed.
    #[must_use]
    pub fn tidied(mut self) -> Self {
        if self.everybody {
            self.lists.clear();
            self.tags.clear();
        }
        self.lists.sort_unstable();
        self.lists.dedup();
        self.tags.sort_unstable();
        self.tags.dedup();
        self.excluded_tags.sort_unstable();
        self.excluded_tags.dedup();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_form_is_plain_json() {
        let list = Id::<kind::List>::NIL;
        let audience = Audience { lists: vec![list, list], ..Audience::default() }.tidied();
        let text = serde_json::to_string(&audience).unwrap();
        assert_eq!(
            text,
            r#"{"everybody":false,"lists":["list_00000000000000000000000000000000"],"tags":[],"excluded_tags":[]}"#
        );
        assert_eq!(serde_json::from_str::<Audience>(&text).unwrap(), audience);
        assert!(Audience::default().is_empty() && !audience.is_empty());
    }
}
