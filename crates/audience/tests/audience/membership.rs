use letterkeep_audience::contact::{self, Cursor, Filter};
use letterkeep_audience::field::{self, FieldError, NewField};
use letterkeep_audience::list::{self, ListError};
use letterkeep_audience::{FieldKind, Permission, tag};
use letterkeep_model::Id;
use letterkeep_testkit::for_each_database;

use crate::Desk;

#[tokio::test]
async fn counters_follow_lists_and_tags() {
    for_each_database(async |house| {
        let desk = Desk::of(house).await;
        let (a, b) = (desk.contact("a@example.org").await, desk.contact("b@example.org").await);
        let stranger = Desk::of(house).await.contact("a@example.org").await;
        let ctx = &desk.ctx;
        let (list, vip) = desk
            .write(async |tx| {
                let list = list::create(ctx, tx, " News ", "").await.unwrap();
                assert!(matches!(list::create(ctx, tx, "News", "").await, Err(ListError::Taken)));
                let vip = tag::create(ctx, tx, "vip").await.unwrap();
                let everybody = [a, b, stranger, Id::NIL];
                assert_eq!(list::add(ctx, tx, list, &everybody).await.unwrap(), 2, "only contacts of this account");
                assert_eq!(list::add(ctx, tx, list, &[a]).await.unwrap(), 0);
                assert_eq!(tag::add(ctx, tx, vip, &[b]).await.unwrap(), 1);
                (list, vip)
            })
            .await;
        let members = async || {
            let mut tx = house.store.db.read().await.unwrap();
            let list = list::find(ctx, &mut tx, list).await.unwrap().unwrap().members;
            (list, tag::find(ctx, &mut tx, vip).await.unwrap().unwrap().members)
        };
        assert_eq!(members().await, (2, 1));
        let found = desk.find(b).await;
        assert_eq!((&found.lists[..], &found.tags[..]), (&[list][..], &[vip][..]));

        let shown = async |filter: Filter| {
            let mut tx = house.store.db.read().await.unwrap();
            let page = contact::page(ctx, &mut tx, &desk.keyring, &filter, Cursor::Newest).await.unwrap();
            page.contacts.into_iter().map(|contact| contact.id).collect::<Vec<_>>()
        };
        assert_eq!(shown(Filter { list: Some(list), ..Filter::default() }).await.len(), 2);
        assert_eq!(shown(Filter { list: Some(list), tag: Some(vip), ..Filter::default() }).await, [b]);
        assert_eq!(shown(Filter { tag: Some(vip), ..Filter::default() }).await, [b]);
        let implicit = Some(Permission::Implicit);
        assert_eq!(shown(Filter { permission: implicit, ..Filter::default() }).await.len(), 2);
        assert_eq!(shown(Filter { permission: implicit, list: Some(list), tag: Some(vip) }).await, [b]);
        assert!(shown(Filter { permission: Some(Permission::Explicit), ..Filter::default() }).await.is_empty());

        desk.write(async |tx| {
            assert_eq!(list::remove(ctx, tx, list, &[a, stranger]).await.unwrap(), 1);
            contact::delete(ctx, tx, &[b]).await.unwrap();
        })
        .await;
        assert_eq!(members().await, (0, 0));
        desk.write(async |tx| list::delete(ctx, tx, list).await.unwrap()).await;
        assert!(desk.find(a).await.lists.is_empty());
    })
    .await;
}

#[tokio::test]
async fn fields_keep_their_keys_and_order() {
    for_each_database(async |house| {
        let desk = Desk::of(house).await;
        let ctx = &desk.ctx;
        let new = |key: &str, kind, options: &[&str]| NewField {
            merge_key: key.into(),
            label: key.into(),
            kind,
            options: options.iter().map(|option| (*option).to_owned()).collect(),
            currency: None,
        };
        desk.write(async |tx| {
            let size = field::create(ctx, tx, &new("size", FieldKind::Select, &["S", "M"])).await.unwrap();
            let points = field::create(ctx, tx, &new("points", FieldKind::Number, &[])).await.unwrap();
            for (field, refused) in [
                (new("points", FieldKind::Text, &[]), "Taken"),
                (new("first_name", FieldKind::Text, &[]), "Reserved"),
                (new("city", FieldKind::Text, &[]), "Reserved"),
                (new("lk_preheader", FieldKind::Text, &[]), "Reserved"),
                (new("sender_name", FieldKind::Text, &[]), "Reserved"),
                (new("loop", FieldKind::Text, &[]), "Reserved"),
                (new("endif", FieldKind::Text, &[]), "Reserved"),
                (new("Points", FieldKind::Text, &[]), "Key"),
                (new("1st", FieldKind::Text, &[]), "Key"),
                (new("colour", FieldKind::Select, &[]), "Options"),
                (new("colour", FieldKind::Select, &["red", "Red"]), "Options"),
                (new("colour", FieldKind::Text, &["red"]), "Options"),
            ] {
                let error = field::create(ctx, tx, &field).await.unwrap_err();
                assert_eq!(format!("{error:?}"), refused, "{}", field.merge_key);
            }
            field::rename(ctx, tx, points, "Punkte").await.unwrap();
            assert!(matches!(field::reorder(ctx, tx, &[points]).await, Err(FieldError::Order)));
            field::reorder(ctx, tx, &[points, size]).await.unwrap();
            field::set_options(ctx, tx, size, &["S".into(), "L".into()]).await.unwrap();
            let fields = field::all(ctx, tx).await.unwrap();
            assert_eq!(fields.iter().map(|field| &field.label[..]).collect::<Vec<_>>(), ["Punkte", "size"]);
            assert_eq!(fields[0].merge_key, "points");
            assert_eq!(fields[1].options, ["S", "L"]);
            field::delete(ctx, tx, size).await.unwrap();
            assert!(matches!(field::delete(ctx, tx, size).await, Err(FieldError::Missing)));
        })
        .await;
    })
    .await;
    assert_eq!(field::merge_key_for("Größe (cm)"), "groesse_cm");
}
