//! An undo removes the lists and tags that the import made, unless somebody uses them.

use letterkeep_audience::import::{made, undo};
use letterkeep_audience::{list, tag};
use letterkeep_model::{Id, kind};
use letterkeep_store::campaign::{self, CampaignRow};
use letterkeep_testkit::for_each_database;

use crate::{found, imported};

#[tokio::test]
async fn what_an_import_made_and_nobody_uses_goes_with_it() {
    for_each_database(async |house| {
        let (account, keyring) = house.account().await;
        let ctx = house.system(account);
        imported(house, &ctx, b"E-Mail\nold@example.com\n", |_| {}).await;
        let file = b"E-Mail,Tags\nnew@example.com,\"Leer, Benutzt\"\n";
        let (import, _) = imported(house, &ctx, file, |_| {}).await;
        let (old, _) = found(house, &ctx, &keyring, "old@example.com").await.unwrap();
        let mut tx = house.store.db.write().await.unwrap();
        let used = tag::find_by_name(&ctx, &mut tx, "Benutzt").await.unwrap().unwrap().id;
        tag::add(&ctx, &mut tx, used, &[Id::from_uuid(old.contact_id)]).await.unwrap();
        let mut lists = Vec::new();
        for name in ["Leer", "Im Rundbrief", "Schon da"] {
            lists.push(list::create(&ctx, &mut tx, name, "").await.unwrap());
        }
        // What the wizard makes with the import.
        made::remember_list(&ctx, &mut tx, import, lists[0]).await.unwrap();
        made::remember_list(&ctx, &mut tx, import, lists[1]).await.unwrap();
        let letter = CampaignRow {
            campaign_id: ctx.new_id::<kind::Campaign>().uuid(),
            name: "Rundbrief".into(),
            state: "draft".into(),
            state_reason: String::new(),
            content: Vec::new(),
            key_version: 1,
            audience: format!(r#"{{"everybody":false,"lists":["{}"],"tags":[],"excluded_tags":[]}}"#, lists[1]),
            scheduled_at: None,
            activity_id: None,
            revision: 1,
            created_at: 0,
            updated_at: 0,
        };
        campaign::insert(&mut tx, account, &letter).await.unwrap();
        tx.commit().await.unwrap();

        let undone = undo::undo_now(&ctx, &house.store, import).await.unwrap();
        assert_eq!((undone.removed, undone.unmade), (1, 2));
        let mut tx = house.store.db.read().await.unwrap();
        let tags = tag::all(&ctx, &mut tx).await.unwrap();
        assert_eq!(tags.iter().map(|tag| tag.name.as_str()).collect::<Vec<_>>(), ["Benutzt"]);
        let lists = list::all(&ctx, &mut tx).await.unwrap();
        assert_eq!(lists.iter().map(|list| list.name.as_str()).collect::<Vec<_>>(), ["Im Rundbrief", "Schon da"]);
    })
    .await;
}
